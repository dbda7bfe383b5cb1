"""What workers run: `drain` sends what is sendable for one webhook, `sweep` rings for what was forgotten."""

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import nullcontext

from flask import current_app
from sqlalchemy import delete

from .. import jobs, mail
from ..extensions import begin_reading, begin_without_waiting, db, db_now, settle
from ..pace import pace
from . import engine, outbound, sendable, sentences
from .lease import Lease, LeaseLost
from .letters import Letter
from .outbound import Result
from .outbox import Outbox
from .worker_models import WorkerBeat

SWEEP_KEY, SWEEP_SECONDS = "sweep", 10
"""The sweeper's own bell, so that it never waits for one that got lost."""

NOBODY = uuid.UUID(int=0)
ALARMS_KEY, PRUNE_KEY, MINUTE = "alarms", "prune", 60
TRASH_KEY, HOUR = "trash", 3600
"""The looks at alarms, at what is too old and at the trash have one bell each, however many workers sweep."""

EXACTNESS = 0.002
"""Seconds by which a drain surely wakes up after its turn: SQLite's clock counts milliseconds."""
PATIENCE = 0.5
"""Seconds for which a drain stays when only the throttle holds it back."""

LOOK = 1.0
"""Seconds until a drain that waits for a receiver looks for more to send, if no bell in its process says so before."""

# Bound what computes, not what waits: threads that compute at once mostly wait for the interpreter's lock.
computing = threading.Lock()
at_work: dict[uuid.UUID, "Drain"] = {}
"""The drains of this process, by webhook."""
log = logging.getLogger("portal.deliveries")


def drain(webhook_id: str) -> None:
    """Send all that is sendable for one webhook, or hand over after a slice. The RQ job behind the bell."""
    key = uuid.UUID(webhook_id)
    jobs.bells().answered(key, SWEEP_KEY)
    lease, mine, other = Lease(key), None, at_work.get(key)
    # Another drain has it, and looks once more after it let go. One of this process is not asked the database for.
    if (other and other.lease.lasts(0)) or not lease.take():
        if other:
            other.outbox.hear()
        return
    try:
        with outbound.Connections(owner=key) as connections:
            mine = at_work[key] = Drain(lease, connections)
            mine.run()
    finally:
        if at_work.get(key) is mine:  # one that lost its lease leaves its successor there
            at_work.pop(key, None)
        db.session.rollback()
        lease.release()
    begin_reading()
    if sendable.has_work(key):
        jobs.bells().ring(key)
    elif lease.is_throttled and (seconds := sendable.next_turn(key)) is not None:
        jobs.bells().ring_in(seconds, key)
    db.session.rollback()


class Drain:
    """One slice of work for one webhook: claim, send side by side, record, until nothing is sendable."""

    def __init__(self, lease: Lease, connections: outbound.Connections) -> None:
        self.lease, self.connections, self.pace = lease, connections, pace()
        self.limits = outbound.Limits(
            connect=self.pace.connect_timeout, resolve=self.pace.connect_timeout, total=self.pace.send_timeout
        )
        self.allowed = current_app.config["ALLOWED_NETWORKS"]
        self.outbox = Outbox(self._post)
        self.ends = time.monotonic() + self.pace.slice
        self.sent = 0
        self.open = True
        self.turn = 0.0
        """When the throttle lets the next one go, by the monotonic clock."""
        self.looked = 0.0
        """When it last began to claim: the turn may come while it claims in vain, and is not to be missed."""

    def run(self) -> None:
        """Until there is nothing to send, the slice is over or the lease is lost; then await what is in flight."""
        while True:
            self._go_on(self._collect() if self.outbox.under_way else [])
            if not self.outbox.under_way and not self._await_turn():
                return

    def _may_send(self) -> bool:
        fresh = self.sent < self.pace.slice_deliveries and time.monotonic() < self.ends and not jobs.stopping.is_set()
        self.open = self.open and fresh and self.lease.lasts(self.pace.longest_send)
        return self.open

    def _go_on(self, answers: Sequence[tuple[Letter, Result]]) -> None:
        """Write down what came, and send what may be sent now."""
        letters: Sequence[Letter] = []
        try:
            self._keep_lease()
            with computing if answers else nullcontext():  # whoever has sent nothing yet waits for nobody
                letters = self._write_down_and_claim(answers)
        except LeaseLost:
            db.session.rollback()
            self.open = False
        self.outbox.add(letters)
        self.sent += len(letters)
        for letter, result in answers:
            tell(letter, result)

    def _keep_lease(self) -> None:
        try:
            self.lease.keep()
        except LeaseLost:  # what came is written down all the same
            db.session.rollback()
            self.open = False

    def _write_down_and_claim(self, answers: Sequence[tuple[Letter, Result]]) -> Sequence[Letter]:
        """One transaction; no connection to the database is held during HTTP."""
        letters: list[Letter] = []
        in_flight = [letter.delivery_id for letter in self.outbox.under_way.values()]
        may_send, self.looked = self._may_send(), time.monotonic()
        if answers:
            if may_send:
                held, letters = engine.record_and_claim(self.lease.token, answers, in_flight)
            else:
                held = engine.record(self.lease.token, answers)
            self.open &= held
            db.session.commit()
        elif may_send:
            begin_reading()
            letters = engine.claim(self.lease.webhook_id, self.lease.token, in_flight)
            if letters:
                settle()  # nothing is told that a crash could undo
            db.session.rollback()
        if turns := [letter.next_at for letter in letters if letter.next_at]:
            self.turn = time.monotonic() + self.lease.take_turn(turns[-1]) + EXACTNESS
        return letters

    def _await_turn(self) -> bool:
        """Stay for what the throttle lets go soon; what takes longer is rung for, and holds no worker meanwhile."""
        seconds = self.turn - time.monotonic()
        if not self.open or self.looked >= self.turn or seconds > PATIENCE:
            return False
        jobs.stopping.wait(max(seconds, 0))
        return True

    def _post(self, letter: Letter) -> Result | None:
        """In a sender thread: the answer; None if this process slept so long that the webhook may be another's."""
        if not self.lease.lasts(self.pace.send_timeout):
            return None
        return outbound.send(
            letter.url, letter.headers, letter.body, allowed=self.allowed, pool=self.connections, limits=self.limits
        )

    def _collect(self) -> list[tuple[Letter, Result]]:
        """Wait for answers, but not past a turn, nor for long: there may be more to send."""
        turn = self.turn - time.monotonic()
        ended = self.outbox.collect(min(turn, LOOK) if turn > 0 else LOOK)
        answers = [(letter, result) for letter, result in ended if result is not None]
        self.open &= len(answers) == len(ended)
        return answers


def tell(letter: Letter, result: Result) -> None:
    """One readable line per attempt, with the same facts as fields for logs in JSON."""
    fields = {
        "event_type": letter.headers["x-cloudcx-event"],
        "webhook_id": str(letter.webhook_id),
        "delivery_id": str(letter.delivery_id),
        "event_id": letter.headers["webhook-id"],
        "attempt": letter.number,
        "trigger": str(letter.trigger),
        "status": result.status,
        "failure": result.failure and str(result.failure),
        "duration_ms": round(result.duration_ms),
        "place": sentences.place(letter.url),
    }
    outcome = " ".join(str(part) for part in (result.status, result.failure) if part)
    line = "{event_type} {event_id} #{attempt} {trigger} -> {outcome} in {duration_ms} ms ({place})"
    log.info(line.format(outcome=outcome, **fields), extra=fields)


def sweep(name: str, mend: bool = False) -> None:
    """Ring for every webhook that has something sendable and no drain, for unfinished work in slices and unsent
    letters, and once in a while for the looks at alarms, at what is too old to keep and at the trash; beat for `name`.

    This makes retries happen, and heals whatever bell was lost: an emptied Redis, a killed worker, a failed enqueue.
    To `mend` looks at all that waits for its turn: often enough once in a while.
    """
    if mend and (count := engine.mend()):
        log.error("%d deliveries waited behind nothing and are due now: please report this", count)
    db.session.commit()
    begin_reading()  # nobody waits for SQLite's write lock while this looks, and Redis answers
    _ring_for_what_waits()
    db.session.rollback()
    begin_without_waiting()
    db.session.merge(WorkerBeat(name=name, beaten_at=db_now()))
    db.session.commit()


def _ring_for_what_waits() -> None:
    for webhook_id in sendable.waiting_webhooks():
        jobs.bells().ring(webhook_id, jobs.DRAIN, SWEEP_KEY, SWEEP_SECONDS)
    jobs.bells().ring(NOBODY, jobs.ALARMS, ALARMS_KEY, MINUTE)
    jobs.bells().ring(NOBODY, jobs.PRUNE, PRUNE_KEY, MINUTE)
    jobs.bells().ring(NOBODY, jobs.TRASH, TRASH_KEY, HOUR)
    for letter_id in mail.waiting():
        jobs.bells().ring(letter_id, jobs.MAIL, SWEEP_KEY, SWEEP_SECONDS)
    for function, unfinished in jobs.UNFINISHED.items():
        for key in unfinished():
            jobs.bells().ring(key, function, SWEEP_KEY, SWEEP_SECONDS)


def leave(name: str) -> None:
    """The worker process `name` ends: nobody counts on it any more."""
    db.session.execute(delete(WorkerBeat).where(WorkerBeat.name == name))
    db.session.commit()
