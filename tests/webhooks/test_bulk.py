"""Resend, cancel and replay of many: counted first, in order, in slices that are done once, with what was skipped."""

import uuid
from collections.abc import Sequence
from contextvars import Context
from datetime import timedelta
from threading import Thread

import pytest
from flask import Flask

from portal import jobs, slices
from portal.extensions import db, is_sqlite, utcnow
from portal.webhooks import bulk, engine, publisher, sendable, tasks
from portal.webhooks.filters import Filters
from portal.webhooks.lease import Lease
from portal.webhooks.models import Event, EventType, PauseReason, Status, Trigger, Webhook
from portal.webhooks.worker_models import Bulk, BulkKind
from tests.webhooks.driving import OK, claim, refusal
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

FAILED = Filters({"status": Status.FAILED})


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace())


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 2)


def end(events: Sequence[Event], webhook: Webhook, status: Status = Status.FAILED) -> None:
    for event in events:
        delivery = delivery_of(event, webhook)
        delivery.succeeded_at = utcnow() if status == Status.SUCCEEDED else None
        engine._end(delivery, status)
        engine.lanes.leave(delivery.webhook_id, [delivery.id])
    db.session.commit()


def failed(webhook: Webhook, *contacts: uuid.UUID) -> list[Event]:
    """One event of each contact that could not be delivered."""
    events = [make_event(webhook.workspace_id, contact) for contact in contacts]
    end(events, webhook)
    return events


def begun(webhook: Webhook, kind: BulkKind, filters: Filters = FAILED) -> uuid.UUID:
    made = bulk.begin(webhook.workspace_id, kind, filters, "Dana").id
    db.session.commit()
    return made


def finish(key: uuid.UUID) -> Bulk:
    slices = 0
    while bulk.go_on(key):
        slices += 1
        assert slices < 100
    found = db.session.get_one(Bulk, key)
    assert found.finished_at
    return found


def sent_in_order(webhook: Webhook) -> list[str]:
    """Event ids as a drain would send them, each answered with 200."""
    lease, order = Lease(webhook.id), []
    assert lease.take()
    while letters := engine.claim(webhook.id, lease.token, []):
        order += [letter.headers["webhook-id"] for letter in letters]
        engine.record(lease.token, [(letter, OK) for letter in letters])
        db.session.commit()
    lease.release()
    return order


def test_all_that_match_are_counted_and_sent_again_in_the_order_of_their_events(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    events = failed(webhook, contact, uuid.uuid4(), contact, uuid.uuid4(), contact)
    key = begun(webhook, BulkKind.RESEND)
    assert db.session.get_one(Bulk, key).total == 5
    done = finish(key)
    assert (done.done, done.skipped) == (5, {})
    assert {delivery_of(event, webhook).trigger for event in events} == {Trigger.MANUAL}
    order = sent_in_order(webhook)
    assert sorted(order) == sorted(event.id for event in events)
    assert [key for key in order if key in {events[i].id for i in (0, 2, 4)}] == [events[i].id for i in (0, 2, 4)]


def test_what_a_newer_one_of_the_same_contact_has_overtaken_is_skipped_and_counted(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    old, other = failed(webhook, contact, uuid.uuid4())
    newer = make_event(webhook.workspace_id, contact)
    end([newer], webhook, Status.SUCCEEDED)
    done = finish(begun(webhook, BulkKind.RESEND))
    assert (done.done, done.skipped) == (1, {"newer": 1})
    assert delivery_of(old, webhook).status == Status.FAILED
    assert delivery_of(other, webhook).status == Status.PENDING


def test_a_resend_by_hand_makes_nothing_newer_than_it_is(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    (old,) = failed(webhook, contact)
    end([make_event(webhook.workspace_id, contact)], webhook, Status.SUCCEEDED)
    publisher.resend(delivery_of(old, webhook))
    db.session.commit()
    end([old], webhook)
    assert finish(begun(webhook, BulkKind.RESEND)).skipped == {"newer": 1}


def test_another_webhooks_success_overtakes_nothing(webhook: Webhook) -> None:
    other, contact = make_webhook(webhook.workspace_id), uuid.uuid4()
    (old,) = failed(webhook, contact)
    end([make_event(webhook.workspace_id, contact)], other, Status.SUCCEEDED)
    assert finish(begun(webhook, BulkKind.RESEND)).done == 1
    assert delivery_of(old, webhook).status == Status.PENDING


def test_what_waits_for_a_retry_is_tried_now_and_keeps_its_place(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    first, second = (make_event(webhook.workspace_id, contact) for _ in range(2))
    lease = Lease(webhook.id)
    assert lease.take()
    engine.record(lease.token, [(claim(webhook)[0], refusal())])
    webhook.probes, webhook.probe_at = 1, utcnow() + timedelta(hours=1)
    db.session.commit()
    seq = delivery_of(first, webhook).seq
    assert not sendable.has_work(webhook.id)
    done = finish(begun(webhook, BulkKind.RESEND, Filters()))
    assert (done.done, done.skipped) == (2, {})
    assert sendable.has_work(webhook.id)
    assert (delivery_of(first, webhook).seq, delivery_of(first, webhook).trigger) == (seq, Trigger.MANUAL)
    assert delivery_of(second, webhook).due_at is None


def test_what_waited_and_has_arrived_meanwhile_is_not_sent_again(webhook: Webhook) -> None:
    failed(webhook, uuid.uuid4())
    waiting = make_event(webhook.workspace_id)
    key = begun(webhook, BulkKind.RESEND, Filters())
    bulk.go_on(key)
    assert waiting.id in sent_in_order(webhook)
    assert finish(key).done == 2
    assert delivery_of(waiting, webhook).status == Status.SUCCEEDED


def test_what_ended_since_it_began_is_counted_as_changed(webhook: Webhook) -> None:
    failed(webhook, uuid.uuid4())
    changed = make_event(webhook.workspace_id)
    key = begun(webhook, BulkKind.RESEND, Filters())
    end([changed], webhook, Status.SUCCEEDED)
    assert (finish(key).done, finish(key).skipped) == (1, {"changed": 1})


def test_a_paused_webhook_goes_on_holding(webhook: Webhook) -> None:
    (old,) = failed(webhook, uuid.uuid4())
    make_event(webhook.workspace_id)
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    done = finish(begun(webhook, BulkKind.RESEND, Filters()))
    assert (done.done, done.skipped) == (1, {"held": 1})
    assert delivery_of(old, webhook).status == Status.PENDING
    assert not sendable.has_work(webhook.id)


def test_tests_are_not_sent_again_in_bulk(webhook: Webhook) -> None:
    delivery = publisher.send_test(webhook, EventType.CREATED, "Dana")
    db.session.flush()
    engine.cancel([delivery])
    db.session.commit()
    assert finish(begun(webhook, BulkKind.RESEND, Filters())).skipped == {"test": 1}


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_deleted_webhook_gets_nothing(webhook: Webhook, when: str) -> None:
    failed(webhook, *(uuid.uuid4() for _ in range(5)))
    if when == "before":
        publisher.delete(webhook)
    key = begun(webhook, BulkKind.RESEND)
    if when == "meanwhile":
        bulk.go_on(key)
        publisher.delete(webhook)
        db.session.commit()
    done = finish(key)
    assert done.skipped == {"deleted": 5 - done.done}
    assert done.done == (2 if when == "meanwhile" else 0)


def test_cancel_ends_what_waits_and_those_behind_move_up(webhook: Webhook) -> None:
    contact, other = uuid.uuid4(), uuid.uuid4()
    mine = [make_event(webhook.workspace_id, contact) for _ in range(3)]
    theirs = make_event(webhook.workspace_id, other, contact)
    (done_with,) = failed(webhook, uuid.uuid4())
    assert [letter.headers["webhook-id"] for letter in claim(webhook)] == [mine[0].id]
    key = begun(webhook, BulkKind.CANCEL, Filters({"contact": str(contact)}))
    make_event(webhook.workspace_id, contact)  # later than the question: stays
    done = finish(key)
    assert (done.total, done.done) == (4, 4)
    assert {delivery_of(event, webhook).status for event in [*mine, theirs]} == {Status.CANCELED}
    assert delivery_of(done_with, webhook).status == Status.FAILED
    assert len(sent_in_order(webhook)) == 1


def test_what_was_on_its_way_when_it_was_canceled_and_arrived_says_so(webhook: Webhook) -> None:
    event, lease = make_event(webhook.workspace_id), Lease(webhook.id)
    assert lease.take()
    letter = engine.claim(webhook.id, lease.token, [])[0]
    db.session.rollback()
    finish(begun(webhook, BulkKind.CANCEL, Filters()))
    assert delivery_of(event, webhook).status == Status.CANCELED
    engine.record(lease.token, [(letter, OK)])
    db.session.commit()
    assert delivery_of(event, webhook).status == Status.SUCCEEDED


def test_a_replay_sends_past_events_in_their_order_also_to_a_new_webhook(webhook: Webhook) -> None:
    contact, since = uuid.uuid4(), utcnow()
    before = make_event(webhook.workspace_id, contact)
    before.created_at = since - timedelta(days=1)
    events = [make_event(webhook.workspace_id, contact) for _ in range(5)]
    late = make_webhook(webhook.workspace_id)
    key = bulk.replay(late, since, "Dana").id
    db.session.commit()
    done = finish(key)
    assert (done.total, done.done) == (5, 5)
    assert sent_in_order(late) == [event.id for event in events]
    again = bulk.replay(late, since, "Dana").id
    db.session.commit()
    assert finish(again).done == 5
    assert sent_in_order(late) == [event.id for event in events]


def test_a_replay_sets_nobody_back_who_was_changed_since_it_began(webhook: Webhook) -> None:
    contact, since = uuid.uuid4(), utcnow()
    make_event(webhook.workspace_id, contact)
    other = make_event(webhook.workspace_id)
    late = make_webhook(webhook.workspace_id)
    key = bulk.replay(late, since, "Dana").id
    db.session.commit()
    end([make_event(webhook.workspace_id, contact)], late, Status.SUCCEEDED)
    done = finish(key)
    assert (done.done, done.skipped) == (1, {"newer": 1})
    assert sent_in_order(late) == [other.id]


def test_a_replay_sends_only_what_the_webhook_asked_for(webhook: Webhook) -> None:
    since = utcnow()
    make_event(webhook.workspace_id)
    late = make_webhook(webhook.workspace_id, event_types=["ContactDeleted"])
    assert bulk.replay(late, since, "Dana").total == 0


def test_other_workspaces_are_not_touched(webhook: Webhook) -> None:
    (mine,) = failed(webhook, uuid.uuid4())
    stranger = make_webhook(make_workspace())
    (theirs,) = failed(stranger, uuid.uuid4())
    assert finish(begun(webhook, BulkKind.RESEND)).total == 1
    assert delivery_of(mine, webhook).status == Status.PENDING
    assert delivery_of(theirs, stranger).status == Status.FAILED


def test_a_slice_that_dies_is_done_again_and_nothing_twice(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    events = failed(webhook, *(uuid.uuid4() for _ in range(5)))
    key = begun(webhook, BulkKind.RESEND)
    assert bulk.go_on(key)
    with monkeypatch.context() as dying:
        dying.setattr(db.session, "commit", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bulk.go_on(key)
    db.session.rollback()
    assert db.session.get_one(Bulk, key).done == 2
    assert finish(key).done == 5
    assert sorted(sent_in_order(webhook)) == sorted(event.id for event in events)


def test_two_workers_do_each_row_once(app: Flask, webhook: Webhook) -> None:
    events = failed(webhook, *(uuid.uuid4() for _ in range(12)))
    key = begun(webhook, BulkKind.RESEND)

    def work() -> None:
        with app.app_context():
            bulk.work(str(key))

    threads = [Thread(target=Context().run, args=[work]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = finish(key) if db.session.get_one(Bulk, key).finished_at is None else db.session.get_one(Bulk, key)
    assert (done.done, done.skipped) == (12, {})
    assert sorted(sent_in_order(webhook)) == sorted(event.id for event in events)


def test_a_worker_leaves_a_bulk_alone_that_another_is_at(app: Flask, webhook: Webhook) -> None:
    failed(webhook, uuid.uuid4())
    key = begun(webhook, BulkKind.RESEND)
    if is_sqlite():  # its one writer is alone anyway
        assert finish(key).done == 1
        return
    with db.engine.begin() as other:
        other.execute(db.select(Bulk.id).where(Bulk.id == key).with_for_update())
        assert not bulk.go_on(key)
    assert finish(key).done == 1


def test_it_can_be_stopped(webhook: Webhook) -> None:
    events = failed(webhook, *(uuid.uuid4() for _ in range(5)))
    key = begun(webhook, BulkKind.RESEND)
    bulk.go_on(key)
    db.session.get_one(Bulk, key).stop()
    db.session.commit()
    assert not bulk.go_on(key)
    stopped = db.session.get_one(Bulk, key)
    assert (stopped.done, stopped.is_stopped) == (2, True)
    assert [delivery_of(event, webhook).status for event in events].count(Status.FAILED) == 3


def test_its_bell_rings_and_the_sweeper_rings_for_what_is_unfinished(webhook: Webhook) -> None:
    failed(webhook, uuid.uuid4())
    key = begun(webhook, BulkKind.RESEND)
    waiting = [(job.func_name, job.args[0]) for job in jobs.bells().queue.jobs]
    assert (jobs.BULK, str(key)) in waiting
    jobs.bells().redis.flushall()
    tasks.sweep("test")
    assert (jobs.BULK, str(key)) in [(job.func_name, job.args[0]) for job in jobs.bells().queue.jobs]
    bulk.work(str(key))
    jobs.bells().redis.flushall()
    assert db.session.get_one(Bulk, key).finished_at
    tasks.sweep("test")
    assert {job.func_name for job in jobs.bells().queue.jobs} == {jobs.DRAIN, jobs.ALARMS, jobs.PRUNE, jobs.TRASH}
