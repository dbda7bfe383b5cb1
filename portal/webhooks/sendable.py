"""What may be sent now: one predicate, and the statements that ask by it. Claim, last look and sweeper all go by it."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, exists, literal, or_, select

from ..among import among
from ..extensions import db, db_now
from ..pace import pace, prepared
from ..rows import together
from . import breaker, lanes, throttle
from .lease import is_free
from .models import Delivery, Event, EventType, State, Status, Subject, Trigger, Webhook
from .outbound import RETRY_AFTER_LIMIT

FAR = datetime(9999, 1, 1, tzinfo=UTC)
Ask = Callable[[ColumnElement[Any]], ColumnElement[Any]]
"""How a statement about deliveries asks something of their webhook."""
PROBE_CHOICE = 50
"""Among so many of the longest due the next probe is chosen."""


def _may_go(is_open: ColumnElement[bool], ask: Ask) -> ColumnElement[bool]:
    """SQL over Delivery, and by `ask` over its webhook: may be sent now if that is open; a test in any case.

    While the breaker is open any head may serve as the probe, whatever its due time.
    """
    due = Delivery.due_at <= ask(case((breaker.is_open(), literal(FAR, Delivery.due_at.type)), else_=db_now()))
    is_test = and_(_is_test(), ask(Webhook.state != State.DELETED))
    return and_(is_pending(), due, _likely(or_(is_test, and_(ask(is_open), lanes.is_head()))))


def _likely(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """SQL: the condition, said so that PostgreSQL expects it of 199 in 200.

    It can't know how often such a thing is true and takes it for rare; then, to find 16, it would sort all that is due.
    """
    return case((condition, 1), else_=0) != literal(0, literal_execute=True)


def _ask_once(told: ColumnElement[Any]) -> ColumnElement[Any]:
    """SQL: what is told of the webhook that is bound as `of`; a value, since a join has no order but its first's."""
    return select(told).where(Webhook.id == bindparam("of")).scalar_subquery()


def _ask_row(told: ColumnElement[Any]) -> ColumnElement[Any]:
    """SQL: what the row of the webhook around this tells."""
    return told


def waiting_webhooks() -> list[uuid.UUID]:
    """Webhooks that have something sendable and no drain at work."""
    return list(db.session.scalars(_having_any(is_free())))


def has_work(webhook_id: uuid.UUID) -> bool:
    """Whether anything is sendable for this webhook: the last look of a drain that leaves."""
    return db.session.scalar(_any(), {"of": webhook_id}) is not None


def next_turn(webhook_id: uuid.UUID) -> float | None:
    """Seconds until the throttle lets something go; None when nothing waits for that."""
    found = db.session.execute(_any_held(), {"of": webhook_id}).one_or_none()
    return (found[0] - found[1]).total_seconds() if found and found[0] else None


@prepared
def _any() -> Select[uuid.UUID]:
    """A webhook, if something is sendable."""
    return _having_any(Webhook.id == bindparam("of"))


def _having_any(which: ColumnElement[bool]) -> Select[uuid.UUID]:
    """Those of the webhooks for which something is sendable."""
    tested = exists().where(_of_row(), is_pending(), _is_test()).correlate(Webhook)
    # What is asked of each delivery, asked before: no look at 100,000 rows that wait for a probe.
    return select(Webhook.id).where(which, or_(is_open(), tested), _has_any(is_open()))


@prepared
def _any_held() -> Select[datetime | None, datetime]:
    """The time from which a webhook may be sent something that waits for nothing else, and the time now."""
    held = (Webhook.id == bindparam("of"), Webhook.next_at > db_now(), _has_any(is_reached()))
    return select(Webhook.next_at, db_now()).where(*held)


def _has_any(is_open: ColumnElement[bool]) -> ColumnElement[bool]:
    """SQL over Webhook: something may go if it is open."""
    # One for each webhook, not EXISTS, for which PostgreSQL may read all that is due to all of them; the first, for
    # which no index does but that of what is due.
    due = select(Delivery.id).where(_of_row(), _may_go(is_open, _ask_row)).correlate(Webhook).order_by(Delivery.due_at)
    return due.limit(1).scalar_subquery().is_not(None)


@prepared
def first(probing: bool) -> Select[uuid.UUID, int, Trigger, EventType, str, bytes, bool, list[dict[str, Any]]]:
    """What is sendable of a webhook and not in flight, as much as there is room for, whether it is due, and what it
    changed."""
    # Written out, so that PostgreSQL can plan the statement once for all: of a bound limit it expects a tenth of all.
    most = literal(pace().max_width, literal_execute=True)
    due = (Delivery.due_at, Delivery.seq)
    found = (
        select(Delivery.id, Delivery.attempts, Delivery.trigger, Delivery.event_type, Delivery.event_id)
        .add_columns(*due, (Delivery.due_at <= db_now()).label("was_due"), Delivery.last_attempt_at)
        .where(
            Delivery.webhook_id == bindparam("of"),
            ~among(Delivery.id, "in_flight"),
            _may_go(is_open(), _ask_once),
        )
        .order_by(*due)
        .limit(PROBE_CHOICE if probing else most)
        .cte("found")
    ).c
    # The least recently attempted probes first: one poisoned delivery must not stand for the whole receiver.
    order = (found.last_attempt_at.asc().nulls_first(),) if probing else ()
    # Values, for which PostgreSQL looks into an index: joined, it may read all events.
    body = select(Event.body).where(Event.id == found.event_id).scalar_subquery()
    changes = select(together(Subject.changes)).where(Subject.event_id == found.event_id).scalar_subquery()
    return (
        select(found.id, found.attempts, found.trigger, found.event_type, found.event_id, body, found.was_due, changes)
        .order_by(*order, found.due_at, found.seq)
        .limit(bindparam("room", type_=Integer))
    )


def is_pending() -> ColumnElement[bool]:
    """SQL over Delivery, with a constant by which indexes of such deliveries are chosen."""
    return Delivery.status == literal(Status.PENDING, Delivery.status.type, literal_execute=True)


def _is_test() -> ColumnElement[bool]:
    return Delivery.trigger == literal(Trigger.TEST, Delivery.trigger.type, literal_execute=True)


def _of_row() -> ColumnElement[bool]:
    return Delivery.webhook_id == Webhook.id


def is_open() -> ColumnElement[bool]:
    """SQL over Webhook: what is due may go to it."""
    return and_(is_reached(), throttle.has_turn())


def is_reached() -> ColumnElement[bool]:
    """SQL over Webhook: it takes deliveries, and its receiver has not asked for a pause or failed just now."""
    impossible = Webhook.probe_at > db_now(2 * max(RETRY_AFTER_LIMIT, pace().last_probe))  # the clock was set back
    reached = or_(Webhook.probe_at.is_(None), Webhook.probe_at <= db_now(), impossible)
    return and_(Webhook.state == State.ACTIVE, reached)
