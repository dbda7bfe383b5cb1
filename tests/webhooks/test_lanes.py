"""Order: per contact and webhook, one delivery after the other; nobody else waits for it."""

import threading
import uuid

import pytest
from flask import Flask

from portal.extensions import db
from portal.webhooks import lanes
from portal.webhooks.models import Delivery, LaneEntry, Status, Webhook
from portal.webhooks.sendable import first
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace())


def sendable() -> list[str]:
    asked = [{"of": webhook, "in_flight": [], "room": 16} for webhook in db.session.scalars(db.select(Webhook.id))]
    found = [row.event_id for of in asked for row in db.session.execute(first(False), of)]
    db.session.rollback()
    return found


def end(delivery: Delivery) -> None:
    delivery.status, delivery.due_at = Status.SUCCEEDED, None
    db.session.flush()
    lanes.leave(delivery.webhook_id, [delivery.id])
    db.session.commit()


def test_only_the_first_of_a_contact_may_be_sent(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    events = [make_event(webhook.workspace_id, contact) for _ in range(3)]
    for event in events:
        assert sendable() == [event.id]
        end(delivery_of(event, webhook))
    assert sendable() == []
    assert db.session.query(LaneEntry).count() == 0


def test_contacts_do_not_wait_for_each_other(webhook: Webhook) -> None:
    events = [make_event(webhook.workspace_id, uuid.uuid4()) for _ in range(3)]
    assert sendable() == [event.id for event in events]


def test_a_batch_waits_for_the_heads_of_all_its_lanes(webhook: Webhook) -> None:
    a, b = uuid.uuid4(), uuid.uuid4()
    first_a, first_b = make_event(webhook.workspace_id, a), make_event(webhook.workspace_id, b)
    batch, after = make_event(webhook.workspace_id, a, b), make_event(webhook.workspace_id, b)
    end(delivery_of(first_a, webhook))
    assert sendable() == [first_b.id]
    assert delivery_of(batch, webhook).due_at is None, "what still waits in one of its lanes is not to be scanned"
    end(delivery_of(first_b, webhook))
    assert sendable() == [batch.id]
    end(delivery_of(batch, webhook))
    assert sendable() == [after.id]


def test_those_behind_wait_without_a_due_time(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    make_event(webhook.workspace_id, contact)
    behind = delivery_of(make_event(webhook.workspace_id, contact), webhook)
    assert behind.due_at is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_newcomer_is_not_stranded_when_the_one_in_front_ends_at_the_same_time(app: Flask, webhook: Webhook) -> None:
    """The publisher holds the lock of the last delivery until it commits, so whoever ends it will see the newcomer."""
    contact, workspace_id = uuid.uuid4(), webhook.workspace_id
    front = delivery_of(make_event(workspace_id, contact), webhook)
    front_id = front.id
    newcomer = make_event(workspace_id, contact, commit=False)
    ended = threading.Event()

    def worker() -> None:
        with app.app_context():
            mine = db.session.get_one(Delivery, front_id, with_for_update={"of": Delivery})
            end(mine)
        ended.set()

    thread = threading.Thread(target=worker)
    thread.start()
    assert not ended.wait(0.3), "the worker should wait for the publisher's lock"
    newcomer_id = newcomer.id
    db.session.commit()
    thread.join()
    assert sendable() == [newcomer_id]


def test_a_head_without_a_due_time_is_mended_and_no_other(webhook: Webhook) -> None:
    contact = uuid.uuid4()
    first, second = make_event(webhook.workspace_id, contact), make_event(webhook.workspace_id, contact)
    assert lanes.mend() == 0
    delivery_of(first, webhook).due_at = None
    db.session.commit()
    assert sendable() == []
    assert lanes.mend() == 1
    db.session.commit()
    assert sendable() == [first.id]
    assert delivery_of(second, webhook).due_at is None
