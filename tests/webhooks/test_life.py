"""The life of a delivery as stations: for every state the right ones, and what comes next."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.extensions import utcnow
from portal.pace import Pace
from portal.webhooks import life as stations_of_life
from portal.webhooks.life import Step, Tries, life
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Delivery, Event, EventType, State, Status, Subject, Trigger, Webhook

NOW = utcnow()
AGO = NOW - timedelta(minutes=22)
SOON = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def numbers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The numbers that the stations tell and a clock that stands; nothing else of the app."""
    monkeypatch.setattr(stations_of_life, "utcnow", lambda: NOW)
    app = Flask(__name__)
    app.config["PACE"] = Pace()
    with app.app_context():
        yield


def delivery(is_test: bool = False, **values: Any) -> Delivery:
    webhook = Webhook(url="https://acme.example/in", state=values.pop("state", State.ACTIVE), deleted_at=AGO)
    webhook.probe_at, webhook.probes = values.pop("probe_at", None), values.pop("probes", 0)
    event = Event(type=EventType.UPDATED, actor="Jon", created_at=AGO, is_test=is_test)
    event.subjects = [Subject(contact_id=uuid.uuid4(), label="Allen Ji", changes={})]
    made = {"status": Status.PENDING, "trigger": Trigger.AUTOMATIC, "attempts": 0, "step": 0, "created_at": AGO}
    return Delivery(**{**made, "webhook": webhook, "event": event, **values})


def tries(*answers: int | None, first: int = 1) -> Tries | None:
    """Attempts with these statuses, None for no connection."""
    made = [
        Attempt(number=first + n, started_at=AGO + timedelta(seconds=n), duration_ms=84.0, trigger=Trigger.AUTOMATIC,
                status=status, failure=None if status == 200 else "http_error" if status else "refused")
        for n, status in enumerate(answers)
    ]  # fmt: skip
    return Tries(made[0], made[-1], len(made)) if made else None


def stations(made: Delivery, *answers: int | None, ahead: int = 0) -> list[str]:
    return [f"{step.title}: {step.words}".removesuffix(": ") for step in life(made, tries(*answers), ahead)]


FAILED = {"last_failure": "http_error", "last_status": 503, "attempts": 1}


@pytest.mark.parametrize(
    ("values", "answers", "ahead", "end"),
    [
        ({"due_at": NOW}, [], 0, ["Sending: now"]),
        ({"due_at": SOON}, [], 0, ["First try"]),
        ({"due_at": AGO}, [], 0, ["Waiting: for a worker"]),
        ({"due_at": None}, [], 2, ["Waiting: behind 2 of the same contact"]),
        ({"due_at": None}, [], 0, ["Waiting: for its turn"]),
        ({"due_at": None, "state": State.PAUSED}, [], 2, ["Held: until the webhook is resumed"]),
        ({"due_at": AGO, "probe_at": SOON}, [], 0, ["First try"]),
        ({"due_at": AGO, "probes": 1}, [], 0, ["Waiting: until its receiver is back"]),
        ({"status": Status.CANCELED, "state": State.DELETED}, [], 0, ["Canceled: the webhook was deleted"]),
        ({"due_at": SOON, **FAILED}, [503], 0, ["Answered 503: +84 ms", "Next try"]),
        ({"due_at": SOON, **FAILED}, [None, 503], 0, ["Answered 503: 2 times so far", "Next try"]),
        ({"due_at": NOW, "trigger": Trigger.MANUAL, **FAILED}, [503], 0,
         ["Answered 503: +84 ms", "Sending again: by hand"]),
        ({"status": Status.SUCCEEDED, "succeeded_at": AGO}, [503, 200], 0, ["Answered 200: attempt 2"]),
        (
            {"status": Status.SUCCEEDED, "succeeded_at": AGO, **FAILED}, [200, 503], 0,
            ["Delivered", "Resent: Answered 503"],
        ),
        ({"status": Status.FAILED, "step": 10, "attempts": 10, "last_failure": "refused"}, [None], 0,
         ["Connection refused: +84 ms", "Gave up: after 10 attempts"]),
        ({"status": Status.FAILED, "step": 4, **FAILED}, [503], 0,
         ["Answered 503: +84 ms", "Made way: for later changes of the contact"]),
        ({"status": Status.FAILED, "trigger": Trigger.TEST, **FAILED}, [503], 0, ["Answered 503: +84 ms"]),
        ({"status": Status.CANCELED, **FAILED}, [503], 0,
         ["Answered 503: +84 ms", "Canceled: by hand"]),
    ],
)  # fmt: skip
def test_a_delivery_in_every_state(
    values: dict[str, Any], answers: list[int | None], ahead: int, end: list[str]
) -> None:
    sent = ["Sent: +0 ms, attempt 1"] if answers else []
    assert stations(delivery(**values), *answers, ahead=ahead) == ["Changed", "Recorded: +0 ms", *sent, *end]


def test_a_test_begins_with_who_asked() -> None:
    assert stations(delivery(is_test=True, status=Status.SUCCEEDED), 200)[0] == "Test asked for"


def test_the_way_that_leads_to_a_failure_and_to_what_is_still_to_come_looks_different() -> None:
    steps = life(delivery(due_at=SOON, **FAILED), tries(503))
    assert [step.look for step in steps] == ["", "", "to-bad", "bad to-todo", "todo"]
    assert steps[-1] == Step("Next try", "todo", SOON)
