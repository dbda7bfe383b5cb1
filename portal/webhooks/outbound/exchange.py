"""One exchange: a request and its answer, from the look-up of the name to the last byte."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Lock
from time import monotonic

from .addresses import Networks
from .result import Failed, Failure, Phases, Result
from .urls import Target


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one send may take, in seconds, and how much of the answer is read and kept, in bytes.

    `total` covers everything; `resolve` the look-up and `connect` the connection, all addresses together. Head and
    body of the answer are each read up to `read_bytes`; of the body `keep_bytes` are kept for people to look at.
    """

    connect: float = 5.0
    total: float = 15.0
    resolve: float = 5.0
    read_bytes: int = 64 * 1024
    keep_bytes: int = 16 * 1024


class Exchange:
    """What is known of an exchange while it lasts: its deadline, its socket, what has come so far."""

    def __init__(self, target: Target, allowed: Networks, limits: Limits) -> None:
        self.target = target
        self.allowed = allowed
        self.limits = limits
        self.started = monotonic()
        self.deadline = self.started + limits.total
        self.answer = Result()  # as far as it has come
        self.remote: str | None = None
        self.resumed = False  # whether it goes over a connection that was kept alive
        self.received = 0  # raw bytes of the answer
        self.at_end = False  # whether the receiver has ended its side
        self._readable = limits.read_bytes  # raw bytes that may still be read
        self._phases: dict[str, float] = {}
        self._asked_at: float | None = None
        self._answered_at: float | None = None
        self._socket: socket.socket | None = None
        self._expired = False  # whether the watchdog has been here
        self._lock = Lock()

    # the deadline

    @property
    def overdue(self) -> bool:
        """Whether the deadline has passed: the socket is shut or about to be, and what was read cannot be trusted."""
        return monotonic() >= self.deadline

    def remaining(self) -> float:
        """Seconds until the deadline; raises Failed when there are none."""
        left = self.deadline - monotonic()
        if left <= 0:
            raise Failed(Failure.TIMEOUT_TOTAL)
        return left

    def watch(self, sock: socket.socket) -> None:
        """From now on this is the socket that the watchdog would shut."""
        with self._lock:
            self._socket = sock
            if self._expired:
                _shut(sock)

    def expire(self) -> None:
        """Called by the watchdog at the deadline: who reads from the socket or writes to it gets its end at once."""
        with self._lock:
            self._expired = True
            if self._socket is not None:
                _shut(self._socket)

    # what is read

    def receive(self, count: int) -> None:
        """Note that `count` raw bytes of the answer came, 0 for its end; raises Failed when they are too many."""
        if self._answered_at is None and count:
            self._answered_at = monotonic()
        self.received += count
        self.at_end = count == 0
        self._readable -= count
        if self._readable < 0:
            raise Failed(Failure.BAD_ANSWER, "larger than the limit")

    def begin_body(self) -> None:
        """The head is complete: the body has a limit of its own."""
        self._readable = self.limits.read_bytes

    # the times

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block as one of the Phases `dns`, `connect` and `tls`, whether it succeeds or fails."""
        began = monotonic()
        try:
            yield
        finally:
            self._phases[name] = (monotonic() - began) * 1000

    def ask(self) -> None:
        """The request begins now."""
        self._asked_at = monotonic()

    def _timed(self, now: float) -> Phases:
        if self._asked_at is not None and self._answered_at is not None:
            self._phases["first_byte"] = (self._answered_at - self._asked_at) * 1000
            self._phases["body"] = (now - self._answered_at) * 1000
        return Phases(**self._phases)

    # the end

    def result(self, failure: Failure | None, reason: str = "") -> Result:
        """What came of it: all that is known of the answer, and the name of the failure if it is one."""
        now = monotonic()
        return replace(
            self.answer,
            failure=failure,
            reason=reason or self.answer.reason,
            remote=self.remote,
            phases=self._timed(now),
            duration_ms=(now - self.started) * 1000,
        )


def _shut(sock: socket.socket) -> None:
    """Shut the TCP connection. Not `sock.shutdown`: of a TLS socket it also drops the cipher under a reader's feet."""
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
