"""Threads against plain processes, and drains against one RQ job per delivery: speed, memory and connections."""

import itertools
import os
import re
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from playwright.sync_api import Browser as Chromium
from sqlalchemy import insert, select

from portal.extensions import Base, db, utcnow
from portal.jobs import bells
from portal.webhooks import lanes
from portal.webhooks.models import Delivery, Event, EventType, LaneEntry, Status, Subject, new_event_id
from tests.bench import per_job
from tests.bench.load import OWN, Load, Target, loading
from tests.sink import Manners
from tests.system.installation import kill, until

ROUNDS = 3
WEBHOOKS = 10
DELIVERIES = 2000
AT_A_TIME = 8
"""Drains or jobs."""
FEW = 400
"""For the slow ways."""
WARM_UP = 200
INSTANT, SLOW = 0.0, 0.1
"""Seconds until the receivers answer."""
SAMPLE_SECONDS = 0.25
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
NAME = "bench-worker"
"""How the workers' connections are told from this process's own, in PostgreSQL."""
MEANING = """\
The same backlog for {webhooks} webhooks, each delivery of a contact of its own, on PostgreSQL with its log flushed at
each commit. Deliveries per second from the first bell until all are recorded: the median of {rounds} rounds, in which
the ways take turns, with the lowest and the highest. Each way runs {at_a_time} drains or jobs at a time. CPU is that of
the worker processes, per delivery to an instant receiver. Memory (PSS: shared pages count once) and connections are the
highest seen, all worker processes together. The ways with one job per delivery exist only in this measurement: they use
the product's client and record the same rows, without lease, lanes, ramp or breaker.
"""


@dataclass
class Way:
    """One line of the table."""

    name: str
    processes: int
    command: tuple[str, ...]
    deliveries: int
    ring: Callable[[Load, Sequence[Target], Sequence[uuid.UUID]], None]
    speeds: dict[float, list[float]] = field(default_factory=lambda: {INSTANT: [], SLOW: []})
    cpu: list[float] = field(default_factory=list)
    """Milliseconds of processor time per delivery to instant receivers, in each round."""
    peaks: dict[str, float] = field(default_factory=lambda: {"MB": 0.0, "PostgreSQL": 0.0, "Redis": 0.0})


def measure(_chromium: Chromium) -> str:
    """All ways, as a table."""
    lines = [
        "## Threads, processes and jobs",
        MEANING.format(webhooks=WEBHOOKS, rounds=ROUNDS, at_a_time=AT_A_TIME),
        "| | instant | CPU each | after 100 ms | memory | PostgreSQL connections | Redis connections |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    with loading("PostgreSQL") as load:
        load.made.env["PGAPPNAME"] = NAME
        for _ in range(ROUNDS):
            for way in WAYS:
                run(load, way)
                print(f"\n{line(way)}", end="", flush=True)
    return "\n".join([*lines, *map(line, WAYS), ""])


def line(way: Way) -> str:
    """One line of the table."""
    instant, slow = (
        f"{statistics.median(found):,.0f}/s ({min(found):,.0f} to {max(found):,.0f})" for found in way.speeds.values()
    )
    cpu, peaks = f"{statistics.median(way.cpu):.1f} ms", way.peaks
    resources = f"{peaks['MB']:,.0f} MB | {peaks['PostgreSQL']:.0f} | {peaks['Redis']:.0f}"
    return f"| {way.name} | {instant} | {cpu} | {slow} | {resources} |"


def run(load: Load, way: Way) -> None:
    """One round: start the processes, measure each kind of receiver, end them."""
    load.redis.flushall()
    processes = [load.made.run(*way.command) for _ in range(way.processes)]
    pids = {process.pid for process in processes}
    with watching(load, way, pids):
        until(lambda: load.redis.scard("rq:workers") == AT_A_TIME, "all workers are there")
        speed(load, way, INSTANT, WARM_UP)
        before = cpu_seconds(pids)
        way.speeds[INSTANT].append(speed(load, way, INSTANT, way.deliveries))
        way.cpu.append(1000 * (cpu_seconds(pids) - before) / way.deliveries)
        way.speeds[SLOW].append(speed(load, way, SLOW, way.deliveries))
    kill(processes)


def speed(load: Load, way: Way, delay: float, count: int) -> float:
    """Deliveries per second of one backlog."""
    targets = [load.target(Manners(delay=delay)) for _ in range(WEBHOOKS)]
    before, ids = load.sink.count(), backlog(targets, count, load.body)
    began = time.monotonic()
    way.ring(load, targets, ids)
    until(lambda: load.sink.count() - before >= count, "all arrive")
    until(is_done, "all are recorded")
    return count / (time.monotonic() - began)


def backlog(targets: Sequence[Target], count: int, body: bytes) -> list[uuid.UUID]:
    """Rows as the publisher writes them, in one transaction and without its bells; returns the deliveries' ids."""
    numbers = lanes.next_seqs(count)
    rows = [rows_of(target, seq, body) for seq, target in zip(numbers, itertools.cycle(targets), strict=False)]
    for model in (Event, Subject, Delivery, LaneEntry):
        db.session.execute(insert(model), [found[model] for found in rows])
    db.session.commit()
    return [found[Delivery]["id"] for found in rows]


def rows_of(target: Target, seq: int, body: bytes) -> dict[type[Base], dict[str, Any]]:
    """One event, about a contact of its own, and its delivery, which is due."""
    event_id, delivery_id, contact_id = new_event_id(), uuid.uuid4(), uuid.uuid4()
    space, webhook = {"workspace_id": target.workspace_id}, {"webhook_id": target.webhook_id}
    event = {"event_id": event_id}
    return {
        Event: {"id": event_id, **space, "type": EventType.UPDATED, "body": body, "actor": "Dana"},
        Subject: {**event, "position": 0, "contact_id": contact_id, "number": "1", "label": "Allen Ji"},
        Delivery: {"id": delivery_id, **event, **space, **webhook, "seq": seq, "due_at": utcnow()},
        LaneEntry: {**webhook, "contact_id": contact_id, "seq": seq, "delivery_id": delivery_id},
    }


def is_done(others: int = 0) -> bool:
    """Whether nothing is pending any more but so many others."""
    query = select(Delivery.id).where(Delivery.status == Status.PENDING).offset(others).limit(1)
    found = db.session.scalar(query)
    db.session.rollback()
    return found is None


def ring_bells(_load: Load, targets: Sequence[Target], _ids: Sequence[uuid.UUID]) -> None:
    for target in targets:
        bells().ring(target.webhook_id)


def enqueue_each(load: Load, _targets: Sequence[Target], ids: Sequence[uuid.UUID]) -> None:
    per_job.enqueue(load.redis, ids)


@contextmanager
def watching(load: Load, way: Way, sessions: set[int]) -> Iterator[None]:
    """Note the peaks of what the workers use while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        with psycopg.connect(load.made.env["DATABASE_URL"], autocommit=True) as connection:
            while not ended.wait(SAMPLE_SECONDS):
                now = {
                    "MB": memory(sessions),
                    "PostgreSQL": connection.execute(CONNECTIONS, [NAME]).fetchone()[0],  # type: ignore[index]
                    "Redis": sum(client["name"] != OWN for client in load.redis.client_list()),
                }
                way.peaks = {name: max(peak, now[name]) for name, peak in way.peaks.items()}

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def cpu_seconds(pids: set[int]) -> float:
    """Processor time of these processes and of their children that have ended."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(ticks) for stat in stats for ticks in stat[11:15]) / os.sysconf("SC_CLK_TCK")


def memory(sessions: set[int]) -> float:
    """Megabytes of the processes that belong to these sessions, shared pages counted once."""
    kilobytes = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            session = int(stat.read_text().rpartition(")")[2].split()[3])
            if session in sessions:
                rollup = stat.with_name("smaps_rollup").read_text()
                kilobytes += int(re.findall(r"^Pss: +([0-9]+)", rollup, re.M)[0])
    return kilobytes / 1000


WORKER = ("flask", "worker", "--threads")
JOB = (sys.executable, "-m", "tests.bench.per_job")
WAYS = (
    Way("drains: 1 process of 8 threads", 1, (*WORKER, "8"), DELIVERIES, ring_bells),
    Way("drains: 2 processes of 4 threads", 2, (*WORKER, "4"), DELIVERIES, ring_bells),
    Way("drains: 8 processes of 1 thread", 8, (*WORKER, "1"), DELIVERIES, ring_bells),
    Way("a job per delivery, 8 SimpleWorkers", 8, (*JOB, "simple"), FEW, enqueue_each),
    Way("a forked job per delivery, 8 Workers", 8, (*JOB, "forking"), FEW, enqueue_each),
)
