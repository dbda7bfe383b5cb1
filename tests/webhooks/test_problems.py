"""Failures as problems: one a webhook and cause, which opens and closes by itself."""

import uuid
from datetime import timedelta

import pytest

from portal.extensions import db, utcnow
from portal.webhooks import problems
from portal.webhooks.models import Status, Trigger, Webhook
from tests.conftest import Person
from tests.webhooks.conftest import Deliver
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both


def found(*webhooks: Webhook) -> list[tuple[str, int, int]]:
    return [(one.title, one.waiting, one.failed) for one in problems.of(webhooks)]


def test_one_for_each_cause_the_largest_first(webhook: Webhook, deliver: Deliver) -> None:
    for _ in range(3):
        deliver(answer=503, failure="http_error")
    deliver(failure="tls_expired")
    deliver(status=Status.FAILED, failure="tls_expired")
    deliver(answer=200, status=Status.SUCCEEDED)
    deliver()
    assert found(webhook) == [("503 Service Unavailable", 3, 0), ("Certificate expired", 1, 1)]


def test_it_closes_when_nothing_waits_any_more(webhook: Webhook, deliver: Deliver) -> None:
    delivery = deliver(answer=503, failure="http_error")
    assert found(webhook)
    delivery.status, delivery.last_status, delivery.last_failure = Status.SUCCEEDED, 200, None
    db.session.commit()
    assert found(webhook) == []


def test_what_was_canceled_or_only_a_test_is_none(webhook: Webhook, deliver: Deliver) -> None:
    deliver(answer=503, failure="http_error", status=Status.CANCELED)
    test = deliver(answer=503, failure="http_error", status=Status.FAILED)
    test.trigger = Trigger.TEST
    db.session.commit()
    assert found(webhook) == []


def test_what_was_given_up_is_one_for_a_week(webhook: Webhook, deliver: Deliver) -> None:
    delivery = deliver(status=Status.FAILED, failure="tls_expired")
    for age, count in ((timedelta(days=6, hours=23), 1), (timedelta(days=7, hours=1), 0)):
        delivery.last_attempt_at = utcnow() - age
        db.session.commit()
        assert len(found(webhook)) == count


def test_it_says_since_when(webhook: Webhook, deliver: Deliver) -> None:
    since = utcnow() - timedelta(hours=3)
    deliver(answer=503, failure="http_error").failing_since = since
    deliver(answer=503, failure="http_error")
    db.session.commit()
    [problem] = problems.of([webhook])
    assert problem.since == since


def test_overview_card_and_webhook_page_show_it_and_what_to_do(
    dana: Person, stranger: Person, webhook: Webhook, deliver: Deliver
) -> None:
    deliver(answer=200, status=Status.SUCCEEDED)
    deliver("Maria", answer=503, failure="http_error")
    for path in ("/", "/apps", f"/apps/webhooks/{webhook.id}"):
        assert "503 Service Unavailable" in dana.client.get(path).text, path
    page = dana.client.get("/").text
    assert "The server had a problem of its own." in page
    assert f"act=resend&amp;webhook={webhook.id}&amp;result=503" in page
    assert "Test again" in page
    other = make_webhook(stranger.workspace_id)
    assert "503 Service Unavailable" not in stranger.client.get(f"/apps/webhooks/{other.id}").text


def test_its_question_counts_what_it_is_about(dana: Person, webhook: Webhook, deliver: Deliver) -> None:
    deliver("Maria", answer=503, failure="http_error")
    deliver("Yuki", failure="tls_expired")
    [first, second] = problems.of([webhook])
    assert {first.result, second.result} == {"503", "tls_expired"}
    for one in (first, second):
        page = dana.client.get(f"/deliveries/bulk?act=resend&webhook={webhook.id}&result={one.result}").text
        assert "1 delivery" in page, page


def test_another_workspaces_are_not_counted(webhook: Webhook, deliver: Deliver) -> None:
    deliver(answer=503, failure="http_error")
    assert problems.of([Webhook(id=uuid.uuid4())]) == []
