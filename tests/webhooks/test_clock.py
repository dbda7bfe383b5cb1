"""The database's clock is set back by an hour: what it wrote before lies ahead now, and must hold nobody up."""

from datetime import timedelta

import pytest
from flask import Flask

from portal.extensions import db, utcnow
from portal.pace import Pace
from portal.webhooks import engine, sendable
from portal.webhooks.lease import Lease
from portal.webhooks.models import Webhook
from tests.webhooks.driving import claim
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

HOUR = timedelta(hours=1)


@pytest.fixture
def webhook(app: Flask) -> Webhook:
    return make_webhook(make_workspace())


def test_a_dead_drains_lease_does_not_last_an_hour(webhook: Webhook) -> None:
    dead, next_one = Lease(webhook.id), Lease(webhook.id)
    assert dead.take()
    assert not next_one.take(), "not as long as it may live"
    webhook.leased_until = utcnow() + timedelta(seconds=Pace().lease) + HOUR
    db.session.commit()
    make_event(webhook.workspace_id)
    assert sendable.waiting_webhooks() == [webhook.id]
    assert next_one.take()
    with pytest.raises(engine.LeaseLost):
        engine.claim(webhook.id, dead.token, [])


def test_an_open_breaker_asks_again(webhook: Webhook) -> None:
    make_event(webhook.workspace_id)
    webhook.probes, webhook.probe_at = 9, utcnow() + timedelta(seconds=Pace().last_probe)
    db.session.commit()
    assert not sendable.has_work(webhook.id), "not before its time"
    webhook.probe_at += 2 * HOUR
    db.session.commit()
    assert sendable.has_work(webhook.id)


def test_what_would_wait_for_longer_than_the_schedule_says_is_due(webhook: Webhook) -> None:
    lease = Lease(webhook.id)
    assert lease.take()
    tried, late, fresh = (make_event(webhook.workspace_id) for _ in range(3))
    for event, step, wait in ((tried, 4, 7200), (late, 2, 7200), (fresh, 0, 7200)):
        delivery = delivery_of(event, webhook)
        delivery.step, delivery.due_at = step, utcnow() + timedelta(seconds=wait)
    webhook.width = 3
    db.session.commit()
    assert Pace().retry_schedule[4] == 7200
    assert engine.mend() == 0, "none is stranded"
    db.session.commit()
    assert {letter.headers["webhook-id"] for letter in claim(webhook)} == {late.id, fresh.id}
