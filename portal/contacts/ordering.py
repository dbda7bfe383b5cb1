"""Rows that people put in order, one step up or down at a time."""

import uuid
from collections.abc import Sequence

from sqlalchemy import select

from ..accounts.models import Workspace
from ..extensions import db
from .field_models import CustomField, ListWord


def close_up(workspace_id: uuid.UUID) -> None:
    """One at a time defines fields and words of a workspace, until the commit; writing contacts goes on beside it."""
    query = select(Workspace.id).where(Workspace.id == workspace_id)
    db.session.execute(query.with_for_update(key_share=True))


def next_position(rows: Sequence[CustomField] | Sequence[ListWord]) -> int:
    """The place behind all that there are."""
    return max((row.position for row in rows), default=-1) + 1


def move(rows: Sequence[CustomField] | Sequence[ListWord], row: CustomField | ListWord, steps: int) -> None:
    """Put a row so many steps further down, or up if negative; at an end it stays there."""
    order = [one for one in rows if one is not row]
    place = [one is row for one in rows].index(True)
    order.insert(max(0, place + steps), row)
    for position, one in enumerate(order):
        one.position = position
