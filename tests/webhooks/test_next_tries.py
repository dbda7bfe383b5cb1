"""What the page of a webhook says is tried next: when, in which order, and why not before."""

import re
from datetime import timedelta

import pytest

from portal.extensions import db, utcnow
from portal.webhooks import readings
from portal.webhooks.models import Delivery, PauseReason, Webhook
from tests.conftest import Person
from tests.webhooks.conftest import Deliver

pytestmark = pytest.mark.both


def table(dana: Person, webhook: Webhook) -> str:
    """The panel of the next tries; empty when there is none."""
    page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
    return page.partition('id="next-title"')[2].partition("</table>")[0]


def named(panel: str) -> list[str]:
    return re.findall(r'<tr id="n-[^>]*><td><a href="/deliveries/[0-9a-f-]{36}">([^<]*)</a>', panel)


def hold_up(webhook: Webhook, probes: int) -> None:
    """Nothing is sent for 38 s: the breaker is open, or without probes the receiver asked for it."""
    webhook.probes, webhook.probe_at, webhook.failing_since = probes, utcnow() + timedelta(seconds=38), utcnow()
    db.session.commit()


@pytest.fixture
def waiting(deliver: Deliver) -> dict[str, Delivery]:
    """Two that failed, and one that is about to be sent."""
    made = {name: deliver(name, failure="reset") for name in ("Maria Silva", "Yuki Tanaka")}
    made["Yuki Tanaka"].due_at = utcnow() + timedelta(hours=2)
    made["Kwame Mensah"] = deliver("Kwame Mensah")
    db.session.commit()
    return made


@pytest.mark.usefixtures("waiting")
def test_they_are_those_with_a_time_the_soonest_first(dana: Person, webhook: Webhook) -> None:
    panel = table(dana, webhook)
    assert named(panel) == ["Maria Silva", "Yuki Tanaka"]
    assert panel.count("2 of 10") == 2
    assert panel.count("data-until") == 2
    assert "One at a time" not in panel


@pytest.mark.usefixtures("waiting")
def test_while_a_receiver_asks_for_a_pause_all_have_a_time(dana: Person, webhook: Webhook) -> None:
    hold_up(webhook, probes=0)
    panel = table(dana, webhook)
    assert named(panel) == ["Kwame Mensah", "Maria Silva", "Yuki Tanaka"]
    assert "1 of 10" in panel
    assert panel.count("data-until") == 3
    assert webhook.probe_at
    assert f'data-until="{webhook.probe_at.isoformat()}"' in panel


def test_while_the_breaker_is_open_one_is_tried_and_the_least_recently_tried_is_first(
    dana: Person, webhook: Webhook, waiting: dict[str, Delivery]
) -> None:
    hold_up(webhook, probes=1)
    waiting["Yuki Tanaka"].last_attempt_at = utcnow() - timedelta(hours=1)
    db.session.commit()
    panel = table(dana, webhook)
    assert named(panel) == ["Kwame Mensah", "Yuki Tanaka", "Maria Silva"]
    assert "One at a time until the receiver takes one" in panel
    assert panel.count("after that") == 2
    assert panel.count("data-until") == 1


@pytest.mark.usefixtures("waiting")
def test_of_a_paused_webhook_nothing_is_next(dana: Person, webhook: Webhook) -> None:
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    assert table(dana, webhook) == ""


def test_only_a_few_are_shown_and_never_a_test(dana: Person, webhook: Webhook, deliver: Deliver) -> None:
    dana.client.post(f"/apps/webhooks/{webhook.id}/test")
    for number in range(readings.NEXT + 1):
        deliver(f"Person {number}", failure="reset")
    hold_up(webhook, probes=1)
    shown = named(table(dana, webhook))
    assert len(shown) == readings.NEXT
    assert all(name.startswith("Person") for name in shown)
