"""How each kind of fault is done."""

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from portal import jobs
from tests.chaos.faults import Fault, Kind
from tests.chaos.site import PACE

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

HOUR = 3600
LONG = 1.5 * PACE.lease
"""How long a worker sleeps and a clock is wrong: well beyond a lease."""
BELLS = 20


def kill_worker(storm: "Storm", _fault: Fault) -> None:
    i = storm.victim()
    storm.workers[i].kill()
    storm.workers[i] = storm.site.machines.worker()


def kill_web(storm: "Storm", _fault: Fault) -> None:
    storm.until(storm.site.machines.health, "the web process answers")
    storm.web.kill()
    storm.web = storm.site.machines.web()


def terminate(storm: "Storm", _fault: Fault) -> None:
    """Tell a worker to end, as every deployment does."""
    i, began = storm.victim(), time.monotonic()
    worker = storm.workers[i]
    worker.signal(signal.SIGTERM)
    storm.until(lambda: worker.poll() is not None, "a worker ends on SIGTERM")
    storm.exits.append((worker.poll(), time.monotonic() - began))
    storm.workers[i] = storm.site.machines.worker()


def suspend(storm: "Storm", fault: Fault) -> None:
    """Let a worker sleep past its lease; others work on, and then it wakes up and believes that it is still then."""
    i = storm.victim()
    worker, fault.began = storm.workers[i], time.monotonic()
    worker.signal(signal.SIGSTOP)
    storm.asleep.add(i)

    def wake() -> None:
        worker.signal(signal.SIGCONT)
        storm.asleep.discard(i)
        fault.ended = time.monotonic()

    storm.later.append((fault.began + LONG, wake))


def set_clock_back(storm: "Storm", fault: Fault) -> None:
    """The database's clock jumps back by an hour, and later forwards by an hour."""
    storm.until(lambda: not storm.wrong_clock, "the clock is right")
    storm.wrong_clock, fault.began = True, time.monotonic()
    storm.site.database.clock.jump(-HOUR)

    def put_right() -> None:
        storm.site.database.clock.jump(0)
        storm.wrong_clock, fault.ended = False, time.monotonic()

    storm.later.append((fault.began + LONG, put_right))


def empty_redis(storm: "Storm", _fault: Fault) -> None:
    storm.site.bells.redis.flushall()


def restart_redis(storm: "Storm", fault: Fault) -> None:
    storm.site.valkey.stop()
    try:
        _save_without_redis(storm, fault)
    finally:
        storm.site.valkey.start()


def silence_redis(storm: "Storm", fault: Fault) -> None:
    storm.site.silence_redis(True)
    try:
        _save_without_redis(storm, fault)
    finally:
        storm.site.silence_redis(False)


def restart_database(storm: "Storm", _fault: Fault) -> None:
    assert storm.site.database.restart
    storm.site.database.restart()


def ring(storm: "Storm", _fault: Fault) -> None:
    """Drains for webhooks that have one already, or nothing to send."""
    for key in storm.chance.choices(sorted(storm.site.webhooks.values()), k=BELLS):
        storm.site.bells.queue.enqueue_call(jobs.DRAIN, [key], timeout=jobs.JOB_SECONDS, result_ttl=0)


ACTS: dict[Kind, Callable[["Storm", Fault], None]] = {
    Kind.KILL_WORKER: kill_worker,
    Kind.KILL_WEB: kill_web,
    Kind.TERM: terminate,
    Kind.SUSPEND: suspend,
    Kind.EMPTY_REDIS: empty_redis,
    Kind.RESTART_REDIS: restart_redis,
    Kind.SILENT_REDIS: silence_redis,
    Kind.RESTART_DATABASE: restart_database,
    Kind.BELLS: ring,
    Kind.CLOCK: set_clock_back,
}


def _save_without_redis(storm: "Storm", fault: Fault) -> None:
    """Saving goes on: so many that begin now are answered before Redis is back."""
    wanted = storm.size.saves_without_redis
    since = time.monotonic()
    storm.allow(wanted)
    storm.until(lambda: storm.site.people.answered(since) >= wanted, f"saves are answered: {fault.kind}")
    storm.saved_without_redis += wanted
