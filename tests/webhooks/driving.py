"""Drives the state machine by hand: what a drain does, with answers of one's own and no waiting."""

import uuid
from datetime import timedelta

from portal.extensions import db, utcnow
from portal.webhooks import engine
from portal.webhooks.lease import Lease
from portal.webhooks.models import Delivery, Webhook
from portal.webhooks.outbound import Failure, Phases, Result

OK = Result(status=200, phases=Phases(), duration_ms=12.0)
GONE = Result(status=410, failure=Failure.GONE, phases=Phases(), duration_ms=12.0)
TIMEOUT = Result(failure=Failure.TIMEOUT_TOTAL, phases=Phases(), duration_ms=15_000.0)


def refusal(status: int = 500, retry_after: float | None = None) -> Result:
    return Result(status=status, failure=Failure.HTTP_ERROR, phases=Phases(), duration_ms=12.0, retry_after=retry_after)


def claim(webhook: Webhook) -> list[engine.Letter]:
    letters = engine.claim(webhook.id, webhook.lease_token, [])
    db.session.rollback()
    return letters


def answer(lease: Lease, *results: Result) -> None:
    """Send what is first in line and get these answers, one after the other."""
    for result in results:
        letter = engine.claim(lease.webhook_id, lease.token, [])[0]
        engine.record(lease.token, [(letter, result)])
        db.session.commit()
        make_due(letter.delivery_id)


def fail_side_by_side(lease: Lease, result: Result, count: int) -> None:
    """Different deliveries fail one after the other, with no time in between."""
    for _ in range(count):
        letter = engine.claim(lease.webhook_id, lease.token, [])[0]
        engine.record(lease.token, [(letter, result)])
        db.session.commit()


def make_due(delivery_id: uuid.UUID) -> None:
    """Let the time until the next try pass."""
    delivery = db.session.get_one(Delivery, delivery_id)
    if delivery.due_at:
        delivery.due_at = utcnow() - timedelta(seconds=1)
    if delivery.webhook.probe_at:
        delivery.webhook.probe_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
