"""States and results in plain words, case by case."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.extensions import utcnow
from portal.pace import Pace
from portal.webhooks import sentences
from portal.webhooks.models import (
    Delivery,
    Event,
    EventType,
    PauseReason,
    State,
    Status,
    Subject,
    Trigger,
    Webhook,
)

NOW = utcnow()
AGO = NOW - timedelta(minutes=22)
SOON = NOW + timedelta(seconds=38)


@pytest.fixture(autouse=True)
def numbers() -> Iterator[None]:
    """The numbers that sentences tell; nothing else of the app."""
    app = Flask(__name__)
    app.config["PACE"] = Pace()
    with app.app_context():
        yield


def webhook(**values: Any) -> Webhook:
    return Webhook(**{"url": "https://acme.example/in", "state": State.ACTIVE, **values})


def event(*labels: str, changes: Any = None, **values: Any) -> Event:
    subjects = [Subject(contact_id=uuid.uuid4(), label=label, changes=changes or {}) for label in labels]
    return Event(**{"type": EventType.UPDATED, "actor": "Jon Park", "created_at": AGO, "subjects": subjects, **values})


def delivery(**values: Any) -> Delivery:
    made = {"status": Status.PENDING, "trigger": Trigger.AUTOMATIC, "attempts": 0, "step": 0, "created_at": AGO}
    return Delivery(**{**made, "webhook": webhook(), "event": event("Allen Ji"), **values})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Healthy"),
        ({"failing_since": AGO}, "Retrying"),
        ({"failing_since": AGO, "probe_at": SOON}, "Failing"),
        ({"state": State.PAUSED, "failing_since": AGO}, "Paused"),
        ({"state": State.DELETED}, "Deleted"),
    ],
)
def test_the_state_of_a_webhook_is_one_word(values: dict[str, Any], words: str) -> None:
    assert sentences.mood(webhook(**values)).words == words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (PauseReason.PERSON, "Paused by hand since"),
        (PauseReason.GONE, "Paused because the receiver answered 410 Gone since"),
        (PauseReason.FAILING, "Paused because it only failed for days since"),
    ],
)
def test_a_pause_says_why(reason: PauseReason, words: str) -> None:
    paused = webhook(state=State.PAUSED, pause_reason=reason, paused_at=AGO)
    assert sentences.situation(paused).startswith(words)


def test_the_backlog_says_how_far_behind_it_is_once_that_matters() -> None:
    assert sentences.backlog(0, None, NOW) == "nothing is waiting"
    assert sentences.backlog(3, NOW - timedelta(seconds=20), NOW) == "3 waiting"
    assert sentences.backlog(1240, AGO, NOW) == "1,240 waiting, about 22 min behind"


@pytest.mark.parametrize(
    ("values", "pill"),
    [
        ({"due_at": NOW}, ("run", "Sending")),
        ({"due_at": NOW - timedelta(minutes=1)}, ("warn", "Waiting")),
        ({"due_at": None}, ("warn", "Waiting")),
        ({"due_at": NOW, "webhook": webhook(state=State.PAUSED)}, ("warn", "Waiting")),
        ({"due_at": NOW, "webhook": webhook(state=State.PAUSED), "trigger": Trigger.TEST}, ("run", "Sending")),
        ({"due_at": SOON, "last_failure": "tls_expired"}, ("bad", "Certificate expired")),
        ({"due_at": SOON, "last_failure": "http_error", "last_status": 503}, ("bad", "503 Service Unavailable")),
        ({"status": Status.SUCCEEDED, "last_status": 204}, ("ok", "204 No Content")),
        ({"status": Status.SUCCEEDED, "last_status": 299}, ("ok", "299 answered")),
        ({"status": Status.SUCCEEDED, "last_status": 500, "last_failure": "http_error"}, ("ok", "Succeeded")),
        ({"status": Status.FAILED, "last_failure": "timeout_total"}, ("bad", "No answer in 15 s")),
        ({"status": Status.CANCELED}, ("", "Canceled")),
    ],
)
def test_a_result_is_a_pill(values: dict[str, Any], pill: tuple[str, str]) -> None:
    found = sentences.result(delivery(**values), NOW)
    assert (found.tone, found.words) == pill


@pytest.mark.parametrize(
    ("values", "at", "instead"),
    [
        ({"due_at": SOON}, SOON, ""),
        ({"due_at": NOW, "webhook": webhook(probe_at=SOON)}, SOON, ""),
        ({"due_at": None}, None, "in order"),
        ({"due_at": NOW, "webhook": webhook(state=State.PAUSED)}, None, "paused"),
        ({"status": Status.FAILED}, None, "gave up"),
        ({"status": Status.SUCCEEDED}, None, ""),
    ],
)
def test_the_next_try_has_a_time_or_a_reason_why_not(values: dict[str, Any], at: object, instead: str) -> None:
    assert sentences.next_try(delivery(**values)) == at
    assert sentences.instead_of_next_try(delivery(**values)) == instead


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "–"),
        ({"attempts": 1, "status": Status.SUCCEEDED}, "1"),
        ({"attempts": 1}, "1 of 10"),
        ({"attempts": 3, "status": Status.SUCCEEDED}, "3 of 10"),
        ({"attempts": 12, "status": Status.FAILED}, "12"),
    ],
)
def test_attempts_are_counted_out_of_ten_once_there_are_several(values: dict[str, Any], words: str) -> None:
    assert sentences.attempt_of(delivery(**values)) == words


def test_the_trigger_is_told_only_when_it_is_not_automatic() -> None:
    assert sentences.trigger(delivery()) == ""
    assert sentences.trigger(delivery(trigger=Trigger.MANUAL)) == "manual"
    assert sentences.trigger(delivery(status=Status.SUCCEEDED, last_trigger=Trigger.PROBE)) == "probe"


def test_an_event_says_whom_it_is_about_and_what_was_done() -> None:
    assert sentences.who(event("Allen Ji")) == "Allen Ji"
    assert sentences.who(event("Allen Ji", "Priya Raman")) == "2 contacts"
    changed = event("Allen Ji", changes={"leadStage": ["Lead", "Customer"], "owner": [None, "x"]})
    assert sentences.what(changed) == "Lead stage and Owner changed by Jon Park"
    many = event("Allen Ji", changes={key: [None, "x"] for key in ("city", "street", "zipCode", "language", "notes")})
    assert sentences.what(many) == "City, Street, Zip code and 2 more changed by Jon Park"
    assert sentences.what(event("Allen Ji", type=EventType.DELETED)) == "Deleted by Jon Park"
    assert sentences.what(event("Allen Ji", type=EventType.CREATED, is_test=True)) == "Test sent by Jon Park"


def test_advice_says_what_happened_that_nothing_is_lost_and_when_it_goes_on() -> None:
    note = sentences.advice(delivery(due_at=SOON, last_failure="tls_expired", step=3), NOW)
    assert note
    assert note.title == "Certificate expired"
    assert "Renew it on the server" in note.text
    assert "Nothing is lost. Up to 6 more follow" in note.text
    assert note.next_try == SOON


def test_advice_on_a_failed_delivery_is_to_mend_and_resend() -> None:
    note = sentences.advice(delivery(status=Status.FAILED, last_failure="refused", attempts=10, step=10), NOW)
    assert note
    assert "stopped after 10 attempts. Mend the cause, then press Resend." in note.text
    assert note.next_try is None


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({"due_at": None}, "Waiting for its turn"),
        ({"due_at": NOW, "webhook": webhook(state=State.PAUSED)}, "Waiting, because the webhook is paused"),
        ({"due_at": NOW, "webhook": webhook(probe_at=SOON, probes=2)}, "Waiting, because the webhook is failing"),
        (
            {"due_at": NOW, "webhook": webhook(probe_at=SOON, probes=0)},
            "Waiting, because the receiver asked for a pause",
        ),
        ({"due_at": AGO}, "Waiting for a worker"),
        ({"status": Status.CANCELED}, "Canceled"),
        (
            {"status": Status.SUCCEEDED, "succeeded_at": AGO, "last_failure": "refused"},
            "The resend failed: Connection refused",
        ),
    ],
)
def test_what_waits_says_for_what(values: dict[str, Any], title: str) -> None:
    note = sentences.advice(delivery(**values), NOW)
    assert note
    assert note.title.startswith(title)


def test_what_failed_and_is_held_says_for_whom_it_waits() -> None:
    paused = webhook(state=State.PAUSED, pause_reason=PauseReason.GONE, paused_at=AGO)
    note = sentences.advice(delivery(due_at=NOW, last_failure="gone", webhook=paused), NOW)
    assert note
    assert "answered 410 Gone since" in note.text
    assert "tried again when the webhook is resumed" in note.text
    assert "more follow" not in note.text


def test_a_failure_of_a_failing_webhook_says_that_others_are_tried_for_it() -> None:
    note = sentences.advice(
        delivery(due_at=SOON, last_failure="refused", webhook=webhook(probe_at=SOON, probes=1)), NOW
    )
    assert note
    assert "one delivery at a time is tried" in note.text
    assert "more follow" not in note.text


def test_what_was_canceled_says_by_what() -> None:
    deleted = webhook(state=State.DELETED, deleted_at=AGO)
    texts = [sentences.advice(delivery(status=Status.CANCELED, webhook=one)) for one in (webhook(), deleted)]
    assert [text and text.text.split(" ")[0] for text in texts] == ["Somebody", "Its"]


def test_no_advice_where_all_is_well() -> None:
    assert sentences.advice(delivery(status=Status.SUCCEEDED), NOW) is None
    assert sentences.advice(delivery(due_at=NOW), NOW) is None


def test_success_is_never_rounded_up_to_a_hundred() -> None:
    assert [sentences.percent(share) for share in (None, 1.0, 0.9999, 0.75, 0.0)] == ["–", "100%", "99.9%", "75%", "0%"]


def test_a_place_is_host_and_path_without_what_may_be_a_credential() -> None:
    assert sentences.place("https://acme.example:8443/in/?token=s3cret") == "acme.example:8443/in"
    assert sentences.place("https://a.example/sandbox/Zq3f8uYt5mP0Lx7cVb2nKd9w/x") == "a.example/sandbox/Zq3f8uYt…/x"
