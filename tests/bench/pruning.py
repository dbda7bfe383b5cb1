"""What taking old bodies away costs those who are sent to meanwhile."""

import itertools
import time
from collections.abc import Sequence
from datetime import timedelta

from playwright.sync_api import Browser as Chromium
from sqlalchemy import func, select, update

from portal import jobs, retention
from portal.extensions import db, utcnow
from portal.jobs import bells
from portal.webhooks.models import Delivery, Event, Webhook
from tests.bench.load import Load, Target, figures, loading, p99
from tests.bench.throughput import working
from tests.filling import fill
from tests.system.installation import until
from tests.webhooks.making import make_webhook

BODIES = 500_000
EVENTS, RATE = 2400, 40
WORKSPACES, WEBHOOKS = 2, 5
LIMIT = 2.0
MEANING = """\
Milliseconds from the commit of an event to each of its arrivals: {events:,} events, {rate} a second, each for
{webhooks} webhooks, which makes {deliveries} deliveries a second; two worker processes. First with nothing to take
away, then while the bodies of {bodies:,} old events are on their way out. Promise: the p99 at most doubles.
"""


def measure(_chromium: Chromium) -> str:
    """Both databases, as a table."""
    lines = [
        "## Pruning",
        MEANING.format(events=EVENTS, rate=RATE, webhooks=WEBHOOKS, deliveries=RATE * WEBHOOKS, bodies=BODIES),
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
    targets = [load.target() for _ in range(WORKSPACES)]
    for target in targets:
        for number in range(1, WEBHOOKS):
            make_webhook(target.workspace_id, load.sink.url(f"{target.name}-{number}"))
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
    times = p99(busy) / p99(quiet)
    verdict = "PASS" if times <= LIMIT else "over"
    return [
        f"| {database} | nothing to take away | {figures(quiet)} | | | |",
        f"| {database} | meanwhile | {figures(busy)} | {times:.2f} | {pace:,.0f} | {verdict} |",
    ]


def latencies(load: Load, targets: Sequence[Target]) -> list[float]:
    """Of a steady stream of events, each to all webhooks of its workspace."""
    before = load.sink.count()
    sent = {one.event_id: one.at for one in load.stream(itertools.cycle(targets), EVENTS, RATE)}
    until(lambda: load.sink.count() - before >= EVENTS * WEBHOOKS, "all arrive")
    return [1000 * (one.at - sent[one.event_id]) for one in load.sink.collect() if one.event_id in sent]


def bodies() -> int:
    """How many there are of the old ones."""
    old = (Event.has_body, Event.created_at < utcnow() - timedelta(days=30))
    found = db.session.scalar(select(func.count()).select_from(Event).where(*old)) or 0
    db.session.rollback()
    return found
