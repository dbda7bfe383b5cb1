"""Resend, cancel and replay in bulk: counted first, done in slices, in the order of the events, with progress.

A slice is a transaction that moves the cursor on the bulk's row along with what it did: done once, whatever dies.
Each is about one webhook, so that its locks are taken in the order of `seq` and last for a fraction of a second.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, exists, func, literal, select, tuple_
from sqlalchemy.orm import aliased, defaultload, defer

from .. import jobs, slices
from ..extensions import UTCDateTime, db, utcnow
from . import engine, publisher
from .filters import Filters
from .models import CONTACT_EVENTS, MOST_CONTACTS, Delivery, Event, State, Status, Subject, Webhook
from .worker_models import Bulk, BulkKind

REPLAY_DAYS = (1, 3, 7, 30)
"""How far back a replay can be asked to go."""

Act = Callable[[Bulk, Webhook], Delivery | Event | None]
"""Does the next rows and returns the last of them."""


class Skip(StrEnum):
    """Why a row of a bulk was left as it is."""

    NEWER = "newer"
    """A newer event of the same contact has arrived: the older one would set it back."""
    DELETED = "deleted"
    HELD = "held"
    TEST = "test"
    WAITING = "waiting"
    LARGE = "large"
    """It tells of more contacts than the webhook takes in one request."""
    GONE = "gone"
    CHANGED = "changed"
    """Something else was done with it since the bulk began: nobody asked about that."""


REASONS = {
    Skip.NEWER: "A newer change of the same contact has arrived: the older one would set it back.",
    Skip.DELETED: "Their webhook was deleted.",
    Skip.HELD: "Their webhook is paused: they are sent when it is resumed.",
    Skip.TEST: "They were tests.",
    Skip.WAITING: "They were waiting already.",
    Skip.LARGE: "They tell of more contacts than the webhook takes in one request.",
    Skip.GONE: "Their bodies are not kept any more.",
    Skip.CHANGED: "Something happened to them meanwhile.",
}


def forecast(workspace_id: uuid.UUID, kind: BulkKind, filters: Filters) -> dict[str, int]:
    """How many deliveries of which webhooks `begin` would be about."""
    return _counts(Bulk(workspace_id=workspace_id, kind=kind, filters=filters.address(), created_at=utcnow()))


def begin(workspace_id: uuid.UUID, kind: BulkKind, filters: Filters, actor: str) -> Bulk:
    """Resend, or cancel if it waits, each delivery that matches now; done by a worker after the commit."""
    asked = filters.frozen().address()
    bulk = Bulk(workspace_id=workspace_id, kind=kind, filters=asked, created_at=utcnow(), actor=actor)
    return _begin(bulk, _counts(bulk))


def replay(webhook: Webhook, since: datetime, actor: str) -> Bulk:
    """Send the events since then to the webhook, in their order, whether or not it got them before."""
    bulk = Bulk(workspace_id=webhook.workspace_id, kind=BulkKind.REPLAY, since=since, created_at=utcnow(), actor=actor)
    return _begin(bulk, {str(webhook.id): _count(Event, *_past(bulk, webhook))})


def work(bulk_id: str) -> None:
    """Go on with a bulk, and hand over after a while. The RQ job behind its bell."""
    slices.work(uuid.UUID(bulk_id), jobs.BULK, go_on)


def go_on(key: uuid.UUID) -> bool:
    """Do one slice; whether there is more for this worker to do."""
    return slices.go_on(Bulk, key, _next_slice)


def _next_slice(bulk: Bulk) -> None:
    if bulk.webhooks:
        _slice(bulk, _lock_webhook(uuid.UUID(bulk.webhooks[0])))
    else:
        bulk.finished_at = utcnow()
        bulk.skip({Skip.CHANGED: bulk.left})


def _counts(bulk: Bulk) -> dict[str, int]:
    query = select(Delivery.webhook_id, func.count()).where(*_matching(bulk)).group_by(Delivery.webhook_id)
    return {str(webhook_id): count for webhook_id, count in db.session.execute(query)}


def _begin(bulk: Bulk, counts: dict[str, int]) -> Bulk:
    bulk.total, bulk.webhooks = sum(counts.values()), sorted(counts)
    db.session.add(bulk)
    db.session.flush()
    publisher.ring_after_commit(bulk.id, jobs.BULK)
    return bulk


def _lock_webhook(key: uuid.UUID) -> Webhook:
    """Before its deliveries, as everybody does who needs both; no answer is written down meanwhile."""
    query = select(Webhook).where(Webhook.id == key).with_for_update(key_share=True)
    return db.session.scalars(query, execution_options={"populate_existing": True}).one()


def _slice(bulk: Bulk, webhook: Webhook) -> None:
    """Do the next rows of this webhook; without any it is done, and the next one's turn."""
    acts: dict[BulkKind, Act] = {BulkKind.RESEND: _resend, BulkKind.CANCEL: _cancel, BulkKind.REPLAY: _replay}
    act: Act = _give_up if webhook.state == State.DELETED else acts[bulk.kind]
    if last := act(bulk, webhook):
        bulk.after_at, bulk.after_id = last.created_at, str(last.id)
    else:
        bulk.webhooks, bulk.after_at, bulk.after_id = bulk.webhooks[1:], None, None


def _give_up(bulk: Bulk, webhook: Webhook) -> None:
    """The webhook was deleted meanwhile."""
    if bulk.kind == BulkKind.REPLAY:
        rest = _count(Event, *_past(bulk, webhook), *_after(bulk, Event))
    else:
        rest = _count(Delivery, *_ended(bulk, webhook), *_after(bulk, Delivery))
    bulk.skip({Skip.DELETED: rest})


def _resend(bulk: Bulk, webhook: Webhook) -> Delivery | None:
    if bulk.after_at is None:
        _hasten(bulk, webhook)
    rows = _locked(_chunk(bulk, select(Delivery.id).where(*_ended(bulk, webhook)), Delivery))
    _send_again(bulk, webhook, rows, _outdated([row.event_id for row in rows], webhook, Event.created_at))
    return rows[-1] if rows else None


def _hasten(bulk: Bulk, webhook: Webhook) -> None:
    """What waits keeps its place in its lane. It is tried now, if its webhook takes anything at all."""
    waits = [*_matching(bulk, webhook), Delivery.status == Status.PENDING]
    count = _count(Delivery, *waits)
    if webhook.is_active:
        engine.try_first(webhook, waits)
        publisher.ring_after_commit(webhook.id)
        bulk.done += count
    else:
        bulk.skip({Skip.HELD: count})


def _cancel(bulk: Bulk, webhook: Webhook) -> Delivery | None:
    rows = _locked(_chunk(bulk, select(Delivery.id).where(*_matching(bulk, webhook)), Delivery))
    engine.cancel([row for row in rows if row.status == Status.PENDING])
    bulk.done += len(rows)
    publisher.ring_after_commit(webhook.id)
    return rows[-1] if rows else None


def _replay(bulk: Bulk, webhook: Webhook) -> Event | None:
    chosen = _chunk(bulk, select(Event.id).where(*_past(bulk, webhook)), Event)
    known = select(Delivery.id).where(Delivery.webhook_id == webhook.id, Delivery.event_id.in_(chosen))
    sent = {delivery.event_id: delivery for delivery in _locked(db.session.scalars(known).all())}
    events = db.session.scalars(
        select(Event).where(Event.id.in_(chosen)).order_by(Event.created_at, Event.id).options(defer(Event.body))
    ).all()
    rows = [
        sent.get(event.id) or Delivery(workspace_id=bulk.workspace_id, event=event, webhook=webhook) for event in events
    ]
    # What happened since the replay began has been sent already: what it replays of the same contact is outdated.
    _send_again(bulk, webhook, rows, _outdated(chosen, webhook, literal(bulk.created_at, UTCDateTime())))
    return events[-1] if events else None


def _send_again(bulk: Bulk, webhook: Webhook, rows: Sequence[Delivery], outdated: Collection[str]) -> None:
    """Put what may be sent at the tails of its lanes; say of the others why not."""
    kept = publisher.with_bodies([row.event.id for row in rows])
    most = webhook.contacts_per_request if bulk.kind == BulkKind.REPLAY else MOST_CONTACTS
    skips = [_reason(row, outdated, kept, most) for row in rows]
    chosen = [row for row, reason in zip(rows, skips, strict=True) if not reason]
    if chosen:
        publisher.send_again(chosen)
        publisher.ring_after_commit(webhook.id)
    bulk.done += len(chosen)
    bulk.skip(Counter(reason for reason in skips if reason))


def _reason(delivery: Delivery, outdated: Collection[str], kept: Collection[str], most: int) -> Skip | None:
    if delivery.event.is_test:
        return Skip.TEST
    if len(delivery.event.subjects) > most:
        return Skip.LARGE
    if delivery.status == Status.PENDING:
        return Skip.WAITING
    if delivery.event.id in outdated:
        return Skip.NEWER
    return None if delivery.event.id in kept else Skip.GONE


def _matching(bulk: Bulk, webhook: Webhook | None = None) -> list[ColumnElement[bool]]:
    """SQL over Delivery: what the bulk is about, of one webhook or of all."""
    found = [Delivery.workspace_id == bulk.workspace_id, Delivery.created_at <= bulk.created_at]
    if webhook:
        found.append(Delivery.webhook_id == webhook.id)
    if bulk.kind == BulkKind.CANCEL:
        found.append(Delivery.status == Status.PENDING)
    return [*found, *Filters.of(bulk.filters).conditions(bulk.workspace_id)]


def _ended(bulk: Bulk, webhook: Webhook) -> list[ColumnElement[bool]]:
    """SQL over Delivery: what had ended when the bulk began; what has arrived since then is not sent again."""
    untouched = Delivery.updated_at <= bulk.created_at
    return [*_matching(bulk, webhook), Delivery.status != Status.PENDING, untouched]


def _past(bulk: Bulk, webhook: Webhook) -> list[ColumnElement[bool]]:
    """SQL over Event: what a replay sends to the webhook."""
    return [
        Event.workspace_id == bulk.workspace_id,
        Event.created_at.between(bulk.since, bulk.created_at),
        Event.type.in_([kind for kind in CONTACT_EVENTS if kind in webhook.event_types]),
        Event.is_test.is_(False),
        # Of what was told several times, the groups that it took, or would have taken.
        literal(webhook.contacts_per_request).between(Event.takes_from, Event.takes_to),
    ]


def _after(bulk: Bulk, model: type[Event] | type[Delivery]) -> list[ColumnElement[bool]]:
    """SQL: behind the cursor, in the order of a slice."""
    if bulk.after_at is None:
        return []
    key = bulk.after_id if model is Event else uuid.UUID(bulk.after_id)
    cursor = tuple_(literal(bulk.after_at, UTCDateTime()), literal(key, model.id.type))
    return [tuple_(model.created_at, model.id) > cursor]


def _chunk(bulk: Bulk, keys: Select[Any], model: type[Event] | type[Delivery]) -> Sequence[Any]:
    """The keys of the next rows, oldest first."""
    query = keys.where(*_after(bulk, model)).order_by(model.created_at, model.id).limit(slices.CHUNK)
    return db.session.scalars(query).all()


def _locked(keys: Sequence[uuid.UUID]) -> Sequence[Delivery]:
    """Deliveries as they are now and stay until the commit, oldest first, locked in the order of `seq`."""
    mine = Delivery.id.in_(keys)
    db.session.execute(select(Delivery.id).where(mine).order_by(Delivery.seq).with_for_update())
    query = select(Delivery).where(mine).options(defaultload(Delivery.event).defer(Event.body))
    in_order = query.order_by(Delivery.created_at, Delivery.id).execution_options(populate_existing=True)
    return db.session.scalars(in_order).all()


def _count(model: type[Event] | type[Delivery], *conditions: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def _outdated(event_ids: Sequence[str], webhook: Webhook, since: SQLColumnExpression[datetime]) -> set[str]:
    """Those of the events of whose contacts the webhook has taken something that happened after `since`."""
    theirs, later = aliased(Subject), aliased(Event)
    overtaken = (
        exists()
        .where(theirs.contact_id == Subject.contact_id, later.id == theirs.event_id, later.created_at > since)
        .where(Delivery.event_id == later.id, Delivery.webhook_id == webhook.id, Delivery.succeeded_at.is_not(None))
        .correlate(Subject, Event)
    )
    query = select(Subject.event_id).join(Event, Event.id == Subject.event_id)
    return set(db.session.scalars(query.where(Subject.event_id.in_(event_ids), overtaken)))
