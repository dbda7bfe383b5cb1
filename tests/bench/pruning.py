"""What taking old bodies away costs those who are sent to meanwhile."""

import itertools
import time
from datetime import timedelta

from playwright.sync_api import Browser as Chromium
from sqlalchemy import func, select, update

from portal import jobs, retention
from portal.extensions import db, utcnow
from portal.jobs import bells
from portal.webhooks.models import Delivery, Event, Webhook
from tests.bench.load import Load, figures, in_turns, loading, p99
from tests.bench.throughput import working
from tests.filling import fill
from tests.system.installation import until

BODIES = 500_000
EVENTS, RATE = 6000, 200
RECEIVERS = 10
LIMIT = 2.0
LIMIT_SECONDS = 300
MEANING = """\
Milliseconds from the commit of an event to its arrival, {events:,} events at up to {rate} a second to {receivers}
receivers, two worker processes: with nothing to take away, and while the bodies of {bodies:,} old events are.
Promise: the p99 at most doubles.
"""


def measure(_chromium: Chromium) -> str:
    """Both databases, as a table."""
    lines = [
        "## Pruning",
        MEANING.format(events=EVENTS, rate=RATE, receivers=RECEIVERS, bodies=BODIES),
        "| database | | p50 | p99 | max | p99, times | bodies a second | |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for database in ("PostgreSQL", "SQLite"):
        with loading(database) as load:
            found = table(database, load)
        print("", *found, sep="\n", end="", flush=True)
        lines += found
    return "\n".join([*lines, ""])


def table(database: str, load: Load) -> list[str]:
    """Without and with old bodies."""
    targets = [load.target() for _ in range(RECEIVERS)]
    old = db.session.get_one(Webhook, load.target().webhook_id)
    fill([old], log=BODIES, waiting=1)
    with working(load, 2):
        quiet = latencies(load, targets)
        at = utcnow() - timedelta(days=60)
        theirs = (Delivery.webhook_id == old.id, Delivery.due_at.is_(None), Delivery.succeeded_at.is_not(None))
        keys = select(Delivery.event_id).where(*theirs)
        db.session.execute(update(Event).where(Event.id.in_(keys)).values(created_at=at))
        db.session.execute(update(Delivery).where(*theirs).values(updated_at=at))
        db.session.commit()
        began, before = time.monotonic(), bodies()
        bells().ring(retention.SUBJECT, jobs.PRUNE)
        busy = latencies(load, targets)
        pace = (before - bodies()) / (time.monotonic() - began)
        until(lambda: bodies() == 0, "all are gone", LIMIT_SECONDS)
    times = p99(busy) / p99(quiet)
    verdict = "PASS" if times <= LIMIT else "over"
    return [
        f"| {database} | nothing to take away | {figures(quiet)} | | | |",
        f"| {database} | meanwhile | {figures(busy)} | {times:.2f} | {pace:,.0f} | {verdict} |",
    ]


def latencies(load: Load, targets: list[object]) -> list[float]:
    """Of a steady stream of events."""
    stream = load.stream(itertools.islice(in_turns(targets), EVENTS), EVENTS, RATE)  # type: ignore[arg-type]
    return load.latencies(stream)


def bodies() -> int:
    """How many there are of the old ones."""
    old = (Event.has_body, Event.created_at < utcnow() - timedelta(days=30))
    found = db.session.scalar(select(func.count()).select_from(Event).where(*old)) or 0
    db.session.rollback()
    return found
