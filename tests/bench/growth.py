"""Whether a long log and a long queue slow anything: the same work on an empty database and on a full one."""

import itertools
import statistics
from dataclasses import dataclass

from playwright.sync_api import Browser as Chromium

from portal.extensions import db, db_now
from portal.webhooks.models import Webhook
from tests.bench.load import Load, in_turns, loading, p99
from tests.bench.throughput import COUNT, INSTANT, ROUNDS, WARM_UP, Case, speed, working
from tests.filling import fill

LOG, WAITING = 1_000_000, 100_000
EVENTS, RATE = 600, 20
LIMIT = 1.3
MEANING = """\
Ten webhooks and two worker processes, on a database without rows, and beside {log:,} deliveries in the log and
{waiting:,} that wait for a receiver that does not answer. Throughput as under "Throughput"; the milliseconds from
commit to arrival are of {events} events, {rate} a second. Promise: within {limit} times; for arrivals that is their
median, for the 99th of 100 moves by more than that from run to run.
"""


@dataclass
class Figures:
    """What one state of the database gave."""

    speed: float
    median: float
    p99: float


def measure(_chromium: Chromium) -> str:
    """Both databases, as a table."""
    lines = [
        "## Growth",
        MEANING.format(log=LOG, waiting=WAITING, events=EVENTS, rate=RATE, limit=LIMIT),
        "| database | | empty | full | times | |",
        "|---|---|---:|---:|---:|---|",
    ]
    for database in ("PostgreSQL", "SQLite"):
        with loading(database) as load:
            found = table(database, load)
        print("", *found, sep="\n", end="", flush=True)
        lines += found
    return "\n".join([*lines, ""])


def table(database: str, load: Load) -> list[str]:
    """Measure empty, fill, measure again."""
    empty = figures(load, database)
    dead = db.session.get_one(Webhook, load.target().webhook_id)
    fill([dead], log=LOG, waiting=WAITING)
    dead.probes, dead.probe_at, dead.failures, dead.failing_since = 5, db_now(3600), 5, db_now()
    db.session.commit()
    full = figures(load, database, pending=WAITING)
    return [
        f"| {database} | deliveries a second | {empty.speed:,.0f} | {full.speed:,.0f} | "
        f"{verdict(empty.speed / full.speed)} |",
        f"| {database} | commit to arrival, median | {empty.median:.1f} ms | {full.median:.1f} ms | "
        f"{verdict(full.median / empty.median)} |",
        f"| {database} | commit to arrival, p99 | {empty.p99:.1f} ms | {full.p99:.1f} ms | "
        f"{full.p99 / empty.p99:.2f} | |",
    ]


def verdict(times: float) -> str:
    return f"{times:.2f} | {'PASS' if times <= LIMIT else 'over'}"


def figures(load: Load, database: str, pending: int = 0) -> Figures:
    """The median speed of some rounds, then arrivals; so many deliveries wait for somebody else."""
    case = Case(database, 10, 2, INSTANT)
    with working(load, case.processes):
        speed(load, case, WARM_UP, pending)
        middle = statistics.median(speed(load, case, COUNT, pending) for _ in range(ROUNDS))
        targets = [load.target() for _ in range(case.webhooks)]
        times = load.latencies(load.stream(itertools.islice(in_turns(targets), EVENTS), EVENTS, RATE))
        return Figures(middle, statistics.median(times), p99(times))
