"""Forgetting a contact for good: what events, deliveries and attempts say of it goes, that they happened stays.

Locks go webhook first, then deliveries in the order of `seq`, as everywhere.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, select, update
from sqlalchemy.orm import aliased, selectinload

from ..extensions import db, utcnow
from . import engine
from .log_models import Attempt, SearchWord
from .models import ERASED, Delivery, Event, EventType, Status, Subject, Webhook
from .naming import Person
from .publisher import ring_after_commit
from .worker_models import Bulk

CHUNK = 100
"""Rows of a slice."""


def count(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> int:
    """How many events are about the contact."""
    return db.session.scalar(select(func.count()).select_from(_events(workspace_id, contact_id).subquery())) or 0


def last_label(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> str | None:
    """What the newest event about the contact calls it: all that is known of one that was deleted. None without any."""
    query = select(Subject.label).join(Event, Event.id == Subject.event_id).order_by(Event.created_at.desc())
    mine = Event.workspace_id == workspace_id, Event.is_test.is_(False), Subject.contact_id == contact_id
    return db.session.scalar(query.where(*mine, Subject.label != ERASED).limit(1))


def forget_words(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> None:
    """Nobody finds it by a word any more."""
    mine = SearchWord.workspace_id == workspace_id, SearchWord.contact_id == contact_id
    db.session.execute(delete(SearchWord).where(*mine))


def searches(workspace_id: uuid.UUID, person: Person) -> list[str]:
    """What bulk work searches for, where that is the person."""
    return [bulk.filters["q"] for bulk in _seeking(workspace_id, person)]


def forget_searches(workspace_id: uuid.UUID, person: Person) -> None:
    """Bulk work that searches for the person is stopped before it forgets that: without its condition, a cancel of a
    few would be a cancel of all."""
    for bulk in _seeking(workspace_id, person):
        bulk.stop()
        bulk.filters = {name: value for name, value in bulk.filters.items() if name != "q"}


def _seeking(workspace_id: uuid.UUID, person: Person) -> list[Bulk]:
    mine = select(Bulk).where(Bulk.workspace_id == workspace_id).order_by(Bulk.id)
    return [bulk for bulk in db.session.scalars(mine) if person.is_sought(bulk.filters.get("q", ""))]


def cancel_some(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> int:
    """Cancel what waits at one webhook and tells of nobody else; how many. What says only its id is sent."""
    webhook_id = db.session.scalar(_waiting(workspace_id, contact_id, Delivery.webhook_id).limit(1))
    if webhook_id is None:
        return 0
    db.session.execute(select(Webhook.id).where(Webhook.id == webhook_id).with_for_update(key_share=True))
    keys = _waiting(workspace_id, contact_id, Delivery.id).where(Delivery.webhook_id == webhook_id).limit(CHUNK)
    rows = [row for row in _locked(Delivery.id.in_(db.session.scalars(keys).all())) if row.status == Status.PENDING]
    engine.cancel(rows)
    ring_after_commit(webhook_id)
    return len(rows)


def blank_some(workspace_id: uuid.UUID, contact_id: uuid.UUID, after: str) -> Sequence[str]:
    """Blank what the next events say of the contact, and what receivers answered to them; their ids."""
    keys = _events(workspace_id, contact_id).where(Event.id > after).order_by(Event.id).limit(CHUNK)
    ids = db.session.scalars(keys).all()
    _lock_webhooks(ids)
    deliveries = _locked(Delivery.event_id.in_(ids))  # an answer that comes in this moment is written before or after
    for event in db.session.scalars(select(Event).where(Event.id.in_(ids)).options(selectinload(Event.subjects))):
        _blank(event, contact_id)
    blank: dict[str, Any] = {"response_body": b"", "response_headers": [], "reason": ""}
    mine = Attempt.delivery_id.in_([delivery.id for delivery in deliveries])
    db.session.execute(update(Attempt).where(mine).values(blank).execution_options(synchronize_session=False))
    return ids


def _lock_webhooks(events: Sequence[str]) -> None:
    """Nobody is about to write an answer down who has looked already whether its contacts were erased."""
    theirs = Webhook.id.in_(select(Delivery.webhook_id).where(Delivery.event_id.in_(events)))
    db.session.execute(select(Webhook.id).where(theirs).order_by(Webhook.id).with_for_update(key_share=True))


def without(body: bytes, contact_id: uuid.UUID) -> bytes | None:
    """The body of a batch without the contact; None when it is about nobody else, or can't be read."""
    try:
        event = json.loads(body)
        event["contacts"] = [one for one in event["contacts"] if str(one["id"]) != str(contact_id)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() if event["contacts"] else None


def _blank(event: Event, contact_id: uuid.UUID) -> None:
    for subject in event.subjects:
        if subject.contact_id == contact_id:
            subject.label, subject.number, subject.changes = ERASED, "", {}
    if event.type == EventType.DELETED or not event.has_body:  # the one says nothing but ids, the other nothing
        return
    rest = without(event.body, contact_id)
    event.body = rest or b""
    if rest is None:
        event.has_body, event.erased_at = False, utcnow()


def _events(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Select[Any]:
    about = exists().where(Subject.event_id == Event.id, Subject.contact_id == contact_id)
    return select(Event.id).where(Event.workspace_id == workspace_id, about)


def _waiting(workspace_id: uuid.UUID, contact_id: uuid.UUID, column: Any) -> Select[Any]:
    """What waits and tells of this contact alone."""
    other = aliased(Subject)
    query = select(column).join(Event, Event.id == Delivery.event_id).join(Subject, Subject.event_id == Event.id)
    return query.where(
        Event.workspace_id == workspace_id,
        Event.type != EventType.DELETED,
        Subject.contact_id == contact_id,
        Delivery.status == Status.PENDING,
        ~exists().where(other.event_id == Event.id, other.contact_id != contact_id, other.label != ERASED),
    )


def _locked(which: ColumnElement[bool]) -> Sequence[Delivery]:
    """Deliveries as they are now and stay until the commit."""
    locked = select(Delivery.id).where(which).order_by(Delivery.seq).with_for_update()
    keys = db.session.scalars(locked).all()
    query = select(Delivery).where(Delivery.id.in_(keys)).order_by(Delivery.seq)
    return db.session.scalars(query.execution_options(populate_existing=True)).all()
