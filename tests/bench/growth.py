"""Whether a long log and a long queue slow anything: the same backlog on an empty database and on a full one."""

import statistics

from playwright.sync_api import Browser as Chromium

from portal.extensions import db, db_now
from portal.webhooks.models import Webhook
from tests.bench.load import Load, loading
from tests.bench.throughput import COUNT, INSTANT, ROUNDS, WARM_UP, Case, speed, working
from tests.filling import fill

LOG, WAITING = 1_000_000, 100_000
LIMIT = 1.3
MEANING = """\
Deliveries a second of ten webhooks and two worker processes, as under "Throughput", on a database without rows, and
beside {log:,} deliveries in the log and {waiting:,} that wait for a receiver that does not answer. Promise: within
{limit} times.
"""


def measure(_chromium: Chromium) -> str:
    """Both databases, as a table."""
    lines = [
        "## Growth",
        MEANING.format(log=LOG, waiting=WAITING, limit=LIMIT),
        "| database | empty | full | times as long | |",
        "|---|---:|---:|---:|---|",
    ]
    for database in ("PostgreSQL", "SQLite"):
        with loading(database) as load:
            lines.append(line(database, load))
        print(f"\n{lines[-1]}", end="", flush=True)
    return "\n".join([*lines, ""])


def line(database: str, load: Load) -> str:
    """Measure empty, fill, measure again."""
    empty = speeds(load, database)
    dead = db.session.get_one(Webhook, load.target().webhook_id)
    fill([dead], log=LOG, waiting=WAITING)
    dead.probes, dead.probe_at, dead.failures, dead.failing_since = 5, db_now(3600), 5, db_now()
    db.session.commit()
    full = speeds(load, database, pending=WAITING)
    times = empty / full
    return f"| {database} | {empty:,.0f}/s | {full:,.0f}/s | {times:.2f} | {'PASS' if times <= LIMIT else 'over'} |"


def speeds(load: Load, database: str, pending: int = 0) -> float:
    """The median of some rounds; so many deliveries wait for somebody else."""
    case = Case(database, 10, 2, INSTANT)
    with working(load, case.processes):
        speed(load, case, WARM_UP, pending)
        return statistics.median(speed(load, case, COUNT, pending) for _ in range(ROUNDS))
