"""The throttle lets through what it says, in order, over any number of workers and hand-overs; never in a burst."""

import random
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from portal import jobs
from portal.extensions import db, utcnow
from portal.webhooks import publisher, sendable, sentences, tasks, throttle
from portal.webhooks.lease import Lease, LeaseLost
from portal.webhooks.models import EventType, Status, Trigger, Webhook
from tests.receiving import receiving
from tests.webhooks.driving import answer as answer_first
from tests.webhooks.driving import claim, refusal
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

BEGAN = datetime(2026, 11, 25, tzinfo=UTC)


def sends(webhook: Webhook, seconds: int, lateness: float, crowd: int = 10**6) -> list[float]:
    """When each delivery of a backlog begins, if whoever has the webhook wakes up that late, each time by chance."""
    chance, now, times = random.Random(7), BEGAN, []
    while now < BEGAN + timedelta(seconds=seconds):
        turn = throttle.turn(webhook, now)
        if count := min(turn.room, crowd):
            webhook.next_at = turn.after(count)
            times += [(now - BEGAN).total_seconds()] * count
        assert webhook.next_at
        now = max(now, webhook.next_at) + timedelta(seconds=chance.uniform(0.0001, lateness))
    return times


@pytest.mark.parametrize(
    ("count", "unit", "expected"), [(10, 1, 600), (600, 60, 600), (1, 1, 60), (3, 60, 3), (500, 1, 30_000)]
)
@pytest.mark.parametrize("lateness", [0.002, 0.2])
def test_ten_a_second_are_600_a_minute_however_late_each_wakes_up(
    count: int, unit: int, expected: int, lateness: float
) -> None:
    times = sends(Webhook(throttle=count, throttle_seconds=unit), 60, lateness)
    rate, most = count / unit, 1 + 0.02 * expected
    assert abs(len(times) - expected) <= most
    for start in range(60):  # in no second more than its share and the little that is made up for
        inside = sum(start <= at < start + 1 for at in times)
        assert inside <= rate * (1 + throttle.SLACK.total_seconds()) + 1


def test_after_silence_it_begins_gently() -> None:
    webhook = Webhook(throttle=100, throttle_seconds=60, next_at=BEGAN - timedelta(days=1))
    assert throttle.turn(webhook, BEGAN).room == 1
    webhook.throttle = 10_000
    assert throttle.turn(webhook, BEGAN).room <= 0.25 * 10_000 / 60 + 1


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    webhook = Webhook(throttle=1, throttle_seconds=60, next_at=BEGAN + timedelta(hours=1))
    assert throttle.turn(webhook, BEGAN).room == 1


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace(), throttle=1, throttle_seconds=60, width=16)


@pytest.fixture
def lease(webhook: Webhook) -> Lease:
    taken = Lease(webhook.id)
    assert taken.take()
    return taken


def pass_time(webhook: Webhook, seconds: float) -> None:
    """All that is written down about its turn lies further back."""
    db.session.refresh(webhook)
    assert webhook.next_at
    webhook.next_at -= timedelta(seconds=seconds)
    db.session.commit()


def test_one_goes_each_minute_oldest_first_whoever_holds_the_lease(webhook: Webhook, lease: Lease) -> None:
    events = [make_event(webhook.workspace_id).id for _ in range(3)]
    got = []
    for _ in events:
        db.session.refresh(webhook)
        (letter,) = claim(webhook)
        assert letter.next_at
        assert 30 < lease.take_turn(letter.next_at) <= 60
        got.append(letter.headers["webhook-id"])
        lease.release()
        lease = Lease(webhook.id)
        assert lease.take()
        assert claim(db.session.get_one(Webhook, webhook.id)) == [], "a hand-over is no way round it"
        assert not sendable.has_work(webhook.id)
        assert webhook.id not in sendable.waiting_webhooks()
        assert 30 < (sendable.next_turn(webhook.id) or 0) <= 60
        pass_time(webhook, 60)
    assert got[0] == events[0]
    assert len(set(events) - set(got)) == 2, "nothing was recorded, so the same was first again"


def test_who_lost_the_lease_takes_no_turn(webhook: Webhook, lease: Lease) -> None:
    make_event(webhook.workspace_id)
    (letter,) = claim(webhook)
    lease.release()
    assert letter.next_at
    with pytest.raises(LeaseLost):
        lease.take_turn(letter.next_at)


def test_waiting_for_a_turn_burns_no_attempt_and_a_test_does_not_wait(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    lease.take_turn(utcnow() + timedelta(seconds=30))
    test = publisher.send_test(webhook, EventType.CREATED, "Dana")
    db.session.commit()
    db.session.refresh(webhook)
    letters = claim(webhook)
    assert [(letter.delivery_id, letter.trigger, letter.next_at) for letter in letters] == [
        (test.id, Trigger.TEST, None)
    ]
    waiting = delivery_of(event, webhook)
    assert (waiting.status, waiting.attempts, waiting.step) == (Status.PENDING, 0, 0)
    later = utcnow() + timedelta(seconds=20)
    note = sentences.advice(waiting, later)
    assert note
    assert note.title == "Waiting, because the webhook is throttled"
    assert "at most 1 a minute" in note.text


def test_retries_and_probes_take_turns_too(webhook: Webhook, lease: Lease) -> None:
    for _ in range(4):
        make_event(webhook.workspace_id)
    answer_first(lease, refusal())
    db.session.refresh(webhook)
    lease.take_turn(utcnow() + timedelta(seconds=30))
    db.session.refresh(webhook)
    assert claim(webhook) == []
    webhook.probes, webhook.probe_at = 1, utcnow() - timedelta(seconds=1)
    db.session.commit()
    assert claim(webhook) == []
    pass_time(webhook, 31)
    assert [(letter.is_probe, letter.next_at is not None) for letter in claim(webhook)] == [(True, True)]


def test_a_drain_sends_at_that_pace_and_is_rung_when_it_may_go_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[tuple[float, uuid.UUID]] = []
    monkeypatch.setattr(jobs.Bells, "ring_in", lambda _, seconds, subject: rung.append((seconds, subject)))
    with receiving() as receiver:
        webhook = make_webhook(make_workspace(), receiver.url, throttle=20, throttle_seconds=1)
        slow = make_webhook(make_workspace(), receiver.url, throttle=1, throttle_seconds=60)
        contact = uuid.uuid4()
        sent = [make_event(webhook.workspace_id, contact).id for _ in range(8)]
        for _ in range(3):
            make_event(slow.workspace_id)
        began = time.monotonic()
        while len(receiver.got) < len(sent):  # it may hand over: on a busy machine, or when a clock is not exact
            tasks.drain(str(webhook.id))
        took = time.monotonic() - began
        rung.clear()
        tasks.drain(str(slow.id))
        got = receiver.wait(9)
    assert [one.headers["webhook-id"] for one in got[:8]] == sent
    assert took >= 7 / 20 - throttle.SLACK.total_seconds(), "eight at 20 a second"
    [(seconds, subject)] = rung
    assert subject == slow.id
    assert 50 < seconds <= 60, "it does not stay for a minute"


def test_a_turn_that_came_meanwhile_is_not_missed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    await_turn = tasks.Drain._await_turn

    def late(drain: tasks.Drain) -> bool:
        while time.monotonic() <= drain.turn:
            pass  # it was busy with something else
        return await_turn(drain)

    monkeypatch.setattr(tasks.Drain, "_await_turn", late)
    with receiving() as receiver:
        webhook = make_webhook(make_workspace(), receiver.url, throttle=20, throttle_seconds=1)
        sent = [make_event(webhook.workspace_id).id for _ in range(8)]
        drains = 0
        while len(receiver.got) < len(sent):
            tasks.drain(str(webhook.id))
            drains += 1
        assert sorted(one.headers["webhook-id"] for one in receiver.wait(8)) == sorted(sent)
    assert drains < 4, "one that missed its turn leaves: there would be eight; of others one may, if clocks differ"


def test_what_is_rung_for_later_is_rung_then(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[uuid.UUID] = []
    both = threading.Event()
    bells = jobs.bells()
    monkeypatch.setattr(bells, "ring", lambda subject: (heard.append(subject), len(heard) == 2 and both.set()))
    late, soon = uuid.uuid4(), uuid.uuid4()
    bells.ring_in(0.05, late)
    bells.ring_in(0.01, soon)
    assert both.wait(10)
    assert heard == [soon, late]
