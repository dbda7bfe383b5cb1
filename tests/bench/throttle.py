"""What a throttle lets through, over two worker processes."""

import uuid

from playwright.sync_api import Browser as Chromium

from portal.extensions import db
from portal.webhooks.models import Webhook
from tests.bench.load import Load, loading
from tests.bench.throughput import working
from tests.system.installation import until
from tests.webhooks.making import make_event

RATE, SECONDS = 10, 60
LIMIT = 0.02
MEANING = """\
A webhook with a throttle of {rate} a second and more than enough that waits for it, all of one contact; two worker
processes. Counted are the arrivals within {seconds} seconds of the first. Promise: {expected} ±{limit:.0%}, in order.
"""


def measure(_chromium: Chromium) -> str:
    """Both databases, as a table."""
    lines = [
        "## Throttle",
        MEANING.format(rate=RATE, seconds=SECONDS, expected=RATE * SECONDS, limit=LIMIT),
        "| database | arrived | most in one second | out of order | |",
        "|---|---:|---:|---:|---|",
    ]
    for database in ("PostgreSQL", "SQLite"):
        with loading(database) as load:
            lines.append(line(database, load))
        print(f"\n{lines[-1]}", end="", flush=True)
    return "\n".join([*lines, ""])


def line(database: str, load: Load) -> str:
    """Let a backlog go through the throttle."""
    target, contact, expected = load.target(), uuid.uuid4(), RATE * SECONDS
    db.session.get_one(Webhook, target.webhook_id).throttle = RATE
    sent = [make_event(target.workspace_id, contact, commit=False).id for _ in range(int(1.1 * expected))]
    db.session.commit()
    with working(load, 2):
        until(lambda: load.sink.count() >= 1.02 * expected, "enough arrive", SECONDS * 3)
    arrivals = load.sink.collect()
    times = [one.at - arrivals[0].at for one in arrivals]
    inside = sum(at < SECONDS for at in times)
    most = max(sum(at <= other < at + 1 for other in times) for at in times)
    wrong = sum(one.event_id != key for one, key in zip(arrivals, sent, strict=False))
    held = abs(inside - expected) <= LIMIT * expected and not wrong
    return f"| {database} | {inside} | {most} | {wrong} | {'PASS' if held else 'off'} |"
