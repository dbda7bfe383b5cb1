"""The state machine as a whole: commits, answers, crashes, resends, pauses and deletions in any order that hypothesis
thinks of. Every delivery ends or waits for a known time, no lane runs backwards, nothing is forgotten.
"""

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from portal.extensions import Base, db, utcnow
from portal.pace import Pace
from portal.webhooks import bulk, engine, lanes, publisher
from portal.webhooks.filters import Filters
from portal.webhooks.lease import Lease
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import (
    Delivery,
    EventType,
    LaneEntry,
    PauseReason,
    State,
    Status,
    Trigger,
    Webhook,
)
from portal.webhooks.outbound import Failure, Phases, Result
from portal.webhooks.worker_models import Bulk, BulkKind
from tests.turns import IS_THOROUGH
from tests.webhooks.driving import GONE, OK, TIMEOUT, refusal
from tests.webhooks.making import make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

ANSWERS: dict[str, Result] = {
    "ok": OK,
    "500": refusal(),
    "timeout": TIMEOUT,
    "410": GONE,
    "429": refusal(429, retry_after=20),
    "refused": Result(failure=Failure.REFUSED, phases=Phases(), duration_ms=1.0),
}
FINAL = {Status.SUCCEEDED, Status.FAILED, Status.CANCELED}
FRESH = {"populate_existing": True}
EXAMPLES = 15 if IS_THOROUGH else 7
which = st.integers(0, 7)
KEPT = {"audit_entry", "workspace"}
"""The audit log lets nothing go."""


class Engine(RuleBasedStateMachine):
    """Two webhooks, four contacts, one drain at a time for each webhook, and a clock that is set by hand."""

    def __init__(self) -> None:
        super().__init__()
        db.session.remove()
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in KEPT:
                db.session.execute(table.delete())
        db.session.commit()
        self.workspace_id = make_workspace()
        self.webhooks = [make_webhook(self.workspace_id).id for _ in range(2)]
        self.contacts = [uuid.uuid4() for _ in range(4)]
        self.leases: dict[uuid.UUID, Lease] = {}
        self.in_flight: list[tuple[Lease, engine.Letter]] = []
        self.bulks: list[uuid.UUID] = []
        self.committed: set[str] = set()
        self.accepted: Counter[str] = Counter()
        """What the receivers answered with a 2xx, by event id."""

    # What people do

    @rule(changes=st.lists(st.sets(st.integers(0, 3), min_size=1, max_size=3), min_size=1, max_size=4))
    def commit(self, changes: list[set[int]]) -> None:
        for picked in changes:
            event = make_event(self.workspace_id, *(self.contacts[i] for i in sorted(picked)))
            self.committed.add(event.id)

    @rule(contact=st.integers(0, 3))
    def roll_back(self, contact: int) -> None:
        make_event(self.workspace_id, self.contacts[contact], commit=False)
        db.session.rollback()

    @rule(i=which)
    def resend(self, i: int) -> None:
        if found := self._pick(i):
            publisher.resend(found)
            db.session.commit()

    @rule(i=which)
    def send_test(self, i: int) -> None:
        webhook = self._webhook(i)
        if webhook.state != State.DELETED:
            self.committed.add(publisher.send_test(webhook, EventType.CREATED, "Dana").event_id)
        db.session.commit()

    @rule(i=which)
    def pause(self, i: int) -> None:
        webhook = self._webhook(i)
        if webhook.is_active:
            webhook.pause(PauseReason.PERSON)
        db.session.commit()

    @rule(i=which, at_once=st.booleans())
    def resume(self, i: int, at_once: bool) -> None:
        webhook = self._webhook(i)
        if webhook.state == State.PAUSED:
            (publisher.try_now if at_once else publisher.resume)(webhook)
        db.session.commit()

    @precondition(lambda self: len(self.committed) > 6)
    @rule()
    def delete(self) -> None:
        webhook = self._webhook(1)  # the other one stays
        if webhook.state != State.DELETED:
            publisher.delete(webhook)
        db.session.commit()

    @rule(i=which, kind=st.sampled_from(BulkKind))
    def begin_bulk(self, i: int, kind: BulkKind) -> None:
        webhook = self._webhook(i)
        if kind != BulkKind.REPLAY:
            filters = Filters.of({"webhook": str(webhook.id)} if i % 3 else {})
            self.bulks.append(bulk.begin(self.workspace_id, kind, filters, "Dana").id)
        elif webhook.state != State.DELETED:
            self.bulks.append(bulk.replay(webhook, utcnow() - timedelta(days=1), "Dana").id)
        db.session.commit()

    # What workers do

    @precondition(lambda self: self.bulks)
    @rule(i=which)
    def go_on_with_bulk(self, i: int) -> None:
        bulk.go_on(self.bulks[i % len(self.bulks)])

    @rule(i=which)
    def claim(self, i: int) -> None:
        lease = self._lease(self.webhooks[i % 2])
        busy = [letter.delivery_id for owner, letter in self.in_flight if owner is lease]
        for letter in engine.claim(lease.webhook_id, lease.token, busy):
            self._check_turn(lease, letter)
            self.in_flight.append((lease, letter))
        db.session.rollback()

    @rule(i=which, names=st.lists(st.sampled_from(["ok", "ok", "500"]), min_size=2, max_size=6))
    def work(self, i: int, names: list[str]) -> None:
        """What a drain does, answer by answer."""
        for name in names:
            self.claim(i)
            if self.in_flight:
                self.answer(-1, name)
        self.claim(i)

    @precondition(lambda self: self.in_flight)
    @rule(i=which, name=st.sampled_from([*ANSWERS, "ok", "ok", "500"]))
    def answer(self, i: int, name: str) -> None:
        lease, letter = self.in_flight.pop(i % len(self.in_flight))
        self._answer(lease, letter, ANSWERS[name])

    @rule(i=which, answered=st.booleans())
    def crash(self, i: int, answered: bool) -> None:
        """A worker dies; what it sent may have been taken all the same, and nobody wrote it down."""
        lease = self.leases.pop(self.webhooks[i % 2], None)
        lost = [letter for owner, letter in self.in_flight if owner is lease]
        if answered:
            self.accepted.update(letter.headers["webhook-id"] for letter in lost)
        self.in_flight = [(owner, letter) for owner, letter in self.in_flight if owner is not lease]

    @rule(i=which)
    def suspend(self, i: int) -> None:
        """A worker sleeps past its lease; what it has in flight is written down later, by one that holds it no more."""
        self.leases.pop(self.webhooks[i % 2], None)

    @rule(i=which)
    def hand_over(self, i: int) -> None:
        key = self.webhooks[i % 2]
        lease = self.leases.get(key)
        if lease and not any(owner is lease for owner, _ in self.in_flight):
            lease.release()
            del self.leases[key]

    @rule(seconds=st.sampled_from([1, 6, 31, 400, 4000, 90_000, -3600]))
    def pass_time(self, seconds: int) -> None:
        """All that is written down lies further back, or ahead (the clock was set back); living leases are renewed."""
        by = timedelta(seconds=seconds)
        for webhook in db.session.scalars(db.select(Webhook)):
            _shift(webhook, by, "probe_at", "failing_since", "answered_at", "leased_until", "paused_at")
        for delivery in db.session.scalars(db.select(Delivery)):
            _shift(delivery, by, "due_at", "failing_since", "last_attempt_at")
        db.session.commit()
        for lease in self.leases.values():
            lease.renewed = -Pace().lease
            lease.keep()

    # What holds, whatever happened

    @invariant()
    def every_delivery_ends_or_waits_for_a_known_time(self) -> None:
        for delivery, entries, is_head in self._deliveries():
            if delivery.status in FINAL:
                assert (delivery.due_at, entries) == (None, 0), "what ended waits for nothing and holds nobody up"
            elif is_head:
                assert delivery.due_at is not None, "a head knows when it is tried"
            else:
                assert delivery.due_at is None, "what waits for its turn is not looked at"
        db.session.rollback()

    @invariant()
    def nothing_is_stranded(self) -> None:
        assert lanes.mend() == 0
        db.session.rollback()

    @invariant()
    def the_breaker_is_sane(self) -> None:
        for webhook in db.session.scalars(db.select(Webhook)):
            assert len(set(webhook.failed_ids)) == len(webhook.failed_ids) <= Pace().break_after
            assert not webhook.probes or webhook.probe_at, "an open breaker knows its next probe"
            assert bool(webhook.failures) == bool(webhook.failing_since)
        db.session.rollback()

    @invariant()
    def nothing_is_made_up(self) -> None:
        assert set(self.accepted) <= self.committed
        succeeded = db.select(Delivery.event_id).where(Delivery.status == Status.SUCCEEDED)
        assert set(db.session.scalars(succeeded)) <= set(self.accepted), "succeeded only if the receiver said so"
        db.session.rollback()

    def teardown(self) -> None:
        """The receivers are well again and people resume: within a known time all has ended, nothing is forgotten."""
        self.leases.clear()
        self.in_flight.clear()
        for i in range(2):
            self.resume(i, at_once=False)
        for key in self.bulks:
            while bulk.go_on(key):
                pass
            self._check_bulk(key)
        for _ in range(60):
            self.pass_time(90_000)
            while any(self._deliver_all(key) for key in self.webhooks):
                pass
            if not self._pending():
                break
        assert self._pending() == 0, "something sendable was forgotten"
        for delivery, _, _ in self._deliveries():
            self._check_end(delivery)
        db.session.remove()

    def _check_bulk(self, key: uuid.UUID) -> None:
        done = db.session.get_one(Bulk, key)
        assert done.finished_at
        assert done.done + sum(done.skipped.values()) == done.total, "each row counts once"
        db.session.rollback()

    def _check_end(self, delivery: Delivery) -> None:
        is_deleted = delivery.webhook.state == State.DELETED
        assert is_deleted or delivery.status in FINAL
        attempts = db.session.scalars(db.select(Attempt).where(Attempt.delivery_id == delivery.id)).all()
        is_canceled = delivery.status == Status.CANCELED
        assert len(attempts) >= delivery.attempts > 0 or is_deleted or is_canceled, (
            "each attempt that was seen to its end is logged"
        )
        good = [attempt for attempt in attempts if not attempt.failure]
        assert bool(delivery.succeeded_at) <= bool(good)

    def _deliver_all(self, key: uuid.UUID) -> int:
        lease = self._lease(key)
        letters = engine.claim(key, lease.token, [])
        for letter in letters:
            self._check_turn(lease, letter)
        db.session.rollback()
        for letter in letters:
            self._answer(lease, letter, OK)
        return len(letters)

    def _answer(self, lease: Lease, letter: engine.Letter, result: Result) -> None:
        if result.ok:
            self.accepted[letter.headers["webhook-id"]] += 1
        engine.record(lease.token, [(letter, result)])
        db.session.commit()

    def _check_turn(self, lease: Lease, letter: engine.Letter) -> None:
        """Nothing of the same contact that is older waits, and nothing of it is in flight under the same lease."""
        if letter.trigger == Trigger.TEST:
            return
        mine = {(entry.contact_id, entry.seq) for entry in self._lane(LaneEntry.delivery_id == letter.delivery_id)}
        assert mine
        for contact, seq in mine:
            older = self._lane(
                LaneEntry.webhook_id == lease.webhook_id, LaneEntry.contact_id == contact, LaneEntry.seq < seq
            )
            assert not older, "a lane ran backwards"
        assert letter.delivery_id not in {one.delivery_id for owner, one in self.in_flight if owner is lease}

    def _lane(self, *conditions: Any) -> list[LaneEntry]:
        return list(db.session.scalars(db.select(LaneEntry).where(*conditions)))

    def _lease(self, key: uuid.UUID) -> Lease:
        """The living drain's lease, or the next one's, who waits until the one before it has run out."""
        if key not in self.leases:
            lease = Lease(key)
            while not lease.take():
                self.pass_time(31)
            self.leases[key] = lease
        return self.leases[key]

    def _deliveries(self) -> list[tuple[Delivery, int, bool]]:
        entries = (
            db.select(db.func.count())
            .select_from(LaneEntry)
            .where(LaneEntry.delivery_id == Delivery.id)
            .scalar_subquery()
        )
        found = db.session.execute(db.select(Delivery, entries, lanes.is_head()), execution_options=FRESH)
        return [(delivery, count, bool(is_head)) for delivery, count, is_head in found]

    def _pending(self) -> int:
        query = db.select(db.func.count()).select_from(Delivery).where(Delivery.status == Status.PENDING)
        found = db.session.scalar(query) or 0
        db.session.rollback()
        return found

    def _webhook(self, i: int) -> Webhook:
        return db.session.get_one(Webhook, self.webhooks[i % 2], populate_existing=True)

    def _pick(self, i: int) -> Delivery | None:
        found = list(db.session.scalars(db.select(Delivery).order_by(Delivery.seq)))
        return found[i % len(found)] if found else None


def _shift(row: Webhook | Delivery, by: timedelta, *names: str) -> None:
    for name in names:
        if at := getattr(row, name):
            setattr(row, name, at - by)


def test_whatever_happens_nothing_is_lost_and_order_is_kept(app: Flask) -> None:
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
