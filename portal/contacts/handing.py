"""Handing a person's contacts to somebody else, in slices; each contact that changes hands is told to the webhooks."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from .. import slices
from ..extensions import db, utcnow
from ..webhooks.publisher import ring_after_commit
from .handing_models import HandOver
from .many import update_many
from .models import Contact


def owned(workspace_id: uuid.UUID) -> Mapping[str, int]:
    """How many contacts each person owns, by the person's id as text."""
    query = select(Contact.owner, func.count()).where(Contact.workspace_id == workspace_id, Contact.owner != "")
    return {owner or "": count for owner, count in db.session.execute(query.group_by(Contact.owner))}


def owned_by(workspace_id: uuid.UUID, user_id: uuid.UUID) -> int:
    """How many contacts a person owns."""
    mine = Contact.workspace_id == workspace_id, Contact.owner == str(user_id)
    return db.session.scalar(select(func.count()).select_from(Contact).where(*mine)) or 0


def begin(workspace_id: uuid.UUID, giver: uuid.UUID, taker: uuid.UUID | None, actor: str) -> HandOver:
    """Begin to give all contacts of one person to another one, or to nobody."""
    made = HandOver(workspace_id=workspace_id, giver_id=giver, taker_id=taker, actor=actor)
    made.total = owned_by(workspace_id, giver)
    db.session.add(made)
    db.session.flush()
    ring_after_commit(made.id, HandOver.job)
    return made


def under_way(workspace_id: uuid.UUID, giver: uuid.UUID) -> HandOver | None:
    """The one of that person's contacts that is not done."""
    mine = HandOver.workspace_id == workspace_id, HandOver.giver_id == giver, HandOver.finished_at.is_(None)
    return db.session.scalars(select(HandOver).where(*mine).limit(1)).one_or_none()


def work(hand_over_id: str) -> None:
    """Go on with one, and leave the rest to another job after a while. The RQ job behind its bell."""
    slices.work(uuid.UUID(hand_over_id), HandOver.job, go_on)


def go_on(key: uuid.UUID) -> bool:
    """Do one slice; whether there is more for this worker to do."""
    return slices.go_on(HandOver, key, _slice)


def _slice(work: HandOver) -> None:
    ids = db.session.scalars(_next(work)).all()
    if not ids:
        work.finished_at = utcnow()
        return
    giver, taker = str(work.giver_id), str(work.taker_id) if work.taker_id else ""

    def revise(contact: Contact) -> dict[str, Any]:
        # Somebody may have given it to another one a moment ago.
        return {"owner": taker} if contact.owner == giver else {}

    work.done += len(update_many(work.workspace_id, ids, revise, work.actor).changed)
    work.after_id = ids[-1]


def _next(work: HandOver) -> Any:
    mine = Contact.workspace_id == work.workspace_id, Contact.owner == str(work.giver_id)
    query = select(Contact.id).where(*mine).order_by(Contact.id).limit(slices.CHUNK)
    return query.where(Contact.id > work.after_id) if work.after_id else query
