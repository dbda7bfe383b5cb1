"""Results and their words."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from portal.webhooks.outbound import Failure, Result, explain
from portal.webhooks.outbound.result import failure_of_status, retry_after


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (200, None), (204, None), (299, None), (301, Failure.REDIRECT), (304, Failure.REDIRECT), (410, Failure.GONE),
        (400, Failure.HTTP_ERROR), (503, Failure.HTTP_ERROR), (101, Failure.HTTP_ERROR), (999, Failure.HTTP_ERROR),
    ],
)  # fmt: skip
def test_only_2xx_is_a_success(status: int, failure: Failure | None) -> None:
    assert failure_of_status(status) is failure


def test_ok_needs_a_status_and_no_failure() -> None:
    assert Result(status=200).ok
    assert not Result(status=200, failure=Failure.CUT_SHORT).ok
    assert not Result(status=500).ok
    assert not Result().ok


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("120", 120), (" 7 ", 7), ("3600", 3600), ("3601", 3600), ("9" * 5000, 3600), ("-5", None),
     ("1.5", None), ("soon", None), ("", None), ("\u0663", None), (None, None),
     ("Mon, 99 Foo 2026 25:61:00 GMT", None)],
)  # fmt: skip
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(503, value) == seconds
    assert retry_after(429, value) == seconds
    assert retry_after(500, value) is None


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)
    assert retry_after(503, format_datetime(now - timedelta(days=1), usegmt=True)) == 0
    assert retry_after(503, format_datetime(now + timedelta(days=1), usegmt=True)) == 3600
    seconds = retry_after(503, format_datetime(now + timedelta(minutes=30), usegmt=True))
    assert seconds is not None
    assert 1000 < seconds <= 1800
    assert retry_after(503, (now + timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S")) == 3600  # no zone: UTC


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_has_a_short_title_and_one_or_two_sentences(failure: Failure) -> None:
    explanation = explain(failure)
    assert 0 < len(explanation.title) <= 30
    assert explanation.advice.endswith(".")
    assert 1 <= explanation.advice.count(". ") + 1 <= 2


@pytest.mark.parametrize(
    ("status", "title"),
    [(503, "503 Service Unavailable"), (404, "404 Not Found"), (418, "418 I'm a Teapot"), (520, "520 answered")],
)
def test_an_http_error_is_titled_by_its_status(status: int, title: str) -> None:
    assert explain(Failure.HTTP_ERROR, status).title == title


def test_a_status_has_its_own_advice_and_a_stored_name_will_do() -> None:
    assert "sign-in" in explain("http_error", 401).advice
    assert "rejected" in explain("http_error", 422).advice
    assert "problem of its own" in explain("http_error", 502).advice
    assert explain("redirect", 302).title == "302 Found"
    assert "final URL" in explain("redirect", 302).advice
    assert explain("timeout_total", 200).title == "No answer in 15 s"
    with pytest.raises(ValueError):
        explain("nonsense")
