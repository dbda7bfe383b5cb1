"""Bounded look-ups: `getaddrinfo` has neither a time limit nor a socket that could be shut, so it gets a thread."""

import os
import socket
from collections.abc import Iterable
from concurrent.futures import Future
from ipaddress import ip_address
from itertools import zip_longest
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic

from .addresses import Address
from .result import Failed, Failure

_SLOTS = 64  # look-ups at a time in this process; a thread that waits for DNS costs next to nothing


class Resolver:
    """Looks names up, each in a daemon thread of its own, which at exit is left behind and not waited for.

    A name that is being looked up already is waited for and not asked again: so a name whose servers hang holds one
    slot, however many sends are waiting for it.
    """

    def __init__(self, slots: int = _SLOTS) -> None:
        self._free = BoundedSemaphore(slots)
        self._lock = Lock()
        self._running: dict[str, Future[tuple[Address, ...]]] = {}

    def resolve(self, name: str, seconds: float) -> tuple[Address, ...]:
        """All addresses of `name`, IPv6 and IPv4 in turn, within `seconds`.

        Raises Failed: `dns_failed` when there are none, `dns_timeout` when the answer does not come, and `internal`
        when no slot or thread became free for asking.
        """
        until = monotonic() + seconds
        future = self._look_up(name, seconds)
        try:
            error = future.exception(timeout=max(until - monotonic(), 0.0))
        except TimeoutError:
            raise Failed(Failure.DNS_TIMEOUT) from None
        if error is not None:
            raise Failed(error.failure if isinstance(error, Failed) else Failure.DNS_FAILED) from error
        return future.result()

    def _look_up(self, name: str, seconds: float) -> Future[tuple[Address, ...]]:
        with self._lock:
            running = self._running.get(name)
            if running is not None:
                return running
            future = self._running[name] = Future()
        if not self._free.acquire(timeout=seconds):
            self._end(name, future, Failed(Failure.INTERNAL, "no look-up slot became free"))
            return future
        try:
            Thread(target=self._run, args=(name, future), name="outbound-lookup", daemon=True).start()
        except RuntimeError:  # no more threads
            self._free.release()
            self._end(name, future, Failed(Failure.INTERNAL, "no thread for the look-up"))
        return future

    def _run(self, name: str, future: Future[tuple[Address, ...]]) -> None:
        try:
            outcome: tuple[Address, ...] | Exception = _addresses(name)
        except Exception as error:
            outcome = error
        self._free.release()
        self._end(name, future, outcome)

    def _end(self, name: str, future: Future[tuple[Address, ...]], outcome: tuple[Address, ...] | Exception) -> None:
        with self._lock:
            del self._running[name]
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _addresses(name: str) -> tuple[Address, ...]:
    """Ask the system's resolver. Raises OSError (gaierror) or UnicodeError when it has no answer."""
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    found: list[Address] = [ip_address(text) for text in dict.fromkeys(_text(answer[4]) for answer in answers)]
    # In turn, so that of the few that are tried some are IPv4 even where IPv6 leads nowhere.
    v6 = [address for address in found if address.version == 6]
    v4 = [address for address in found if address.version == 4]
    first, second = (v4, v6) if found[:1] == v4[:1] else (v6, v4)
    pairs: Iterable[tuple[Address | None, Address | None]] = zip_longest(first, second)
    return tuple(address for pair in pairs for address in pair if address is not None)


def _text(sockaddr: tuple[object, ...]) -> str:
    """The address of a socket address, without the zone of a link-local one: it would hide from comparisons."""
    return str(sockaddr[0]).partition("%")[0]


RESOLVER = Resolver()


def _start_afresh() -> None:
    """A forked child has none of its parent's threads, and perhaps its locks in a locked state."""
    RESOLVER.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_start_afresh)
