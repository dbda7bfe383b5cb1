"""Letters on their way: few threads for quick receivers, more for slow ones, and nobody waits for another."""

import threading
from typing import Any, cast

import pytest

from portal.webhooks import outbox
from portal.webhooks.letters import Letter
from portal.webhooks.outbound import Phases, Result
from portal.webhooks.outbox import LEAST, Outbox

OK = Result(status=200, phases=Phases(), duration_ms=1.0)
LIMIT = 60
"""Seconds; only a limit for what never comes."""


def letters(*names: str) -> list[Letter]:
    """Nobody but the test looks into them."""
    return cast(list[Letter], list(names))


def collected(box: Outbox, count: int) -> list[Any]:
    """So many answers, in the order in which they were collected."""
    found: list[Any] = []
    while len(found) < count:
        found += box.collect(LIMIT)
    return found


def test_what_is_answered_at_once_is_sent_by_few_threads() -> None:
    used: set[str] = set()

    def post(_: Letter) -> Result:
        used.add(threading.current_thread().name)
        return OK

    box = Outbox(post)
    box.add(letters(*map(str, range(16))))
    found = collected(box, 16)
    assert sorted(found) == sorted((str(number), OK) for number in range(16))
    assert len(used) <= LEAST
    assert box.under_way == {}


def test_those_that_wait_for_a_slow_receiver_hold_nobody_up() -> None:
    here = threading.Barrier(16)

    def post(_: Letter) -> Result:
        here.wait(LIMIT)  # none is answered before all are there
        return OK

    box = Outbox(post)
    box.add(letters(*map(str, range(16))))
    assert len(collected(box, 16)) == 16


def test_a_receiver_that_is_known_to_be_slow_gets_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "STALL", LIMIT)
    here = threading.Barrier(16)

    def post(_: Letter) -> Result:
        here.wait(LIMIT)
        return OK

    box = Outbox(post, usual=16 * outbox.EACH)
    box.add(letters(*map(str, range(16))))
    assert len(collected(box, 16)) == 16


def test_a_bell_ends_the_wait_and_the_next_one_is_heard_as_well() -> None:
    answered = threading.Event()
    box = Outbox(lambda _: OK if answered.wait(LIMIT) else None)
    box.add(letters("slow"))
    for _ in range(2):
        box.hear()
        box.hear()  # twice is once
        assert box.collect(LIMIT) == []
    answered.set()
    assert collected(box, 1) == [("slow", OK)]


def test_what_goes_wrong_is_told_to_the_drain() -> None:
    def post(_: Letter) -> Result:
        raise ZeroDivisionError

    box = Outbox(post)
    box.add(letters("one"))
    with pytest.raises(ZeroDivisionError):
        box.collect(LIMIT)
