"""The database's clock is set back by an hour: what it wrote before lies ahead now, and must hold nobody up."""

from datetime import timedelta

import pytest
from flask import Flask

from portal.extensions import db, utcnow
from portal.pace import Pace
from portal.webhooks import engine
from portal.webhooks.lease import Lease
from portal.webhooks.models import Webhook
from tests.webhooks.driving import claim, refusal
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

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
    assert engine.waiting_webhooks() == [webhook.id]
    assert next_one.take()
    with pytest.raises(engine.LeaseLost):
        engine.claim(webhook.id, dead.token, [])


def test_an_open_breaker_asks_again(webhook: Webhook) -> None:
    make_event(webhook.workspace_id)
    webhook.probes, webhook.probe_at = 9, utcnow() + timedelta(seconds=Pace().last_probe)
    db.session.commit()
    assert not engine.has_work(webhook.id), "not before its time"
    webhook.probe_at += 2 * HOUR
    db.session.commit()
    assert engine.has_work(webhook.id)


def test_what_never_failed_is_due_and_what_failed_waits_for_its_retry(webhook: Webhook) -> None:
    lease = Lease(webhook.id)
    assert lease.take()
    tried = make_event(webhook.workspace_id)
    engine.record(lease.token, [(claim(webhook)[0], refusal())])
    fresh = make_event(webhook.workspace_id)
    for event in (fresh, tried):
        delivery_of(event, webhook).due_at = utcnow() + HOUR
    db.session.commit()
    assert engine.mend() == 0, "neither is stranded"
    db.session.commit()
    assert [letter.headers["webhook-id"] for letter in claim(webhook)] == [fresh.id]
