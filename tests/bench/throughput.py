"""Deliveries a second, beside what the same processes could send at all."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser as Chromium

from tests.bench.ceiling import ceiling
from tests.bench.load import Load, loading
from tests.bench.picture import bars
from tests.bench.workers import WARM_UP, backlog, is_done, ring_bells
from tests.sink import Manners
from tests.system.installation import kill, until

ROUNDS = 3
COUNT = 2000
INSTANT, SLOW = 0.0, 0.1
LIMITS = {INSTANT: 0.5, SLOW: 0.8}
MEANING = """\
A backlog of {count:,} deliveries, each of a contact of its own, from the first bell until all are written down: the
median of {rounds} rounds, with the lowest and the highest. The ceiling is the best of 1, 2, 4 and 16 threads of bare
`HTTPAdapter.send` in as many processes, which claims, signs and writes down nothing. What TLS costs says "The
outbound client". Promises, for ten webhooks and two processes on PostgreSQL: {instant} of the ceiling at instant
receivers, {slow} at 100 ms; SQLite half of it.
"""


@dataclass
class Case:
    """One line of the table."""

    database: str
    webhooks: int
    processes: int
    delay: float
    speeds: list[float] = field(default_factory=list)
    ceiling: float = 0.0

    @property
    def name(self) -> str:
        receivers = "instant" if self.delay == INSTANT else f"after {1000 * self.delay:.0f} ms"
        return f"{self.database}, {self.webhooks} webhooks, {self.processes} processes, {receivers}"

    @property
    def is_promised(self) -> bool:
        return (self.database, self.webhooks, self.processes) == ("PostgreSQL", 10, 2)


def measure(_chromium: Chromium) -> str:
    """All cases, as a table and a picture."""
    cases = [
        Case("PostgreSQL", webhooks, processes, delay)
        for processes in (1, 2)
        for webhooks in (1, 10, 100)
        for delay in (INSTANT, SLOW)
    ] + [Case("SQLite", 10, 2, delay) for delay in (INSTANT, SLOW)]
    for database in ("PostgreSQL", "SQLite"):
        with loading(database) as load:
            for case in cases:
                if case.database == database:
                    run(load, case)
                    print(f"\n{line(case)}", end="", flush=True)
    picture = bars("throughput", "Deliveries a second, before their ceiling",
                   [(case.name, statistics.median(case.speeds), case.ceiling) for case in cases], "/s")  # fmt: skip
    head = ["| | deliveries a second | ceiling | ratio | |", "|---|---:|---:|---:|---|"]
    meaning = MEANING.format(count=COUNT, rounds=ROUNDS, instant=LIMITS[INSTANT], slow=LIMITS[SLOW])
    return "\n".join(["## Throughput", meaning, picture, "", *head, *map(line, cases), ""])


def run(load: Load, case: Case) -> None:
    """Measure one case, and its ceiling right after it."""
    with working(load, case.processes):
        speed(load, case, WARM_UP)
        case.speeds = [speed(load, case, COUNT) for _ in range(ROUNDS)]
    target = load.target(Manners(delay=case.delay))
    case.ceiling = ceiling(load.sink.url(target.name), load.body, case.processes)


@contextmanager
def working(load: Load, processes: int) -> Iterator[None]:
    """So many worker processes."""
    load.redis.flushall()
    made = [load.made.run("flask", "worker") for _ in range(processes)]
    try:
        until(lambda: load.redis.scard("rq:workers") == 8 * processes, "all workers are there")
        yield
    finally:
        kill(made)


def speed(load: Load, case: Case, count: int, pending: int = 0) -> float:
    """Deliveries a second of one backlog; so many others wait and go on waiting."""
    targets = [load.target(Manners(delay=case.delay)) for _ in range(case.webhooks)]
    before, ids = load.sink.count(), backlog(targets, count, load.body)
    began = time.monotonic()
    ring_bells(load, targets, ids)
    until(lambda: load.sink.count() - before >= count, "all arrive")
    until(lambda: is_done(pending), "all are written down")
    return count / (time.monotonic() - began)


def line(case: Case) -> str:
    """One line of the table."""
    middle = statistics.median(case.speeds)
    ratio = middle / case.ceiling
    verdict = ("PASS" if ratio >= LIMITS[case.delay] else "under") if case.is_promised else ""
    spread = f"{middle:,.0f}/s ({min(case.speeds):,.0f} to {max(case.speeds):,.0f})"
    return f"| {case.name} | {spread} | {case.ceiling:,.0f}/s | {ratio:.2f} | {verdict} |"
