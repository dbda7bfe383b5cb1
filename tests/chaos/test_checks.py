"""Each check of the storm can fail: the facts of a good day, and what each broken promise makes of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from portal.webhooks.models import EventType, Status
from tests.chaos import checks
from tests.chaos.checks import judge
from tests.chaos.facts import Fact, Facts, Sent
from tests.chaos.faults import Fault, Kind
from tests.chaos.people import Save
from tests.chaos.site import PACE
from tests.sink import Arrival

CREATED, UPDATED = EventType.CREATED, EventType.UPDATED
KILL = Fault(Kind.KILL_WORKER, 100, 100.1, is_last=True)
Change = Callable[[Facts], object]


def arrival(at: float, event: str = "msg_1", status: int = 200, **other: float) -> Arrival:
    body = {"msg_1": b"word-1.", "msg_2": b"word-2."}[event]
    made = int(other.get("made", at))
    return Arrival(at, "hook", event, 1, "automatic", made, Fact(CREATED, "c", body).digest, status)


@pytest.fixture
def facts() -> Facts:
    """A contact made and changed; its second delivery waited for a new worker."""
    return Facts(
        contacts={"c": "word-2."},
        events={"msg_1": Fact(CREATED, "c", b"word-1."), "msg_2": Fact(UPDATED, "c", b"word-2.")},
        sent={
            ("hook", "msg_1"): Sent(1, Status.SUCCEEDED, 10),
            ("hook", "msg_2"): Sent(2, Status.SUCCEEDED, 20),
        },
        failed_attempts=Counter(),
        attempts=2,
        arrivals=[arrival(11), arrival(101, "msg_2")],
        delays={"hook": 0},
        saves=[Save(CREATED, "c", "word-1.", 9, 10, True), Save(UPDATED, "c", "word-2.", 19, 20, True)],
        faults=[KILL],
        exits=[(0, 1)],
        saved_without_redis=1,
        passed=0,
        kills=1,
        planned=2,
        stuck="",
    )


def broken(facts: Facts) -> set[str]:
    """The checks that say no."""
    return {check.__name__ for check in checks.CHECKS if not check(facts).held}


def test_on_a_good_day_all_promises_hold(facts: Facts) -> None:
    assert [verdict for verdict in judge(facts) if not verdict.held] == []


def lose_one(facts: Facts) -> None:
    del facts.arrivals[1]


def leave_one_pending(facts: Facts) -> None:
    facts.sent["hook", "msg_2"] = Sent(2, Status.PENDING, 20)


def forget_an_answered_save(facts: Facts) -> None:
    facts.saves.append(Save(UPDATED, "c", "word-3.", 29, 30, True))


def change_without_event(facts: Facts) -> None:
    facts.contacts["c"] = "word-3."


def commit_half(facts: Facts) -> None:
    facts.delays["other"] = 0


def make_one_up(facts: Facts) -> None:
    del facts.sent["hook", "msg_2"]


def change_a_byte(facts: Facts) -> None:
    facts.arrivals[1] = replace(facts.arrivals[1], digest=b"")


def overtake(facts: Facts) -> None:
    facts.arrivals = [arrival(11, "msg_2"), arrival(12)]


def send_before_the_answer(facts: Facts) -> None:
    facts.delays["hook"] = 100


def repeat_an_old_one(facts: Facts) -> None:
    facts.arrivals.append(arrival(102))


def repeat_without_a_cause(facts: Facts) -> None:
    facts.arrivals.insert(1, arrival(12))


def repeat_too_many(facts: Facts) -> None:
    for number in range(PACE.max_width + 1):
        event = f"msg_1{number}"
        facts.sent["hook", event] = Sent(10 + number, Status.SUCCEEDED, 90)
        facts.events[event] = Fact(UPDATED, f"c{number}", b"word-1.")
        facts.arrivals += [replace(arrival(at), event_id=event) for at in (99, 104)]


def never_settle(facts: Facts) -> None:
    facts.stuck = "never came: every delivery ends"


def recover_late(facts: Facts) -> None:
    facts.arrivals[1] = arrival(101 + checks.RECOVERY_LEASES * PACE.lease, "msg_2")


def end_with_an_error(facts: Facts) -> None:
    facts.exits.append((1, 1))


def end_late(facts: Facts) -> None:
    facts.exits.append((0, 26))


def save_nothing_without_redis(facts: Facts) -> None:
    facts.saved_without_redis = 0


def kill_too_few(facts: Facts) -> None:
    facts.kills = 2


@pytest.mark.parametrize(
    ("change", "says_no"),
    [
        (lose_one, "nothing_is_lost"),
        (leave_one_pending, "everything_ends"),
        (forget_an_answered_save, "answered_saves_are_committed"),
        (change_without_event, "every_change_has_its_event"),
        (commit_half, "commits_are_whole"),
        (make_one_up, "nothing_is_made_up"),
        (change_a_byte, "bytes_are_the_same"),
        (overtake, "order_is_kept"),
        (send_before_the_answer, "order_is_kept"),
        (repeat_an_old_one, "order_is_kept"),
        (repeat_without_a_cause, "repeats_have_a_cause"),
        (repeat_too_many, "repeats_have_a_cause"),
        (never_settle, "everything_ends"),
        (recover_late, "killed_workers_are_replaced"),
        (end_with_an_error, "workers_stop"),
        (end_late, "workers_stop"),
        (save_nothing_without_redis, "saving_goes_on"),
        (kill_too_few, "the_storm_was_whole"),
    ],
)
def test_each_check_can_fail(facts: Facts, change: Change, says_no: str) -> None:
    change(facts)
    assert says_no in broken(facts)


def test_what_a_sleeper_sends_when_it_wakes_is_no_inversion_if_it_only_repeats(facts: Facts) -> None:
    facts.faults.append(Fault(Kind.SUSPEND, 10.5, 102))
    facts.arrivals.append(arrival(102, made=10))
    assert broken(facts) == set()


def test_a_repeat_is_put_down_to_the_fault_that_it_was_in_flight_at(facts: Facts) -> None:
    facts.faults = [Fault(Kind.KILL_WORKER, 12, 12.1), Fault(Kind.KILL_WORKER, 14, 14.1), KILL]
    facts.arrivals.insert(1, arrival(15.5))
    assert checks.repeats(facts).causes == {(12, "hook"): 1}
