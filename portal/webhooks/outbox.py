"""Letters of one webhook on their way, sent side by side by as many threads as that takes, and no more.

Threads that wait for receivers cost nothing. Those that find an answer at once compute all the time, mostly wait for
the interpreter's lock, and make each other and everything else in the process slow.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, InvalidStateError, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field

from .letters import Letter
from .outbound import Result

LEAST = 2
EACH = 0.002
"""Seconds of an answer's time for which one more thread is worth it: about what a thread computes for a letter."""
STALL = 0.02
"""Seconds after which twice as many threads send what nobody has begun to send: receivers may have become slow."""
GATHER_LEAST, GATHER_MOST = 0.02, 0.04
"""Seconds that a first answer waits for others, to be written down with them: as long as it took itself, within these.
What is sent together is mostly answered together, and a transaction takes as long."""
MEMORY = 0.2
"""The weight of the newest answer in the usual time."""

# Drains bound them by their widths: one must never wait for another's receiver.
senders = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="send")
Answer = Future[Result | None]


@dataclass
class Outbox:
    """What was claimed and is not written down yet. All but `hear` is for the drain's own thread."""

    post: Callable[[Letter], Result | None]
    """Sends one, in one of many threads."""
    under_way: dict[Answer, Letter] = field(default_factory=dict)
    waiting: deque[tuple[Answer, Letter]] = field(default_factory=deque)
    """Those that no thread has begun to send."""
    bell: Answer = field(default_factory=Future)
    threads: int = 0
    usual: float = 0.0
    """Seconds that an answer takes."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, letters: Sequence[Letter]) -> None:
        """Send these, too."""
        for letter in letters:
            answer = Answer()
            self.under_way[answer] = letter
            self.waiting.append((answer, letter))
        self._hire(max(LEAST, int(self.usual / EACH)))

    def hear(self) -> None:
        """Called in another thread: there may be more to send."""
        with suppress(InvalidStateError):  # it rings already
            self.bell.set_result(None)

    def collect(self, seconds: float) -> list[tuple[Letter, Result | None]]:
        """Wait so long for answers or for the bell: for the first answer, and shortly for those that come with it."""
        began = time.monotonic()
        done = self._wait_for_one(began + seconds)
        if self.bell in done:
            self.bell = Answer()
        elif 0 < len(done) < len(self.under_way):
            wait(self.under_way, min(max(time.monotonic() - began, GATHER_LEAST), GATHER_MOST))
        ended = [answer for answer in self.under_way if answer.done()]
        return [(self.under_way.pop(answer), answer.result()) for answer in ended]

    def _wait_for_one(self, until: float) -> Collection[Answer]:
        done: Iterable[Answer] = ()
        while not done and (left := until - time.monotonic()) > 0:
            done, _ = wait([*self.under_way, self.bell], min(left, STALL) if self.waiting else left, FIRST_COMPLETED)
            if not done and self.waiting:
                self._hire(2 * self.threads)
        return set(done)

    def _hire(self, wanted: int) -> None:
        with self.lock:
            for _ in range(min(wanted - self.threads, len(self.waiting))):
                self.threads += 1
                senders.submit(self._work)

    def _work(self) -> None:
        """In a sender thread: send what waits, until nothing does."""
        while found := self._next():
            answer, letter = found
            began = time.monotonic()
            try:
                answer.set_result(self.post(letter))
            except BaseException as error:
                answer.set_exception(error)
            self.usual += MEMORY * (time.monotonic() - began - self.usual)

    def _next(self) -> tuple[Answer, Letter] | None:
        with self.lock:
            if self.waiting:
                return self.waiting.popleft()
            self.threads -= 1
            return None
