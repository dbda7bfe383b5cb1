"""`/metrics`: figures of the whole installation, for whoever knows the token, in a format that Prometheus reads."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from portal import jobs
from portal.extensions import db, utcnow
from portal.metrics import BUCKETS
from portal.webhooks.lease import Lease
from portal.webhooks.models import Delivery, PauseReason, Webhook
from portal.webhooks.tasks import sweep
from tests.filling import fill, fill_attempts
from tests.webhooks.driving import OK, TIMEOUT, answer
from tests.webhooks.making import make_event, make_webhook, make_workspace
from tests.webhooks.test_plans import scans, statements

pytestmark = pytest.mark.both

TOKEN = "a token of forty characters, or so it says"


@pytest.fixture
def scrape(app: Flask) -> Any:
    """The values by name and labels, as Prometheus' own parser reads them."""
    app.config["METRICS_TOKEN"] = TOKEN

    def values() -> dict[tuple[str, ...], float]:
        answer = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
        found = {}
        for family in text_string_to_metric_families(answer.text):
            assert family.documentation
            assert family.type == "gauge"
            for sample in family.samples:
                key = (sample.name.removeprefix("portal_"), *sample.labels.values())
                assert key not in found
                found[key] = sample.value
        return found

    return values


def lease_of(webhook: Webhook) -> Lease:
    lease = Lease(webhook.id)
    assert lease.take()
    return lease


def test_without_a_token_there_is_no_such_address_and_with_a_wrong_one_no_figure(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    app.config["METRICS_TOKEN"] = TOKEN
    for wrong in (
        {},
        {"Authorization": "Bearer wr\xf6ng"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
    ):
        answer = client.get("/metrics", headers=wrong)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "portal_" not in answer.text


def test_an_empty_installation_has_all_figures(scrape: Any) -> None:
    found = scrape()
    assert found[("redis_up",)] == 1
    assert found[("workers",)] == found[("queue_length",)] == found[("oldest_waiting_seconds",)] == 0
    assert found[("webhooks", "active")] == found[("attempts_5m", "ok")] == 0


def test_each_figure_counts_what_it_says(app: Flask, scrape: Any) -> None:
    sweep("one")
    space, other = make_workspace(), make_workspace()
    webhook, paused = make_webhook(space), make_webhook(other)
    paused.pause(PauseReason.PERSON)
    for _ in range(3):
        make_event(space)
    make_event(other)
    lease = lease_of(webhook)
    answer(lease, OK, OK)
    db.session.execute(
        db.update(Delivery).where(Delivery.webhook_id == paused.id).values(created_at=utcnow() - timedelta(hours=1))
    )
    db.session.execute(
        db.update(Delivery)
        .where(Delivery.webhook_id == webhook.id, Delivery.due_at.is_not(None))
        .values(due_at=utcnow() - timedelta(minutes=2))
    )
    db.session.commit()
    found = scrape()
    assert found[("workers",)] == 1
    assert (found[("webhooks", "active")], found[("webhooks", "paused")]) == (1, 1)
    assert (found[("deliveries_waiting", "active")], found[("deliveries_waiting", "paused")]) == (1, 1)
    assert 3600 <= found[("oldest_waiting_seconds",)] < 7200
    assert 120 <= found[("late_seconds",)] < 3600, "what a pause holds back is not late"
    assert (found[("deliveries_ended_5m", "succeeded")], found[("deliveries_ended_5m", "failed")]) == (2, 0)
    assert found[("queue_length",)] > 0
    answer(lease, TIMEOUT)
    found = scrape()
    assert (found[("attempts_5m", "ok")], found[("attempts_5m", "timeout_total")]) == (2, 1)
    taken = [found[("attempt_seconds_5m", edge)] for edge in (*map(str, BUCKETS), "+Inf")]
    assert taken == sorted(taken)
    assert (taken[0], taken[1], taken[-1]) == (0, 2, 3), "12 ms twice, and 15 s"
    assert found[("webhooks_failing",)] == 1


def test_without_redis_the_others_are_told(app: Flask, scrape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.bells(), "redis", None)
    monkeypatch.setattr(jobs.bells().queue, "connection", jobs.connect("redis://127.0.0.1:1"))
    found = scrape()
    assert found[("redis_up",)] == 0
    assert ("queue_length",) not in found
    assert found[("webhooks", "active")] == 0


def test_no_figure_reads_a_long_table_from_end_to_end(app: Flask, scrape: Any) -> None:
    webhooks = [make_webhook(make_workspace()) for _ in range(4)]
    fill(webhooks, log=20_000, waiting=2_000, contacts=500)
    for webhook in webhooks:
        fill_attempts(db.session.get_one(Webhook, webhook.id), 2_000)
    with statements() as sent:
        scrape()
    asked = [one for one in sent if re.match("SELECT .*(delivery|attempt)", one[0], re.S)]
    assert len(asked) == 5
    found = [line for one in asked for line in scans(*one, is_small=True)]
    assert [line for line in found if "ix_delivery_due" not in line] == [], (
        "the index of what waits, and of nothing else"
    )
