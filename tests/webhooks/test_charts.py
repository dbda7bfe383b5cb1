"""The charts: right numbers in the right hours, and a drawing that fits them."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from portal.extensions import db, utcnow
from portal.webhooks import charts
from portal.webhooks.charts import Chart, Hour, Waits
from portal.webhooks.models import State, Status, Trigger, Webhook
from tests.conftest import Person
from tests.webhooks.conftest import HTMX, Deliver, add_attempt
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So long before now."""
    return NOW - timedelta(hours=hours)


def test_attempts_stand_in_their_hours(webhook: Webhook, deliver: Deliver) -> None:
    delivery = deliver()
    last = NOW.replace(minute=0)
    for when, failure in (
        (last, None),
        (last - timedelta(microseconds=1), None),
        (last + timedelta(minutes=59, seconds=59, microseconds=999_999), "reset"),
        (last - timedelta(hours=23), "reset"),
        (last - timedelta(hours=23, microseconds=1), "reset"),
    ):
        add_attempt(delivery, failure=failure, started_at=when)
    db.session.commit()
    hours = charts.attempts(webhook.id, NOW).hours
    assert len(hours) == 24
    assert [(hour.good, hour.bad) for hour in (hours[0], hours[-2], hours[-1])] == [(0, 1), (1, 0), (1, 1)]
    assert sum(hour.good + hour.bad for hour in hours) == 4, "what is older is not shown"
    assert (hours[0].at, hours[-1].at) == (last - timedelta(hours=23), last)


def test_tests_and_other_webhooks_are_not_counted(webhook: Webhook, deliver: Deliver) -> None:
    other = make_webhook(webhook.workspace_id)
    add_attempt(deliver(), started_at=at(1))
    add_attempt(deliver(), started_at=at(1), trigger=Trigger.TEST)
    db.session.commit()
    assert charts.attempts(webhook.id, NOW).good == 1
    assert charts.answer_times(webhook.id, NOW).good == 1
    assert charts.attempts(other.id, NOW).good == 0


def test_answer_times_are_percentiles_of_each_hour(webhook: Webhook, deliver: Deliver) -> None:
    delivery = deliver()
    for number in range(101):
        add_attempt(delivery, started_at=at(2), duration_ms=float(number))
    add_attempt(delivery, started_at=at(5), duration_ms=70.0)
    db.session.commit()
    hours = charts.answer_times(webhook.id, NOW).hours
    assert [(hour.p50, hour.p95) for hour in hours if hour.p50 is not None] == [(70.0, 70.0), (50.0, 95.0)]


def test_each_hour_has_a_sample_of_its_own_and_the_page_says_so(
    dana: Person, webhook: Webhook, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "SAMPLE", 3)
    delivery, now = deliver(), utcnow()
    for hour in (1, 20):
        for number in range(5):
            began = now - timedelta(hours=hour)
            started_at = began.replace(minute=number)
            add_attempt(delivery, started_at=started_at, duration_ms=float(hour * 100 + number))
    db.session.commit()
    chart = charts.answer_times(webhook.id, now)
    found = [(hour.good, hour.p50) for hour in chart.hours if hour.good]
    assert found == [(3, 2003.0), (3, 103.0)], "the newest of each hour, not those of the last hour only"
    assert chart.is_sampled
    address = f"/apps/webhooks/{webhook.id}"
    assert "Of hours with more than 3 attempts, the newest 3." in dana.client.get(address).text
    monkeypatch.setattr(charts, "SAMPLE", 6)
    assert "Of hours with more than" not in dana.client.get(address).text


def test_the_workspace_has_those_of_deleted_webhooks_but_nobody_elses(
    webhook: Webhook, deliver: Deliver, stranger: Person
) -> None:
    gone, foreign = make_webhook(webhook.workspace_id), make_webhook(stranger.workspace_id)
    for one in (webhook, gone, foreign):
        add_attempt(deliver(to=one), started_at=at(1))
    gone.state = State.DELETED
    db.session.commit()
    assert charts.all_attempts(webhook.workspace_id, NOW).good == 2
    assert charts.all_attempts(stranger.workspace_id, NOW).good == 1


def test_from_save_to_answer(webhook: Webhook, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert charts.save_to_answer(webhook.workspace_id) == Waits(None, None, False)
    for seconds in (1, 2, 3):
        delivery = deliver(status=Status.SUCCEEDED)
        delivery.succeeded_at = delivery.created_at + timedelta(seconds=seconds)
    deliver()
    for ignored in (deliver(age=timedelta(hours=25)), deliver()):
        ignored.succeeded_at = ignored.created_at + timedelta(hours=1)
    ignored.trigger = Trigger.TEST
    db.session.commit()
    waits = charts.save_to_answer(webhook.workspace_id)
    assert waits.p50 == 2000
    assert waits.p95 is not None
    assert 2800 < waits.p95 < 3000
    assert not waits.is_sampled
    assert charts.save_to_answer(uuid.uuid4()) == Waits(None, None, False)
    monkeypatch.setattr(charts, "NEWEST", 2)
    assert charts.save_to_answer(webhook.workspace_id).is_sampled


def hours(*pairs: tuple[int, int]) -> list[Hour]:
    return [Hour(NOW, good, bad, p50=good or None, p95=bad or None) for good, bad in pairs]


def test_the_highest_bar_fits_and_one_failure_among_thousands_shows() -> None:
    chart = Chart(hours((3000, 1), (0, 0), (0, 5)), charts._ceiling([3001, 0, 5]))
    assert chart.top == 4000
    assert all(bar.y >= 0 and bar.y + bar.height <= charts.HEIGHT for bar in chart.bars)
    assert [bar.look for bar in chart.bars] == ["c-ok", "c-bad", "c-bad"]
    assert min(bar.height for bar in chart.bars) == 1.5
    assert chart.bars[2].x == 2 * charts.SLOT + charts.GAP / 2


def test_a_failure_shows_in_an_hour_that_fills_the_drawing() -> None:
    good, bad = Chart(hours((9999, 1)), 10_000).bars
    assert bad.look == "c-bad"
    assert (bad.y, bad.height) == (0.0, 1.5)
    assert good.y + good.height == charts.HEIGHT


def test_the_upper_edge_is_a_round_number_with_a_round_half() -> None:
    for highest, top in (
        (0, 2),
        (1, 2),
        (2, 2),
        (3, 4),
        (5, 6),
        (9, 10),
        (10, 10),
        (11, 20),
        (250, 400),
        (999.5, 1000),
    ):
        assert charts._ceiling([highest]) == top, highest


def test_a_line_has_gaps_where_nothing_was_and_a_lonely_hour_is_a_dash() -> None:
    chart = Chart(hours((2, 0), (4, 0), (0, 0), (4, 0)), 4)
    assert chart.line("p50") == "M5.0 50.0H15.0L30.0 0.0M65.0 0.0H75.0"
    assert chart.line("p95") == ""


def test_the_page_draws_them_once_and_asks_for_them_alone(dana: Person, webhook: Webhook, deliver: Deliver) -> None:
    address = f"/apps/webhooks/{webhook.id}"
    assert dana.client.get(address).text.count("Nothing was sent in the last 24 hours") == 2
    deliver(answer=200, status=Status.SUCCEEDED)
    deliver(failure="reset")
    text = dana.client.get(address).text
    assert "Attempts an hour over the last 24 hours: 1 taken, 1 failed" in text
    assert re.search(r'<tr><th scope="row">\d\d:00</th><td>1</td><td>1</td></tr>', text)
    assert re.search(r'<tr><th scope="row">\d\d:00</th><td>84 ms</td><td>84 ms</td></tr>', text)
    for told in ("1 taken, 1 failed", "p95 84 ms, p50 84 ms"):
        assert re.search(rf"<title>\d\d:00 UTC: {told}</title>", text)
    assert text.count('<div class="graph" aria-hidden="true">') == 2
    assert "<rect" not in dana.client.get(address, headers=HTMX).text.partition('id="charts"')[2][:200]
    part = dana.client.get(f"{address}/charts", headers=HTMX).text
    assert part.count("<svg") >= 2
    assert "<html" not in part
    assert "<html" in dana.client.get(f"{address}/charts").text


def test_the_overview_draws_all_webhooks_together(dana: Person, webhook: Webhook, deliver: Deliver) -> None:
    other = make_webhook(dana.workspace_id)
    deliver(answer=200, status=Status.SUCCEEDED, to=webhook)
    deliver(answer=200, status=Status.SUCCEEDED, to=other)
    text = dana.client.get("/").text
    assert "last 24 hours: 2 taken, 0 failed" in text
    assert "Success rate" in text
    assert "<rect" not in dana.client.get("/?of=facts", headers=HTMX).text.partition('id="chart"')[2][:200]
    part = dana.client.get("/?of=chart", headers=HTMX).text
    assert part.startswith('<div id="chart" hx-get="/?of=chart" hx-trigger="every 60s"')
    assert "last 24 hours: 2 taken, 0 failed" in part
    assert "<html" in dana.client.get("/?of=chart").text
    facts = dana.client.get("/?of=facts", headers=HTMX).text
    assert "<html" not in facts
    assert 'id="facts"' in facts
