"""What a webhook learns from answers: when the breaker opens and closes, and what makes way for others."""

import uuid
from datetime import timedelta

import pytest
from flask import Flask

from portal.extensions import db, utcnow
from portal.webhooks import engine, publisher, sentences
from portal.webhooks.lease import Lease
from portal.webhooks.models import Event, PauseReason, State, Status, Trigger, Webhook
from portal.webhooks.outbound import Result
from portal.webhooks.sentences import Note
from tests.webhooks.driving import OK, TIMEOUT, answer, claim, fail_side_by_side, make_due, refusal
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

NOTHING = Note("", "", "")


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace())


@pytest.fixture
def lease(webhook: Webhook) -> Lease:
    taken = Lease(webhook.id)
    assert taken.take()
    return taken


def test_three_different_failures_open_the_breaker_and_a_success_closes_it(webhook: Webhook, lease: Lease) -> None:
    events = [make_event(webhook.workspace_id) for _ in range(4)]
    fail_side_by_side(lease, refusal(), 3)
    db.session.refresh(webhook)
    assert webhook.probe_at
    assert claim(webhook) == [], "the breaker is open: nothing before the probe"
    make_due(delivery_of(events[3], webhook).id)
    probes = claim(webhook)
    assert [probe.trigger for probe in probes] == [Trigger.PROBE], "one probe at a time"
    engine.record(lease.token, [(probes[0], OK)])
    db.session.commit()
    db.session.refresh(webhook)
    assert (webhook.probe_at, webhook.failures, webhook.failing_since) == (None, 0, None)
    assert len(claim(webhook)) == 2, "all heads are due, paced by the ramp"


def test_two_timeouts_open_it(webhook: Webhook, lease: Lease) -> None:
    make_event(webhook.workspace_id)
    make_event(webhook.workspace_id)
    fail_side_by_side(lease, TIMEOUT, 2)
    assert claim(webhook) == []


def test_one_poisoned_delivery_does_not_open_it(webhook: Webhook, lease: Lease) -> None:
    make_event(webhook.workspace_id)
    answer(lease, *[refusal()] * 5)
    db.session.refresh(webhook)
    assert webhook.probe_at is None


def test_a_probe_before_its_time_counts_for_no_schedule(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    delivery = delivery_of(event, webhook)
    delivery.due_at = utcnow() + timedelta(hours=1)
    webhook.probes, webhook.probe_at = 1, utcnow() - timedelta(seconds=1)
    db.session.commit()
    letter = claim(webhook)[0]
    engine.record(lease.token, [(letter, refusal())])
    db.session.commit()
    delivery = delivery_of(event, webhook)
    assert (delivery.step, delivery.attempts, letter.trigger) == (0, 1, Trigger.PROBE)


def test_five_days_of_failure_pause_the_webhook(webhook: Webhook, lease: Lease) -> None:
    make_event(webhook.workspace_id)
    webhook.failures, webhook.probe_at = 9, utcnow() - timedelta(seconds=1)
    webhook.failing_since = utcnow() - timedelta(days=5, seconds=1)
    db.session.commit()
    answer(lease, refusal())
    db.session.refresh(webhook)
    assert (webhook.state, webhook.pause_reason) == (State.PAUSED, PauseReason.FAILING)


def test_two_that_fail_in_turn_do_not_open_it(webhook: Webhook, lease: Lease) -> None:
    events = [make_event(webhook.workspace_id) for _ in range(2)]
    for _ in range(3):
        for event in events:
            make_due(delivery_of(event, webhook).id)
            attempt(lease, event, refusal())
    db.session.refresh(webhook)
    assert (webhook.failures, webhook.probes, webhook.probe_at) == (6, 0, None)


def test_a_success_in_between_begins_the_count_anew(webhook: Webhook, lease: Lease) -> None:
    for result in (refusal(), refusal(), OK, refusal(), refusal()):
        attempt(lease, make_event(webhook.workspace_id), result)
    db.session.refresh(webhook)
    assert (webhook.failures, webhook.probes) == (2, 0)


def test_what_was_in_flight_when_it_opened_does_not_put_off_the_probe(webhook: Webhook, lease: Lease) -> None:
    webhook.width = 16
    db.session.commit()
    for _ in range(16):
        make_event(webhook.workspace_id)
    letters = claim(webhook)
    assert len(letters) == 16
    for letter in letters:
        engine.record(lease.token, [(letter, refusal())])
    db.session.commit()
    db.session.refresh(webhook)
    assert webhook.probes == 1
    assert webhook.probe_at
    assert webhook.probe_at - utcnow() < timedelta(seconds=6)


def test_each_failed_probe_doubles_the_time_to_the_next(webhook: Webhook, lease: Lease) -> None:
    events = [make_event(webhook.workspace_id) for _ in range(3)]
    fail_side_by_side(lease, refusal(), 3)
    waits = []
    for _ in range(3):
        make_due(delivery_of(events[0], webhook).id)
        engine.record(lease.token, [(claim(webhook)[0], refusal())])
        db.session.commit()
        db.session.refresh(webhook)
        assert webhook.probe_at
        waits.append(round((webhook.probe_at - utcnow()).total_seconds() / 5))
    assert waits == [2, 4, 8]


class TestPoison:
    """One delivery that its receiver refuses for good must not hold up its contact for ever."""

    def test_after_an_hour_it_makes_way_for_those_behind_it(self, webhook: Webhook, lease: Lease) -> None:
        bad, behind = poison(webhook, lease, timedelta(hours=1))
        attempt(lease, make_event(webhook.workspace_id), OK)
        attempt(lease, bad, refusal())
        assert delivery_of(bad, webhook).status == Status.FAILED
        assert "go on without it" in (sentences.advice(delivery_of(bad, webhook)) or NOTHING).text
        assert [letter.headers["webhook-id"] for letter in claim(webhook)] == [behind.id]

    def test_it_stays_while_the_hour_is_not_over(self, webhook: Webhook, lease: Lease) -> None:
        bad, _ = poison(webhook, lease, timedelta(minutes=59))
        attempt(lease, make_event(webhook.workspace_id), OK)
        attempt(lease, bad, refusal())
        assert delivery_of(bad, webhook).status == Status.PENDING

    def test_it_stays_while_its_receiver_takes_nothing_else(self, webhook: Webhook, lease: Lease) -> None:
        bad, _ = poison(webhook, lease, timedelta(hours=2))
        attempt(lease, bad, refusal())
        assert delivery_of(bad, webhook).status == Status.PENDING

    def test_what_its_receiver_took_long_ago_says_nothing(self, webhook: Webhook, lease: Lease) -> None:
        bad, _ = poison(webhook, lease, timedelta(hours=3))
        webhook.answered_at = utcnow() - timedelta(hours=2)
        db.session.commit()
        attempt(lease, bad, refusal())
        failed = delivery_of(bad, webhook)
        assert failed.status == Status.PENDING
        assert failed.due_at
        assert failed.due_at > utcnow() + timedelta(minutes=4), "its schedule goes on, it is not tried again and again"

    def test_it_stays_while_the_breaker_is_open(self, webhook: Webhook, lease: Lease) -> None:
        bad, _ = poison(webhook, lease, timedelta(hours=1))
        webhook.answered_at, webhook.probes = utcnow(), 1
        db.session.commit()
        attempt(lease, bad, refusal())
        assert delivery_of(bad, webhook).status == Status.PENDING

    def test_sent_again_by_hand_it_gets_another_hour(self, webhook: Webhook, lease: Lease) -> None:
        bad, behind = poison(webhook, lease, timedelta(hours=1))
        attempt(lease, make_event(webhook.workspace_id), OK)
        attempt(lease, bad, refusal())
        attempt(lease, behind, OK)
        publisher.resend(delivery_of(bad, webhook))
        make_event(webhook.workspace_id, delivery_of(bad, webhook).event.subjects[0].contact_id)
        attempt(lease, bad, refusal())
        assert delivery_of(bad, webhook).status == Status.PENDING

    def test_its_decision_is_brought_near_once(self, webhook: Webhook, lease: Lease) -> None:
        bad, _ = poison(webhook, lease, timedelta(hours=2))
        attempt(lease, bad, refusal())
        before = delivery_of(bad, webhook).due_at
        make_event(webhook.workspace_id, delivery_of(bad, webhook).event.subjects[0].contact_id)
        assert delivery_of(bad, webhook).due_at == before

    def test_it_stays_while_nobody_waits_behind_it(self, webhook: Webhook, lease: Lease) -> None:
        bad = make_event(webhook.workspace_id)
        attempt(lease, bad, refusal())
        age(bad, webhook, timedelta(hours=1))
        attempt(lease, make_event(webhook.workspace_id), OK)
        attempt(lease, bad, refusal())
        assert delivery_of(bad, webhook).status == Status.PENDING

    def test_who_queues_behind_it_brings_its_decision_near(self, webhook: Webhook, lease: Lease) -> None:
        contact = uuid.uuid4()
        bad = make_event(webhook.workspace_id, contact)
        attempt(lease, bad, refusal())
        age(bad, webhook, timedelta(minutes=50), next_try=timedelta(hours=14))
        make_event(webhook.workspace_id, contact)
        due = delivery_of(bad, webhook).due_at
        assert due
        assert timedelta(minutes=9) < due - utcnow() <= timedelta(minutes=10)

    def test_its_next_try_is_no_later_than_the_decision(self, webhook: Webhook, lease: Lease) -> None:
        bad, _ = poison(webhook, lease, timedelta(minutes=50))
        delivery_of(bad, webhook).step = 7
        db.session.commit()
        attempt(lease, bad, refusal())
        due = delivery_of(bad, webhook).due_at
        assert due
        assert timedelta(minutes=9) < due - utcnow() <= timedelta(minutes=10)


def poison(webhook: Webhook, lease: Lease, since: timedelta) -> tuple[Event, Event]:
    """An event that has failed for so long, and one of the same contact behind it."""
    contact = uuid.uuid4()
    bad, behind = make_event(webhook.workspace_id, contact), make_event(webhook.workspace_id, contact)
    attempt(lease, bad, refusal())
    age(bad, webhook, since)
    return bad, behind


def age(event: Event, webhook: Webhook, by: timedelta, next_try: timedelta = timedelta(0)) -> None:
    """Let time pass since the first failure."""
    delivery = delivery_of(event, webhook)
    assert delivery.failing_since
    delivery.failing_since -= by
    delivery.last_attempt_at = delivery.failing_since
    delivery.due_at = utcnow() + next_try
    db.session.commit()


def attempt(lease: Lease, event: Event, result: Result) -> None:
    """Send this event and get that answer."""
    letter = next(one for one in claim_all(lease) if one.headers["webhook-id"] == event.id)
    engine.record(lease.token, [(letter, result)])
    db.session.commit()


def claim_all(lease: Lease) -> list[engine.Letter]:
    """All that is sendable, whatever the width."""
    db.session.get_one(Webhook, lease.webhook_id).width = 16
    letters = engine.claim(lease.webhook_id, lease.token, [])
    db.session.rollback()
    return letters
