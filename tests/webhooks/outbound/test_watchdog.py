"""The watchdog: one thread, every deadline."""

import os
import socket
import threading
from time import monotonic

import pytest

from portal.webhooks.outbound.resolver import RESOLVER
from portal.webhooks.outbound.result import Failed
from portal.webhooks.outbound.watchdog import WATCHDOG, Watchdog


class Overdue:
    def __init__(self, seconds: float, *, faulty: bool = False) -> None:
        self.deadline = monotonic() + seconds
        self.ended = threading.Event()
        self.expired_at = 0.0
        self._faulty = faulty

    def expire(self) -> None:
        self.expired_at = monotonic()
        self.ended.set()
        if self._faulty:
            raise RuntimeError("it will not end")


def test_what_is_overdue_is_expired_and_not_before_its_time() -> None:
    overdue = Overdue(0.05)
    with Watchdog().guarding(overdue):
        assert overdue.ended.wait(60)
    assert overdue.expired_at >= overdue.deadline


def test_an_earlier_deadline_is_not_kept_waiting_by_a_later_one() -> None:
    watchdog = Watchdog()
    late, early = Overdue(3600), Overdue(0.05)
    with watchdog.guarding(late), watchdog.guarding(early):
        assert early.ended.wait(60)
        assert not late.ended.is_set()


def test_what_has_ended_is_left_alone() -> None:
    watchdog = Watchdog()
    done, guard = Overdue(0.05), Overdue(0.1)
    with watchdog.guarding(done):
        pass
    with watchdog.guarding(guard):
        assert guard.ended.wait(60)
    assert not done.ended.is_set()


def test_it_survives_what_will_not_end(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog()
    faulty, other = Overdue(0.02, faulty=True), Overdue(0.05)
    with watchdog.guarding(faulty), watchdog.guarding(other):
        assert other.ended.wait(60)
    assert "could not be ended" in caplog.text


def test_a_hundred_deadlines_take_one_thread() -> None:
    watchdog = Watchdog()
    before = threading.active_count()
    many = [Overdue(0.05 + number / 1000) for number in range(100)]
    guards = [watchdog.guarding(overdue) for overdue in many]
    for guard in guards:
        guard.__enter__()
    assert threading.active_count() <= before + 1
    assert all(overdue.ended.wait(60) for overdue in many)


def test_a_forked_worker_has_a_watchdog_and_a_resolver_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    answers = [(0, 0, 0, "", ("93.184.215.14", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: hanging.wait(60) and answers)
    with WATCHDOG.guarding(Overdue(3600)), pytest.raises(Failed, match="dns_timeout"):
        RESOLVER.resolve("hooks.example", 0.05, None)
    child = os.fork()
    hanging.set()
    if child == 0:
        succeeded = False
        try:
            overdue = Overdue(0.05)
            with WATCHDOG.guarding(overdue):
                succeeded = overdue.ended.wait(30) and bool(RESOLVER.resolve("hooks.example", 30, None))
        finally:
            os._exit(0 if succeeded else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
