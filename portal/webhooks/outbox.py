"""Letters of one webhook on their way, sent side by side by as many threads as that takes, and no more.

Threads that wait for receivers cost nothing. Those that find an answer at once compute all the time, mostly wait for
the interpreter's lock, and make each other and everything else in the process slow.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .letters import Letter
from .outbound import Result

EACH = 0.002
"""Seconds of an answer's time for which one more thread is worth it: about what a thread computes for a letter."""
STALL = 0.02
"""Seconds after which twice as many threads send what nobody has begun to send: receivers may have become slow."""
QUIET, GATHER_MOST = 0.02, 0.1
"""Answers wait for others, to be written down with them, until for so long none came, and never longer than this. What
is sent together is mostly answered together, and a transaction takes as long for many as for one."""
MEMORY = 0.2
"""The weight of the newest answer in the usual time."""

# Drains bound them by their widths: one must never wait for another's receiver.
senders = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="send")


@dataclass
class Outbox:
    """What was claimed and is not written down yet. All but `hear` is for the drain's own thread."""

    post: Callable[[Letter], Result | None]
    """Sends one, in one of many threads."""
    usual: float = 0.0
    """Seconds that an answer takes."""
    under_way: list[Letter] = field(default_factory=list)
    """Those whose answers were not collected."""
    waiting: deque[Letter] = field(default_factory=deque)
    """Those that no thread has begun to send."""
    answers: list[tuple[Letter, Result | None]] = field(default_factory=list)
    wanted: int = 0
    """The drain sleeps until there are so many answers: waking it for each one costs as much as sending one."""
    rings: bool = False
    threads: int = 0
    error: BaseException | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, letters: Sequence[Letter]) -> None:
        """Send these, too."""
        with self.changed:
            self.under_way += letters
            self.waiting += letters
            self._hire(max(1, int(self.usual / EACH)))

    def hear(self) -> None:
        """Called in another thread: there may be more to send."""
        with self.changed:
            self.rings = True
            self.changed.notify()

    def collect(self, seconds: float) -> list[tuple[Letter, Result | None]]:
        """Wait so long for answers or for the bell: for the first answer, and shortly for those that come with it."""
        began = time.monotonic()
        with self.changed:
            self._sleep_until(len(self.under_way), min(seconds, QUIET))  # long enough for those who answer at once
            if not self.answers:
                self._sleep_until(1, began + seconds - time.monotonic())
            self._gather()
            ended, self.answers, self.rings = self.answers, [], False
        if self.error:
            raise self.error
        answered = {id(letter) for letter, _ in ended}
        self.under_way = [letter for letter in self.under_way if id(letter) not in answered]
        return ended

    def _gather(self) -> None:
        ends, before = time.monotonic() + GATHER_MOST, 0
        while before < len(self.answers) < len(self.under_way) and not self.rings and time.monotonic() < ends:
            before = len(self.answers)
            self._sleep_until(len(self.under_way), QUIET)

    def _sleep_until(self, wanted: int, seconds: float) -> None:
        """Until there are so many answers, the bell rings, something went wrong or the time is over."""
        self.wanted, until = wanted, time.monotonic() + seconds
        while len(self.answers) < wanted and not (self.rings or self.error) and (left := until - time.monotonic()) > 0:
            begun = len(self.waiting)
            self.changed.wait(min(left, STALL) if self.waiting else left)
            if self.waiting and len(self.waiting) == begun:
                self._hire(2 * self.threads)

    def _hire(self, wanted: int) -> None:
        for _ in range(min(wanted - self.threads, len(self.waiting))):
            self.threads += 1
            senders.submit(self._work)

    def _work(self) -> None:
        """In a sender thread: send what waits, until nothing does."""
        answer = None
        while (letter := self._hand_over(answer)) is not None:
            began = time.monotonic()
            try:
                answer = letter, self.post(letter)
            except BaseException as error:
                self.error, answer = error, (letter, None)  # for the drain
            self.usual += MEMORY * (time.monotonic() - began - self.usual)

    def _hand_over(self, answer: tuple[Letter, Result | None] | None) -> Letter | None:
        """Give the drain an answer, and take what is to be sent next."""
        with self.changed:
            if answer:
                self.answers.append(answer)
                if len(self.answers) >= self.wanted or self.error:
                    self.changed.notify()
            if self.waiting:
                return self.waiting.popleft()
            self.threads -= 1
            return None
