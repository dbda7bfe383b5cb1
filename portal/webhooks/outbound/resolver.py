"""Bounded look-ups: `getaddrinfo` has neither a time limit nor a socket that could be shut, so it gets a thread."""

import os
import socket
from collections.abc import Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import zip_longest
from threading import Condition, Thread
from time import monotonic

from .addresses import Address
from .result import Failed, Failure

_SLOTS = 64  # look-ups at a time in this process; a thread that waits for DNS costs next to nothing
_SHARE = 4  # of them for one webhook, which mostly has one name


@dataclass(frozen=True, slots=True)
class _LookUp:
    """A name that is being looked up, and who asked first."""

    name: str
    owner: Hashable
    answer: Future[tuple[Address, ...]]


class Resolver:
    """Looks names up, each in a daemon thread of its own, which at exit is left behind and not waited for.

    A name that is being looked up already is waited for and not asked again: so a name whose servers hang holds one
    slot, however many sends are waiting for it. And one owner holds at most `share` of the slots: whoever has many
    names that hang waits for them alone.
    """

    def __init__(self, slots: int = _SLOTS, share: int = _SHARE) -> None:
        self._slots = slots
        self._share = share
        self._changed = Condition()
        self._running: dict[str, _LookUp] = {}

    def resolve(self, name: str, seconds: float, owner: Hashable) -> tuple[Address, ...]:
        """All addresses of `name`, IPv6 and IPv4 in turn, within `seconds`.

        Raises Failed: `dns_failed` when there are none, `dns_timeout` when the answer does not come or other names
        of the owner keep it waiting, and `internal` when no slot or thread became free for asking.
        """
        until = monotonic() + seconds
        answer = self._look_up(name, seconds, owner).answer
        try:
            error = answer.exception(timeout=max(until - monotonic(), 0.0))
        except TimeoutError:
            raise Failed(Failure.DNS_TIMEOUT) from None
        if error is not None:
            raise Failed(error.failure if isinstance(error, Failed) else Failure.DNS_FAILED) from error
        return answer.result()

    def _look_up(self, name: str, seconds: float, owner: Hashable) -> _LookUp:
        with self._changed:
            self._changed.wait_for(lambda: name in self._running or self._has_room(owner), seconds)
            if name in self._running:
                return self._running[name]
            if self._has_used_up(owner):
                raise Failed(Failure.DNS_TIMEOUT)
            if not self._has_room(owner):
                raise Failed(Failure.INTERNAL, "no look-up slot became free")
            look_up = self._running[name] = _LookUp(name, owner, Future())
        try:
            Thread(target=self._run, args=(look_up,), name="outbound-lookup", daemon=True).start()
        except RuntimeError:  # no more threads
            self._end(look_up, Failed(Failure.INTERNAL, "no thread for the look-up"))
        return look_up

    def _has_room(self, owner: Hashable) -> bool:
        return len(self._running) < self._slots and not self._has_used_up(owner)

    def _has_used_up(self, owner: Hashable) -> bool:
        return sum(look_up.owner == owner for look_up in self._running.values()) >= self._share

    def _run(self, look_up: _LookUp) -> None:
        try:
            outcome: tuple[Address, ...] | Exception = _addresses(look_up.name)
        except Exception as error:
            outcome = error
        self._end(look_up, outcome)

    def _end(self, look_up: _LookUp, outcome: tuple[Address, ...] | Exception) -> None:
        with self._changed:
            del self._running[look_up.name]
            self._changed.notify_all()
        if isinstance(outcome, Exception):
            look_up.answer.set_exception(outcome)
        else:
            look_up.answer.set_result(outcome)


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
# A forked child has none of its parent's threads, and perhaps its locks in a locked state.
os.register_at_fork(after_in_child=RESOLVER.__init__)  # type: ignore[misc]
