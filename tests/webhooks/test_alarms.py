"""Who is told, and when, that a webhook fails, is paused or is back."""

import json
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal import jobs
from portal.extensions import db, utcnow
from portal.mail import Letter
from portal.webhooks import alarms, engine, publisher, tasks
from portal.webhooks.lease import Lease
from portal.webhooks.models import (
    ALARMS,
    CONTACT_EVENTS,
    Delivery,
    Event,
    EventType,
    PauseReason,
    State,
    Status,
    Trigger,
    Webhook,
)
from tests.conftest import Person
from tests.webhooks.driving import OK, refusal
from tests.webhooks.making import make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

HOURS = {1: 1.01, 2: 24.01, 3: 96.01}


def fail(webhook: Webhook, hours: float = 0.0) -> None:
    """It has only failed for so long."""
    make_event(webhook.workspace_id)
    send(webhook, ok=False)
    webhook.failing_since = utcnow() - timedelta(hours=hours)
    db.session.commit()


def send(webhook: Webhook, ok: bool) -> None:
    """What is first in line is sent, whatever its time."""
    lease = Lease(webhook.id)
    assert lease.take()
    db.session.refresh(webhook)
    webhook.probe_at = utcnow() - timedelta(seconds=1) if webhook.probe_at else None
    waiting = select(Delivery).where(Delivery.webhook_id == webhook.id, Delivery.status == Status.PENDING)
    for delivery in db.session.scalars(waiting):
        delivery.due_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    letter = engine.claim(webhook.id, lease.token, [])[0]
    engine.record(lease.token, [(letter, OK if ok else refusal(503))])
    db.session.commit()
    lease.release()


def told(space: uuid.UUID) -> list[dict[str, object]]:
    """The alarms so far, oldest first."""
    alarms.look("")
    query = select(Event).where(Event.workspace_id == space, Event.type.in_(ALARMS)).order_by(Event.created_at)
    return [json.loads(event.body) for event in db.session.scalars(query)]


@pytest.fixture
def space(app: Flask) -> uuid.UUID:
    return make_workspace()


@pytest.fixture
def webhook(space: uuid.UUID) -> Webhook:
    return make_webhook(space, "https://crm.northwind.example/in?key=secret", description="CRM")


def test_they_are_raised_after_an_hour_a_day_and_four_days_each_once(webhook: Webhook, space: uuid.UUID) -> None:
    fail(webhook)
    assert told(space) == []
    for number, hours in HOURS.items():
        fail(webhook, hours)
        found = told(space)
        assert len(found) == number
        assert told(space) == found, "told once"
    assert {one["event"] for one in found} == {"WebhookFailing"}
    first = found[0]
    assert first["webhook"] == {"id": str(webhook.id), "url": "crm.northwind.example/in", "description": "CRM"}
    assert (first["failure"], first["status"]) == ("http_error", 503)
    assert first["waiting"] == 2


def test_who_has_failed_for_a_day_unseen_is_told_of_once(webhook: Webhook, space: uuid.UUID) -> None:
    fail(webhook, HOURS[2])
    assert len(told(space)) == 1


def test_the_first_good_answer_takes_it_back(webhook: Webhook, space: uuid.UUID) -> None:
    fail(webhook, HOURS[1])
    told(space)
    send(webhook, ok=True)
    assert [one["event"] for one in told(space)] == ["WebhookFailing", "WebhookRecovered"]
    assert alarms.standing(space) == []
    fail(webhook, HOURS[1])
    assert len(told(space)) == 3, "the next time it is told again"


@pytest.mark.parametrize("reason", PauseReason)
def test_a_pause_is_told_and_only_a_good_answer_says_that_it_is_back(
    webhook: Webhook, space: uuid.UUID, reason: PauseReason
) -> None:
    make_event(space)
    webhook.pause(reason)
    db.session.commit()
    assert [(one["event"], one["reason"], one["waiting"]) for one in told(space)] == [("WebhookPaused", reason, 1)]
    publisher.resume(webhook)
    db.session.commit()
    assert len(told(space)) == 1, "nobody knows yet whether its receiver is back"
    send(webhook, ok=True)
    assert told(space)[-1]["event"] == "WebhookRecovered"


def test_what_fails_on_after_it_was_resumed_is_told_again(webhook: Webhook, space: uuid.UUID) -> None:
    webhook.pause(PauseReason.FAILING)
    db.session.commit()
    told(space)
    publisher.resume(webhook)
    fail(webhook, HOURS[1])
    assert [one["event"] for one in told(space)] == ["WebhookPaused", "WebhookFailing"]


def test_others_that_ask_for_it_get_it_and_never_the_webhook_itself(webhook: Webhook, space: uuid.UUID) -> None:
    listening = [str(kind) for kind in ALARMS]
    other, deaf = make_webhook(space, event_types=listening), make_webhook(space, event_types=list(CONTACT_EVENTS))
    stranger = make_webhook(make_workspace(), event_types=listening)
    webhook.event_types = [*webhook.event_types, *listening]
    fail(webhook, HOURS[1])
    told(space)
    query = select(Delivery.webhook_id).join(Event).where(Event.type == EventType.FAILING)
    assert list(db.session.scalars(query)) == [other.id]
    assert stranger.id != deaf.id
    letter = claim_first(other)
    assert letter.headers["x-cloudcx-event"] == "WebhookFailing"
    assert letter.headers["webhook-signature"].startswith("v1,")


def claim_first(webhook: Webhook) -> engine.Letter:
    lease = Lease(webhook.id)
    assert lease.take()
    return engine.claim(webhook.id, lease.token, [])[0]


def test_administrators_get_a_letter_unless_it_was_a_person_who_paused(dana: Person, app: Flask) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:9"
    webhook = make_webhook(dana.workspace_id, "https://crm.northwind.example/in")
    fail(webhook, HOURS[1])
    alarms.look("")
    [letter] = db.session.scalars(select(Letter))
    assert letter.recipient == dana.email
    assert letter.subject.startswith("crm.northwind.example/in: Retrying since ")
    assert "503 Service Unavailable" in letter.body
    assert "1 waiting. Nothing is lost." in letter.body
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    alarms.look("")
    assert len(db.session.scalars(select(Letter)).all()) == 1


def test_without_a_mail_server_no_letter_is_written(dana: Person) -> None:
    fail(make_webhook(dana.workspace_id), HOURS[1])
    alarms.look("")
    assert db.session.scalars(select(Letter)).all() == []


def test_every_page_says_it_until_it_is_over(dana: Person, stranger: Person) -> None:
    webhook = make_webhook(dana.workspace_id, "https://crm.northwind.example/in")
    pages = ("/", "/contacts", "/deliveries", "/settings", "/docs/receiving")
    fail(webhook, HOURS[1])
    assert not any('class="alarm"' in dana.client.get(page).text for page in pages), "before the first alarm"
    alarms.look("")
    for page in pages:
        text = dana.client.get(page).text
        assert 'class="alarm"' in text, page
        assert "Retrying since" in text
        assert 'class="alarm"' not in stranger.client.get(page).text
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    assert 'class="alarm"' not in dana.client.get("/contacts").text, "who paused it knows"
    webhook.state, webhook.pause_reason = State.PAUSED, PauseReason.FAILING
    db.session.commit()
    assert "Paused because it only failed for days" in dana.client.get("/contacts").text


def test_one_bell_a_minute_rings_for_all_workers(app: Flask) -> None:
    tasks.sweep("one")
    tasks.sweep("two")
    waiting = [job.func_name for job in jobs.bells().queue.jobs]
    assert waiting == [jobs.ALARMS, jobs.PRUNE, jobs.TRASH]


def test_a_test_of_an_alarm_sends_its_sample(webhook: Webhook) -> None:
    for kind in ALARMS:
        delivery = publisher.send_test(webhook, kind, "Dana")
        db.session.commit()
        assert json.loads(delivery.event.body)["event"] == kind
        assert delivery.trigger == Trigger.TEST
