"""Web and one worker fit into the smallest plans of hosted PostgreSQL and Redis: many of them end at 20 connections."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
import redis
import requests

from tests.receiving import Got, receiving
from tests.system.installation import Browser, Installation, until

pytestmark = pytest.mark.both

LIMIT = 18
WEBHOOKS = 8
"""As many as the worker has threads."""
VISITORS, PAGES = 8, 5
BUSY = """
SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in transaction%') FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def postgres(url: str) -> tuple[int, int]:
    """Connections to the database, and those of them that hold a transaction open; none to SQLite."""
    if not url.startswith("postgres"):
        return 0, 0
    with psycopg.connect(url) as connection:
        row = connection.execute(BUSY).fetchone()
    assert row
    return int(row[0]), int(row[1])


def test_web_and_one_worker_stay_below_18_connections_and_hold_none_during_http(
    installation: Installation, dana: Browser, queue: redis.Redis, fresh_database_url: str
) -> None:
    installation.worker()
    go_on = threading.Event()
    peaks = [0, 0]

    def look() -> int:
        """How many transactions are open; the peaks are noted."""
        found, held = postgres(fresh_database_url)
        peaks[:] = max(peaks[0], found), max(peaks[1], len(queue.client_list()) - 1)  # this one is the test's
        return held

    def hang(_: Got) -> int:
        go_on.wait(60)
        return 200

    with receiving() as receiver, ThreadPoolExecutor(VISITORS) as crew:
        receiver.answer = hang
        for _ in range(WEBHOOKS):
            dana.create_webhook(receiver.url)
        dana.create_contact(email="allen@example.com")
        receiver.wait(WEBHOOKS)
        until(lambda: look() == 0, "no transaction is open while the receiver thinks")
        visits = [crew.submit(visit, dana) for _ in range(VISITORS)]
        until(lambda: (look(), all(one.done() for one in visits))[1], "all visitors have seen their pages")
        assert [one.exception() for one in visits] == [None] * VISITORS
        go_on.set()
        until(lambda: (look(), dana.get("/deliveries").text.count("200 OK"))[1] == WEBHOOKS, "all are delivered")
    assert peaks[1] > 2, "Redis was used"
    assert max(peaks) <= LIMIT, f"PostgreSQL {peaks[0]}, Redis {peaks[1]}"


def visit(dana: Browser) -> None:
    """Look at many pages, all visitors at once, with Dana's session."""
    get = partial(requests.get, cookies=dana.session.cookies.get_dict(), timeout=30)
    for _ in range(PAGES):
        assert get(f"{dana.url}/deliveries").status_code == 200
