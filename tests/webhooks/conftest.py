"""Webhooks and deliveries of Dana's, in the states in which the screens find them; no worker runs."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from portal.extensions import db, utcnow
from portal.webhooks import live, publisher
from portal.webhooks.log_models import Attempt, Mention
from portal.webhooks.models import Delivery, EventType, Status, Trigger, Webhook
from portal.webhooks.publisher import About
from tests.conftest import Person
from tests.webhooks.making import delivery_of, make_webhook

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
BODY = b'{"event":"ContactUpdated","contacts":[{"id":"392a0465","firstName":"Allen","subscribeEmail":true}]}'

Deliver = Callable[..., Delivery]


@pytest.fixture
def webhook(dana: Person) -> Webhook:
    return make_webhook(dana.workspace_id, "https://hooks.acme.example/contacts?key=1")


@pytest.fixture
def deliver(webhook: Webhook) -> Deliver:
    """Make a delivery: pending, or attempted with the answer or failure that is given."""

    def make(
        *labels: str,
        kind: EventType = EventType.UPDATED,
        contact_id: uuid.UUID | None = None,
        status: Status = Status.PENDING,
        to: Webhook = webhook,
        age: timedelta = timedelta(minutes=1),
        body: bytes = BODY,
        changes: dict[str, list[Any]] | None = None,
        number: str = "1001",
        known_by: Sequence[str] = (),
        **attempt: Any,
    ) -> Delivery:
        about = [
            About(contact_id or uuid.uuid4(), number, label, changes or {}, known_by)
            for label in labels or ("Allen Ji",)
        ]
        event = publisher.publish(to.workspace_id, kind, body, about, "Jon Park")
        delivery = delivery_of(event, to)
        delivery.created_at = event.created_at = utcnow() - age
        delivery.status = status
        moved = update(Mention).where(Mention.delivery_id == delivery.id).values(created_at=delivery.created_at)
        db.session.execute(moved)
        if attempt:
            add_attempt(delivery, **attempt)
            delivery.due_at = utcnow() + timedelta(minutes=5) if status == Status.PENDING else None
        db.session.commit()
        return delivery

    return make


def add_attempt(delivery: Delivery, answer: int | None = None, failure: str | None = None, **values: Any) -> Attempt:
    """One try with its answer; the delivery remembers it as the last."""
    delivery.attempts += 1
    delivery.last_status, delivery.last_failure, delivery.last_duration_ms = answer, failure, 84.0
    delivery.last_attempt_at, delivery.last_trigger = utcnow(), Trigger.AUTOMATIC
    attempt = Attempt(
        **{
            "delivery_id": delivery.id,
            "webhook_id": delivery.webhook_id,
            "number": delivery.attempts,
            "trigger": Trigger.AUTOMATIC,
            "started_at": utcnow(),
            "duration_ms": 84.0,
            "url": delivery.webhook.url,
            "request_headers": [["content-type", "application/json"], ["webhook-id", delivery.event_id]],
            "status": answer,
            "reason": "OK",
            "failure": failure,
            "response_headers": [["server", "envoy"]],
            "response_body": b"",
            "response_length": 0,
            "phases": {"dns": 4.0, "connect": 38.0, "tls": None, "first_byte": 40.0, "body": 2.0},
            **values,
        }
    )
    db.session.add(attempt)
    return attempt


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Live parts see one and the same time, so that nothing but a change changes them."""
    now = utcnow()
    monkeypatch.setattr(live, "utcnow", lambda: now)
    return now
