"""The deadline that nothing can talk its way out of.

A socket's timeout starts anew with every byte: a receiver that sends one a second holds a thread for hours. So one
thread of the process watches all exchanges and shuts the socket of whichever is overdue.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

log = logging.getLogger(__name__)


class Guarded(Protocol):
    """What can be watched."""

    @property
    def deadline(self) -> float:
        """When it is overdue, by the monotonic clock."""

    def expire(self) -> None:
        """End it now, from another thread, without blocking."""


class Watchdog:
    """Expires what is overdue. Its thread sleeps until the earliest deadline that it knew when it fell asleep: as
    deadlines mostly lie equally far ahead, guarding one more hardly ever wakes it, and costs a few microseconds."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._guarded: set[Guarded] = set()
        self._wakes_at = inf
        self._thread: Thread | None = None

    @contextmanager
    def guarding(self, guarded: Guarded) -> Iterator[None]:
        """Expire `guarded` if it is overdue before the block ends; never after that."""
        self._add(guarded)
        try:
            yield
        finally:
            with self._changed:
                self._guarded.discard(guarded)

    def _add(self, guarded: Guarded) -> None:
        with self._changed:
            if self._thread is None:
                thread = Thread(target=self._watch, name="outbound-watchdog", daemon=True)
                thread.start()
                self._thread = thread
            self._guarded.add(guarded)
            if guarded.deadline < self._wakes_at:
                self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                self._expire_overdue()
                self._wakes_at = min((guarded.deadline for guarded in self._guarded), default=inf)
                self._changed.wait(None if self._wakes_at == inf else max(self._wakes_at - monotonic(), 0.0))

    def _expire_overdue(self) -> None:
        now = monotonic()
        for guarded in [guarded for guarded in self._guarded if guarded.deadline <= now]:
            self._guarded.discard(guarded)
            try:
                guarded.expire()
            except Exception:  # the thread must live: without it every deadline is gone
                log.exception("An overdue exchange could not be ended")


WATCHDOG = Watchdog()
# A forked child has none of its parent's threads, and perhaps its locks in a locked state.
os.register_at_fork(after_in_child=WATCHDOG.__init__)  # type: ignore[misc]
