"""The state machine, answer by answer: what follows for the delivery, its lanes and its webhook."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal.extensions import db, utcnow
from portal.webhooks import engine, publisher
from portal.webhooks.lease import Lease
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Delivery, EventType, LaneEntry, PauseReason, State, Status, Trigger, Webhook
from tests.webhooks.driving import GONE, OK, answer, claim, refusal
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace())


@pytest.fixture
def lease(webhook: Webhook) -> Lease:
    taken = Lease(webhook.id)
    assert taken.take()
    return taken


def test_a_good_answer_ends_the_delivery_and_logs_the_attempt(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id, body=b'{"a":1}')
    answer(lease, OK)
    delivery = delivery_of(event, webhook)
    assert delivery.status == Status.SUCCEEDED
    assert delivery.succeeded_at
    assert delivery.due_at is None
    attempt = db.session.scalars(db.select(Attempt)).one()
    assert (attempt.number, attempt.status, attempt.trigger) == (1, 200, Trigger.AUTOMATIC)
    assert ["webhook-id", event.id] in attempt.request_headers


def test_a_failure_is_tried_again_after_5_seconds(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    before = utcnow()
    letter = claim(webhook)[0]
    engine.record(lease.token, [(letter, refusal())])
    db.session.commit()
    delivery = delivery_of(event, webhook)
    assert delivery.status == Status.PENDING
    assert delivery.due_at
    assert timedelta(seconds=4) < delivery.due_at - before < timedelta(seconds=30)
    assert claim(webhook) == []


def test_answers_written_down_together_leave_what_they_leave_one_by_one(webhook: Webhook, lease: Lease) -> None:
    """All taken, which goes a shorter way, or with one among them that was not."""
    other = make_webhook(webhook.workspace_id, width=8)
    beside = Lease(other.id)
    assert beside.take()
    webhook.width = 8
    contacts = [uuid.uuid4() for _ in range(4)]
    for contact in contacts * 2:
        make_event(webhook.workspace_id, contact)
    for results in ([OK] * 4, [OK, OK, refusal(), OK]):
        whole = list(zip(claim(webhook), results, strict=True))
        engine.record(lease.token, whole)
        db.session.commit()
        parts = list(zip(claim(other), results, strict=True))
        for one in parts:
            engine.record(beside.token, [one])
            db.session.commit()
        assert [fate(webhook, letter) for letter, _ in whole] == [fate(other, letter) for letter, _ in parts]
    db.session.refresh(webhook)
    db.session.refresh(other)
    assert (webhook.width, webhook.failures) == (other.width, other.failures)


def fate(webhook: Webhook, letter: engine.Letter) -> tuple[object, ...]:
    """What became of the event of a letter to one webhook, and of what waited behind it."""
    one = db.session.get_one(Delivery, letter.delivery_id, populate_existing=True)
    entries = db.session.query(LaneEntry).filter_by(webhook_id=webhook.id).count()
    due = db.session.query(Delivery).filter(Delivery.webhook_id == webhook.id, Delivery.due_at.is_not(None)).count()
    return (
        letter.headers["webhook-id"], one.status, one.attempts, one.step, one.due_at is None, one.last_status,
        one.last_failure, one.last_trigger, one.trigger, one.succeeded_at is None, entries, due,
    )  # fmt: skip


def test_after_ten_failures_it_ends_as_failed_and_its_lane_goes_on(webhook: Webhook, lease: Lease) -> None:
    contact = uuid.uuid4()
    event, behind = make_event(webhook.workspace_id, contact), make_event(webhook.workspace_id, contact)
    answer(lease, *[refusal()] * 10)
    assert delivery_of(event, webhook).status == Status.FAILED
    assert delivery_of(event, webhook).attempts == 10
    assert delivery_of(behind, webhook).due_at is not None


def test_the_id_and_the_bytes_stay_the_same_over_all_attempts(webhook: Webhook, lease: Lease) -> None:
    make_event(webhook.workspace_id, body=b'{"same":"bytes"}')
    first = claim(webhook)[0]
    answer(lease, refusal())
    second = claim(webhook)[0]
    assert (second.number, second.body) == (2, first.body)
    assert second.headers["webhook-id"] == first.headers["webhook-id"]


def test_gone_pauses_the_webhook_and_holds_the_delivery(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    answer(lease, GONE)
    db.session.refresh(webhook)
    assert (webhook.state, webhook.pause_reason) == (State.PAUSED, PauseReason.GONE)
    assert delivery_of(event, webhook).status == Status.PENDING
    assert claim(webhook) == []
    publisher.resume(webhook)
    db.session.commit()
    assert len(claim(webhook)) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_to(webhook: Webhook, lease: Lease, status: int) -> None:
    make_event(webhook.workspace_id)
    letter = claim(webhook)[0]
    engine.record(lease.token, [(letter, refusal(status, retry_after=600))])
    db.session.commit()
    db.session.refresh(webhook)
    assert webhook.probe_at
    assert timedelta(seconds=500) < webhook.probe_at - utcnow() < timedelta(seconds=601)
    assert claim(webhook) == []


def test_429_with_retry_after_burns_no_attempt(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    answer(lease, *[refusal(429, retry_after=1)] * 12)
    delivery = delivery_of(event, webhook)
    assert (delivery.status, delivery.step, delivery.attempts) == (Status.PENDING, 0, 12)


def test_an_impatient_retry_after_is_not_a_busy_loop(webhook: Webhook, lease: Lease) -> None:
    make_event(webhook.workspace_id)
    engine.record(lease.token, [(claim(webhook)[0], refusal(429, retry_after=0))])
    db.session.commit()
    assert claim(webhook) == []


def test_a_drain_that_lost_its_lease_logs_but_changes_nothing(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    letter = claim(webhook)[0]
    webhook.leased_until = utcnow() - timedelta(seconds=1)
    db.session.commit()
    other = Lease(webhook.id)
    assert other.take()
    assert not engine.record(lease.token, [(letter, OK)])
    db.session.commit()
    assert delivery_of(event, webhook).status == Status.PENDING
    assert db.session.query(Attempt).count() == 1


def test_only_one_holds_the_lease(webhook: Webhook, lease: Lease) -> None:
    assert not Lease(webhook.id).take()
    lease.release()
    assert Lease(webhook.id).take()


def test_resending_what_succeeded_takes_nothing_away(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    answer(lease, OK)
    publisher.resend(delivery_of(event, webhook))
    db.session.commit()
    assert claim(webhook)[0].trigger == Trigger.MANUAL
    answer(lease, refusal())
    assert delivery_of(event, webhook).status == Status.SUCCEEDED


@pytest.mark.parametrize("at_once", [publisher.resend, lambda one: engine.try_first(one.webhook, [])])
def test_what_is_asked_for_while_it_is_on_its_way_is_tried_again_if_that_fails(
    webhook: Webhook, lease: Lease, at_once: Callable[[Delivery], object]
) -> None:
    event = make_event(webhook.workspace_id)
    answer(lease, refusal())
    (letter,) = claim(webhook)
    at_once(delivery_of(event, webhook))
    db.session.commit()
    engine.record(lease.token, [(letter, refusal())])
    db.session.commit()
    assert [(again.number, again.trigger) for again in claim(webhook)] == [(3, Trigger.MANUAL)]
    answer(lease, refusal())
    delivery = delivery_of(event, webhook)
    assert (delivery.status, delivery.trigger, delivery.step) == (Status.PENDING, Trigger.AUTOMATIC, 3)


def test_resending_what_failed_begins_the_schedule_anew(webhook: Webhook, lease: Lease) -> None:
    event = make_event(webhook.workspace_id)
    answer(lease, *[refusal()] * 10)
    publisher.resend(delivery_of(event, webhook))
    db.session.commit()
    answer(lease, refusal())
    delivery = delivery_of(event, webhook)
    assert (delivery.status, delivery.step, delivery.attempts) == (Status.PENDING, 1, 11)


def test_a_resend_goes_behind_what_waits_already(webhook: Webhook, lease: Lease) -> None:
    contact = uuid.uuid4()
    old = make_event(webhook.workspace_id, contact)
    answer(lease, OK)
    waiting = make_event(webhook.workspace_id, contact)
    publisher.resend(delivery_of(old, webhook))
    db.session.commit()
    assert [letter.headers["webhook-id"] for letter in claim(webhook)] == [waiting.id]


def test_a_test_goes_past_pause_and_changes_no_state(webhook: Webhook, lease: Lease) -> None:
    webhook.pause(PauseReason.PERSON)
    delivery = publisher.send_test(webhook, EventType.CREATED, "Dana")
    db.session.commit()
    assert claim(webhook)[0].trigger == Trigger.TEST
    answer(lease, refusal())
    db.session.refresh(delivery)
    db.session.refresh(webhook)
    assert (delivery.status, webhook.failures, webhook.failing_since) == (Status.FAILED, 0, None)


def test_deleting_cancels_what_waits_and_keeps_the_log(webhook: Webhook, lease: Lease) -> None:
    sent, waiting = make_event(webhook.workspace_id), make_event(webhook.workspace_id)
    answer(lease, OK)
    assert publisher.delete(webhook) == 1
    db.session.commit()
    assert delivery_of(sent, webhook).status == Status.SUCCEEDED
    assert delivery_of(waiting, webhook).status == Status.CANCELED
    assert not publisher.resend(delivery_of(sent, webhook))


def test_values_of_custom_headers_are_sent_but_not_logged(app: Flask) -> None:
    from portal.webhooks import signing

    webhook = make_webhook(make_workspace(), headers=signing.seal('{"authorization": "Bearer s3cret"}'))
    make_event(webhook.workspace_id)
    lease = Lease(webhook.id)
    assert lease.take()
    assert claim(webhook)[0].headers["authorization"] == "Bearer s3cret"
    answer(lease, OK)
    assert "s3cret" not in str(db.session.scalars(db.select(Attempt)).one().request_headers)
