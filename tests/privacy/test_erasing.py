"""A contact is forgotten for good: no word of it is left anywhere, the facts of what was delivered are."""

import json
import re
import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import jobs
from portal.contacts.list_models import TrashedContact
from portal.contacts.models import Contact
from portal.extensions import db
from portal.privacy import erasing, views
from portal.privacy.models import Erasure
from portal.sandbox.models import SandboxRequest
from portal.webhooks import bulk, engine, publisher, tasks
from portal.webhooks import erasing as forgetting
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Delivery, Event, EventType, Status, Subject, Webhook
from portal.webhooks.outbound import Phases, Result
from portal.webhooks.publisher import About
from portal.webhooks.worker_models import Bulk
from tests.conftest import Person
from tests.webhooks.making import delivery_of, make_webhook
from tests.world import all_rows

pytestmark = pytest.mark.both

FORM = {
    "first_name": "Zelda", "last_name": "Quixworth", "email": "zq@quixworth.example", "phone_number": "+34600112233",
    "notes": "Quixworth collects owls.", "owner": "", "lead_stage": "Contact", "priority": "Low",
}  # fmt: skip
WORDS = ("zelda", "quixworth", "600112233", "owls")
ECHO = Result(
    status=200, phases=Phases(), duration_ms=5.0, body=b'{"got":"Zelda Quixworth"}', headers=(("x-echo", "owls"),),
    reason="Thanks Zelda",
)  # fmt: skip


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks waits for the end, however busy the machine is."""
    monkeypatch.setattr(views, "AT_ONCE_SECONDS", 600.0)


def make_contact(dana: Person) -> uuid.UUID:
    """A contact with a history, in the ways in which people make one."""
    answer = dana.client.post("/contacts/new", data=FORM)
    assert answer.status_code == 303, answer.text
    return uuid.UUID(answer.location.rpartition("/")[2])


def send_all(webhook: Webhook) -> None:
    """Everything that waits for the webhook is sent, and answered by an echo."""
    while letters := engine.claim(webhook.id, None, []):
        engine.record(None, [(letter, ECHO) for letter in letters])  # type: ignore[arg-type]  # nobody's lease
        db.session.commit()


def said() -> str:
    """All that the database says, with its blobs as text."""
    return " ".join(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value, default=str)
        for row in all_rows() for value in row
    ).lower()  # fmt: skip


def erase(dana: Person, contact_id: uuid.UUID, name: str = "zelda  QUIXWORTH") -> Any:
    return dana.client.post(f"/contacts/{contact_id}/erase", data={"name": name})


def batch(webhook: Webhook, *contacts: uuid.UUID) -> Event:
    """An event about several contacts."""
    items = [{"id": str(key), "firstName": "Zelda" if number == 0 else "Ann"} for number, key in enumerate(contacts)]
    body = json.dumps({"event": "ContactUpdated", "contacts": items}, separators=(",", ":")).encode()
    about = [About(key, str(n), "Zelda Quixworth" if n == 0 else "Ann") for n, key in enumerate(contacts)]
    event = publisher.publish(webhook.workspace_id, EventType.UPDATED, body, about, "Dana")
    db.session.commit()
    return event


def test_no_word_of_it_is_left_and_the_facts_are(app: Flask, dana: Person) -> None:
    webhook, other = (make_webhook(dana.workspace_id, f"http://127.0.0.1:9/{n}") for n in range(2))
    contact_id = make_contact(dana)
    dana.client.post(f"/contacts/{contact_id}/edit", data=FORM | {"job_title": "Owl keeper", "last_name": "Quix"})
    event = batch(webhook, contact_id, uuid.uuid4())
    send_all(webhook)
    dana.client.post("/deliveries/bulk", data={"act": "resend", "q": "quix zelda"})
    sandbox = SandboxRequest(
        workspace_id=dana.workspace_id, headers=[], length=9, verdict="valid", answer=200,
        body=f'{{"contacts":[{{"id":"{contact_id}","firstName":"Zelda"}}]}}'.encode(),
    )  # fmt: skip
    db.session.add(sandbox)
    db.session.commit()
    before = db.session.execute(select(func.count(Attempt.id), func.sum(Attempt.duration_ms))).one()
    facts = select(Attempt.id, Attempt.status, Attempt.started_at).order_by(Attempt.id)
    attempts = db.session.execute(facts).all()
    assert all(word in said() for word in WORDS)

    answer = erase(dana, contact_id, "zelda  QUIX ")
    assert (answer.status_code, "/contacts/erasures/" in answer.location) == (303, True)
    assert [word for word in WORDS if word in said()] == []
    assert db.session.execute(facts).all() == attempts
    assert db.session.execute(select(func.count(Attempt.id), func.sum(Attempt.duration_ms))).one() == before
    assert "Done" in dana.client.get(answer.location).text
    erasure = db.session.scalars(select(Erasure)).one()
    assert (erasure.finished_at is not None, erasure.canceled) == (True, 2)  # created and updated, at the other webhook

    rest = json.loads(db.session.get_one(Event, event.id, populate_existing=True).body)
    assert [one["firstName"] for one in rest["contacts"]] == ["Ann"]
    assert delivery_of(event, other).status == Status.PENDING  # Ann's change still goes out
    last = db.session.scalars(select(Event).where(Event.type == EventType.DELETED)).one()
    assert json.loads(last.body) == {"event": "ContactDeleted", "ids": [str(contact_id)]}
    assert {delivery_of(last, to).status for to in (webhook, other)} == {Status.PENDING}
    assert db.session.get(Contact, contact_id) is None
    assert db.session.get_one(Bulk, db.session.scalar(select(Bulk.id))).filters == {}
    assert dana.client.get(f"/contacts/{contact_id}/erase").status_code == 404


def test_an_erased_event_is_never_sent_again_and_its_page_says_why(app: Flask, dana: Person) -> None:
    webhook = make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    contact_id = make_contact(dana)
    send_all(webhook)
    made = db.session.scalars(select(Delivery)).one()
    assert erase(dana, contact_id).status_code == 303
    page = dana.client.get(f"/deliveries/{made.id}").text
    assert "erased for good" in page
    assert ">Resend<" not in page
    assert "erased for good" in dana.client.get(f"/deliveries/{made.id}/lab").text
    again = dana.client.post(f"/deliveries/{made.id}/resend", follow_redirects=True).text
    assert "erased for good" in again
    dana.client.post("/deliveries/bulk", data={"act": "resend", "status": "succeeded"})
    dana.client.post(f"/apps/webhooks/{webhook.id}/replay", data={"days": "7"})
    for bulk_id in db.session.scalars(select(Bulk.id)).all():
        bulk.work(str(bulk_id))
    db.session.expire_all()
    assert made.status == Status.SUCCEEDED
    resent, replayed = db.session.scalars(select(Bulk).order_by(Bulk.created_at))
    assert (resent.done, sum(resent.skipped.values())) == (0, 1)
    assert (replayed.total, replayed.done, replayed.skipped) == (2, 0, {"gone": 1, "waiting": 1})


def test_what_is_on_its_way_leaves_nothing_behind(app: Flask, dana: Person) -> None:
    webhook = make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    contact_id = make_contact(dana)
    [letter] = engine.claim(webhook.id, None, [])
    db.session.rollback()
    erase(dana, contact_id)
    engine.record(None, [(letter, ECHO)])  # type: ignore[arg-type]
    db.session.commit()
    attempt = db.session.scalars(select(Attempt)).one()
    assert (attempt.status, attempt.response_body, attempt.response_headers, attempt.reason) == (200, b"", [], "")
    assert db.session.get_one(Delivery, letter.delivery_id, populate_existing=True).status == Status.SUCCEEDED


def test_what_a_batch_is_answered_meanwhile_is_not_kept_either(app: Flask, dana: Person) -> None:
    """Other contacts of the batch are still there, and so are its later attempts, which do not tell of this one."""
    webhook = make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook", width=9)
    contact_id = make_contact(dana)
    send_all(webhook)
    told, others = batch(webhook, contact_id, uuid.uuid4()), batch(webhook, uuid.uuid4(), uuid.uuid4())
    letters = engine.claim(webhook.id, None, [])
    db.session.rollback()
    assert len(letters) == 2
    erase(dana, contact_id)
    engine.record(None, [(letter, ECHO) for letter in letters])  # type: ignore[arg-type]
    db.session.commit()
    kept = {event.id: attempts_of(event) for event in (told, others)}
    assert [(one.status, one.response_body, one.response_headers) for one in kept[told.id]] == [(200, b"", [])]
    assert [one.response_body for one in kept[others.id]] == [ECHO.body]
    publisher.resend(delivery_of(told, webhook))
    db.session.commit()
    send_all(webhook)
    assert [one.response_body for one in attempts_of(told)] == [b"", ECHO.body]


def attempts_of(event: Event) -> list[Attempt]:
    mine = select(Attempt).join(Delivery, Delivery.id == Attempt.delivery_id).where(Delivery.event_id == event.id)
    return list(db.session.scalars(mine.order_by(Attempt.number)))


def test_who_may_be_the_same_person_is_named_with_a_link(dana: Person, stranger: Person) -> None:
    contact_id = make_contact(dana)
    same_number = FORM | {"email": "x@y.example", "phone_number": "0034 600 112233", "last_name": "Quix"}
    other = dana.client.post("/contacts/new", data=same_number).location.rpartition("/")[2]
    trashed = dana.client.post("/contacts/new", data=FORM | {"phone_number": ""}).location.rpartition("/")[2]
    dana.client.post(f"/contacts/{trashed}/delete")
    unlike = FORM | {"email": "z@y.example", "phone_number": ""}
    dana.client.post("/contacts/new", data=unlike)
    stranger.client.post("/contacts/new", data=FORM)
    page = dana.client.get(f"/contacts/{contact_id}/erase").text
    assert re.findall(r'<li><a href="/contacts/([^/]+)/erase">', page) == [other, trashed]
    assert page.count("(in the trash)") == 1
    page = dana.client.get(f"/contacts/{trashed}/erase").text
    assert re.findall(r'<li><a href="/contacts/([^/]+)/erase">', page) == [str(contact_id)]
    assert erase(dana, uuid.UUID(trashed)).status_code == 303


def test_much_of_it_is_done_by_a_worker_in_slices_whatever_dies(
    app: Flask, dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    contact_id = make_contact(dana)
    for number in range(5):
        dana.client.post(f"/contacts/{contact_id}/edit", data=FORM | {"city": f"Owlstown {number}"})
    monkeypatch.setattr(forgetting, "CHUNK", 2)
    monkeypatch.setattr(views, "AT_ONCE_SECONDS", -1.0)
    answer = erase(dana, contact_id)
    assert "Under way" in dana.client.get(answer.location).text
    assert "owlstown" in said()
    erasure_id = db.session.scalars(select(Erasure.id)).one()

    def die(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "_blank", die)
        with pytest.raises(RuntimeError):
            erasing.work(str(erasure_id))
        db.session.rollback()
    app.extensions["bells"].redis.flushall()
    tasks.sweep("test")
    assert jobs.bells().redis.exists(f"sweep:{erasure_id}")
    erasing.work(str(erasure_id))
    erasing.work(str(erasure_id))  # its bell may ring twice
    erasure = db.session.get_one(Erasure, erasure_id, populate_existing=True)
    assert (erasure.done, erasure.canceled) == (7, 6)
    assert erasure.finished_at
    assert [word for word in WORDS if word in said()] == []
    waiting = db.session.scalars(select(Delivery).where(Delivery.status == Status.PENDING)).one()
    assert (waiting.event_type, waiting.webhook_id) == (EventType.DELETED, webhook.id)
    assert waiting.due_at is not None  # nothing stands in front of it any more


def test_what_is_in_the_trash_is_erased_from_there_and_nothing_more_is_sent(app: Flask, dana: Person) -> None:
    """ContactDeleted told of it before, and still goes out; what else waits does not."""
    make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    contact_id = make_contact(dana)
    dana.client.post(f"/contacts/{contact_id}/delete")
    assert f'href="/contacts/{contact_id}/erase">Delete for good' in dana.client.get("/contacts/trash").text
    question = dana.client.get(f"/contacts/{contact_id}/erase").text
    assert "It leaves the trash now" in question
    assert "Nothing new is sent" in question
    before = db.session.query(Event).count()
    assert erase(dana, contact_id).status_code == 303
    db.session.rollback()
    assert (db.session.query(TrashedContact).count(), db.session.query(Event).count()) == (0, before)
    waiting = db.session.scalars(select(Delivery).where(Delivery.status == Status.PENDING)).one()
    assert waiting.event_type == EventType.DELETED
    assert [word for word in WORDS if word in said()] == []


@pytest.mark.parametrize("typed", ["", "Zelda", "zq@quixworth.example", "Zelda Quixworth\0", "x" * 300])
def test_it_asks_for_the_name_and_does_nothing_without_it(dana: Person, typed: str) -> None:
    contact_id = make_contact(dana)
    before = all_rows()
    answer = erase(dana, contact_id, typed)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert all_rows() == before
    page = dana.client.get(f"/contacts/{contact_id}/erase").text
    assert "It can’t be undone" in page


def test_one_that_was_deleted_before_is_forgotten_too(dana: Person) -> None:
    make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    contact_id = make_contact(dana)
    dana.client.post(f"/contacts/{contact_id}/delete")
    assert "quixworth" in said()
    assert erase(dana, contact_id).status_code == 303
    assert [word for word in WORDS if word in said()] == []
    assert db.session.scalar(select(func.count()).where(Subject.contact_id == contact_id)) == 2


def test_all_that_is_held_on_it_is_exported_and_nothing_of_others(dana: Person) -> None:
    webhook = make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    contact_id = make_contact(dana)
    dana.client.post(f"/contacts/{contact_id}/edit", data=FORM | {"city": "Owlstown"})
    batch(webhook, contact_id, uuid.uuid4())
    send_all(webhook)
    answer = dana.client.get(f"/contacts/{contact_id}/personal-data.json")
    assert (answer.mimetype, "attachment" in answer.headers["Content-Disposition"]) == ("application/json", True)
    held = json.loads(answer.text)
    assert held["contact"]["notes"] == FORM["notes"]
    kinds = sorted((event["type"], len(event["deliveries"])) for event in held["events"])
    assert kinds == [("ContactCreated", 1), ("ContactUpdated", 1), ("ContactUpdated", 1)]
    changed = next(event for event in held["events"] if "city" in event["changes"])
    assert changed["changes"]["city"] in ([None, "Owlstown"], ["", "Owlstown"])
    assert changed["sent"]["city"] == "Owlstown"
    assert changed["deliveries"][0]["attempts"][0]["answer"] == ECHO.body.decode()
    assert "Ann" not in answer.text
    assert [entry["action"] for entry in held["audit_entries"]] == ["exported personal data"]
    assert dana.client.get(f"/contacts/{uuid.uuid4()}/personal-data.json").status_code == 404
