"""Bodies are kept for 30 days and what happened for 90; what waits is kept, and people are told what is gone."""

import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from portal import audit, jobs, mail, retention
from portal.extensions import db, is_sqlite, utcnow
from portal.sandbox.models import SandboxRequest
from portal.webhooks import bulk, pruning, publisher, tasks
from portal.webhooks.filters import Filters
from portal.webhooks.lease import Lease
from portal.webhooks.log_models import Attempt, Mention, SearchWord
from portal.webhooks.models import Delivery, Event, Status, Subject, Webhook
from portal.webhooks.verifying import Verdict
from portal.webhooks.worker_models import BulkKind, WorkerBeat
from tests.conftest import Person
from tests.filling import fill
from tests.webhooks.driving import OK, answer
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace
from tests.webhooks.test_plans import plan_of, scans, statements

pytestmark = pytest.mark.both


def prune() -> None:
    for _ in retention.slices():
        pass
    db.session.expire_all()


def age(event: Event, days: float) -> None:
    """All of it lies so far back."""
    at = utcnow() - timedelta(days=days)
    key = event.id
    db.session.execute(
        db.update(Mention)
        .where(Mention.delivery_id.in_(db.select(Delivery.id).where(Delivery.event_id == key)))
        .values(created_at=at)
    )
    db.session.execute(db.update(Delivery).where(Delivery.event_id == key).values(created_at=at, updated_at=at))
    db.session.execute(db.update(Event).where(Event.id == key).values(created_at=at))
    db.session.commit()


def counts() -> dict[str, int]:
    """Rows of what grows with what happens."""
    models = (Event, Subject, Delivery, Attempt, Mention, SearchWord)
    return {one.__tablename__: db.session.scalar(db.select(db.func.count()).select_from(one)) or 0 for one in models}


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace())


def sent(webhook: Webhook, days: float, contact: uuid.UUID | None = None) -> Event:
    event = make_event(webhook.workspace_id, contact or uuid.uuid4(), body=b'{"a":1}')
    lease = Lease(webhook.id)
    assert lease.take()
    answer(lease, OK)
    lease.release()
    db.session.execute(db.update(Attempt).values(response_body=b"thanks"))
    age(event, days)
    return event


def test_after_30_days_bodies_go_and_after_90_all_of_it(webhook: Webhook) -> None:
    young, old, oldest = (sent(webhook, days) for days in (29, 31, 91))
    prune()
    kept = {event.id: (event.body, event.has_body) for event in db.session.scalars(db.select(Event))}
    assert kept == {young.id: (b'{"a":1}', True), old.id: (b"", False)}, oldest
    answers = db.session.execute(
        db.select(Delivery.event_id, Attempt.response_body).join(Delivery, Delivery.id == Attempt.delivery_id)
    )
    assert dict(answers.all()) == {young.id: b"thanks", old.id: b""}
    found = counts()
    assert found.pop("search_word") > 0
    assert set(found.values()) == {2}


def test_the_words_of_a_contact_go_with_the_last_that_is_known_of_it(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    sent(webhook, 91, contact)
    newer = sent(webhook, 1, contact)
    prune()
    assert counts()["event"] == 1
    assert counts()["search_word"] > 0
    age(newer, 91)
    prune()
    assert set(counts().values()) == {0}


def test_what_waits_is_never_touched_nor_what_was_touched_lately(webhook: Webhook) -> None:
    resent = sent(webhook, 400)
    waiting = make_event(webhook.workspace_id, body=b'{"a":1}')
    age(waiting, 400)
    touched = db.update(Delivery).where(Delivery.event_id == resent.id).values(updated_at=utcnow() - timedelta(days=2))
    db.session.execute(touched)
    db.session.commit()
    prune()
    assert [event.body for event in db.session.scalars(db.select(Event))] == [b'{"a":1}'] * 2
    assert delivery_of(waiting, webhook).status == Status.PENDING


def test_what_has_no_body_is_not_sent_again_by_hand_or_in_bulk(webhook: Webhook) -> None:
    gone, there = sent(webhook, 31), sent(webhook, 5)
    prune()
    assert not publisher.resend(delivery_of(gone, webhook))
    db.session.commit()
    assert delivery_of(gone, webhook).status == Status.SUCCEEDED
    begun = bulk.begin(webhook.workspace_id, BulkKind.RESEND, Filters.of({}), "Dana")
    db.session.commit()
    replayed = bulk.replay(make_webhook(webhook.workspace_id), utcnow() - timedelta(days=40), "Dana")
    db.session.commit()
    for made in (begun, replayed):
        while bulk.go_on(made.id):
            pass
        db.session.refresh(made)
        assert (made.done, made.skipped) == (1, {"gone": 1})
    assert delivery_of(there, webhook).status == Status.PENDING


def test_the_page_of_a_delivery_says_that_its_body_is_gone(dana: Person) -> None:
    webhook = make_webhook(dana.workspace_id)
    event = sent(webhook, 31)
    prune()
    address = f"/deliveries/{delivery_of(event, webhook).id}"
    page = dana.client.get(address).text
    assert "Its body is gone (kept for 30 days), so that it can’t be sent again." in page
    assert "curl" not in page
    assert f'action="{address}/resend"' not in page
    dana.client.post(f"{address}/resend")
    assert "bodies are kept for 30 days, and this one is gone" in dana.client.get(address).text.replace("&#39;", "'")
    assert "Bodies are kept for 30 days, and that of this event is gone." in dana.client.get(f"{address}/lab").text


def test_other_things_have_their_time_too(webhook: Webhook) -> None:
    space = webhook.workspace_id
    for days in (6, 8):
        at = utcnow() - timedelta(days=days)
        db.session.add(mail.Letter(recipient="a@b.example", subject="s", sealed_body=b"b", created_at=at, sent_at=at))
        db.session.add(WorkerBeat(name=f"w{days}", beaten_at=at if days > 6 else utcnow()))
    for days in (29, 31):
        request = SandboxRequest(workspace_id=space, headers=[], body=b"", length=0, verdict=Verdict.VALID, answer=200)
        request.received_at = utcnow() - timedelta(days=days)
        db.session.add(request)
    for days in (729, 731):
        audit.note("Dana", "paused", webhook)
        [entry] = [one for one in db.session.new if isinstance(one, audit.AuditEntry)]
        entry.at = utcnow() - timedelta(days=days)
        db.session.flush()
    db.session.commit()
    prune()
    for model in (mail.Letter, WorkerBeat, SandboxRequest, audit.AuditEntry):
        assert db.session.scalar(db.select(db.func.count()).select_from(model)) == 1, model


def test_a_backlog_goes_in_slices_that_are_found_by_an_index(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    fill([webhook], log=3_000, waiting=300)
    old = utcnow() - timedelta(days=100)
    for model in (Event, Delivery):
        db.session.execute(
            db.update(model).values(created_at=old, **({"updated_at": old} if model is Delivery else {}))
        )
    db.session.commit()
    db.session.execute(text("ANALYZE"))
    db.session.commit()
    with statements() as sent_first:
        edge = pruning.empty_bodies(100, None)
        assert edge
        pruning.empty_bodies(100, edge)
        db.session.commit()
        pruning.forget_facts(100, None)
    asked = [one for one in sent_first if one[0].startswith(("SELECT", "UPDATE", "DELETE"))]
    assert [line for one in asked for line in scans(*one, is_small=True)] == []
    lookups = [one for one in asked if one[0].startswith("SELECT") and "event.has_body" in one[0]]
    plans = "\n".join(line for one in lookups for line in plan_of(*one, is_small=True))
    assert "ix_event_body" in plans
    assert "ix_event_bare" in plans
    db.session.rollback()
    prune()
    left = db.session.scalars(db.select(Delivery.status)).all()
    assert (len(left), set(left)) == (300, {Status.PENDING})
    assert counts()["event"] == 300


def test_slices_grow_and_shrink_with_what_they_take() -> None:
    assert retention.fitting(50, 0.001) == 100
    assert retention.fitting(400, 0.001) == retention.MOST
    assert retention.fitting(400, 0.3) == 40
    assert retention.fitting(1, 3.0) == 1


def test_the_sweeper_rings_once_a_minute_and_the_work_hands_over(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        sent(webhook, 31)
    tasks.sweep("one")
    tasks.sweep("two")
    assert [job.func_name for job in jobs.bells().queue.get_jobs()].count(jobs.PRUNE) == 1
    monkeypatch.setattr(retention, "FIRST", 1)
    monkeypatch.setattr(retention, "MOST", 1)
    times = iter([0.0])
    monkeypatch.setattr(retention.time, "monotonic", lambda: next(times, 1000.0))
    retention.work("")
    monkeypatch.undo()
    left = db.select(db.func.count()).select_from(Event).where(Event.has_body)
    assert db.session.scalar(left) == 2
    assert [job.func_name for job in jobs.bells().queue.get_jobs()].count(jobs.PRUNE) == 2
    db.session.commit()
    retention.work("")
    assert db.session.scalar(left) == 0


def test_who_sends_again_while_bodies_go_is_seen(app: Flask) -> None:
    """A resend that holds the event is skipped over; one that comes later sees that the body is gone."""
    if is_sqlite():
        return  # it has one writer at a time
    webhook = make_webhook(make_workspace())
    event = sent(webhook, 31)
    with db.engine.begin() as other:
        other.execute(text("SELECT 1 FROM event WHERE id = :id FOR SHARE"), {"id": event.id})
        prune()
        assert db.session.get_one(Event, event.id).has_body
        db.session.rollback()
    prune()
    assert not db.session.get_one(Event, event.id).has_body
