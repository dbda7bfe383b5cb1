"""What the deliveries say about their webhooks: how many wait, how many succeed, when something was last sent."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, select

from ..extensions import db, db_now, utcnow
from .log_models import Attempt
from .models import Delivery, State, Status, Trigger, Webhook
from .sendable import PROBE_CHOICE, is_pending

DAY = timedelta(hours=24)
NEXT = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures of one webhook: `oldest` is the change that waits longest, `success` a share of 1 over 24 h."""

    waiting: int = 0
    oldest: datetime | None = None
    next_due: datetime | None = None
    success: float | None = None
    last_sent: datetime | None = None


def read(webhooks: Collection[Webhook]) -> dict[uuid.UUID, Reading]:
    """The figures of these webhooks, by their id."""
    ids = [webhook.id for webhook in webhooks]
    waiting, success, last_sent = _waiting(ids), _success(ids), _last_sent(ids)
    return {
        key: Reading(*waiting.get(key, (0, None, None)), success=success.get(key), last_sent=last_sent.get(key))
        for key in ids
    }


def next_tries(webhook: Webhook) -> list[Delivery]:
    """What is tried next, the soonest first: what has a time still to come, or while all are held up, any that has one.

    While the breaker is open the next one is chosen as the engine does it. Tests have one try only.
    """
    if not webhook.is_active:
        return []
    known: list[ColumnElement[bool]] = [Delivery.webhook_id == webhook.id, is_pending(), Delivery.due_at.is_not(None)]
    if webhook.probe_at is None:
        known.append(Delivery.due_at > db_now())
    waiting = (
        select(Delivery.id).where(*known, Delivery.trigger != Trigger.TEST).order_by(Delivery.due_at, Delivery.seq)
    )
    chosen = waiting.limit(PROBE_CHOICE if webhook.probes else NEXT)
    order = [Delivery.last_attempt_at.asc().nulls_first()] if webhook.probes else []
    tries = select(Delivery).where(Delivery.id.in_(chosen)).order_by(*order, Delivery.due_at, Delivery.seq)
    return list(db.session.scalars(tries.limit(NEXT)))


def pulse(workspace_id: uuid.UUID) -> tuple[object, ...]:
    """Facts that change whenever a webhook or delivery of the workspace does, from two cheap queries."""
    latest = db.session.scalar(select(func.max(Delivery.updated_at)).where(Delivery.workspace_id == workspace_id))
    columns = (Webhook.id, Webhook.url, Webhook.state, Webhook.failures, Webhook.probe_at)
    rows = db.session.execute(select(*columns).where(Webhook.workspace_id == workspace_id).order_by(Webhook.id))
    return latest, *map(tuple, rows)


def _waiting(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, tuple[int, datetime | None, datetime | None]]:
    query = (
        select(Delivery.webhook_id, func.count(), func.min(Delivery.created_at), func.min(Delivery.due_at))
        .where(Delivery.webhook_id.in_(ids), Delivery.status == Status.PENDING, Delivery.trigger != Trigger.TEST)
        .group_by(Delivery.webhook_id)
    )
    return {key: (count, oldest, due) for key, count, oldest, due in db.session.execute(query)}


def _success(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, float]:
    """Of the deliveries of the last 24 h that were tried, the share that has succeeded; tests don't count."""
    succeeded = func.sum(case((Delivery.status == Status.SUCCEEDED, 1.0), else_=0.0))
    query = (
        select(Delivery.webhook_id, succeeded / func.count())
        .where(
            Delivery.webhook_id.in_(ids),
            Delivery.created_at >= utcnow() - DAY,
            Delivery.attempts > 0,
            Delivery.trigger != Trigger.TEST,
        )
        .group_by(Delivery.webhook_id)
    )
    return {key: float(share) for key, share in db.session.execute(query)}


def _last_sent(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime | None]:
    """The newest attempt of each webhook, by a look-up a webhook at the end of the index."""
    newest = select(func.max(Attempt.started_at)).where(Attempt.webhook_id == Webhook.id).scalar_subquery()
    return dict(db.session.execute(select(Webhook.id, newest).where(Webhook.id.in_(ids))).all())


def living(workspace_id: uuid.UUID) -> list[Webhook]:
    """The webhooks of a workspace that are not deleted, oldest first."""
    query = select(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.state != State.DELETED)
    return list(db.session.scalars(query.order_by(Webhook.created_at, Webhook.id)))
