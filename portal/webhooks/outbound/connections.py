"""Connections to checked addresses, and the few that are kept alive.

Each looks its name up once and connects to an address that the address rule has passed: between check and connect
there is no second look-up that could answer otherwise. The name stays for the Host header, SNI and the certificate.
"""

import errno
import io
import logging
import socket
import ssl
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPResponse
from threading import Lock
from time import monotonic
from typing import Any, Self

from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from . import tls
from .addresses import Address, objection
from .exchange import Exchange
from .resolver import RESOLVER
from .result import Failed, Failure
from .urls import Target

# What it warns about, receivers decide: they could fill the log, and with URLs, which may hold keys.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_TRIES = 4  # addresses of a name that are tried
_OWN_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Connection(HTTPConnection):
    """A connection to one receiver, http or https, carrying one exchange at a time."""

    def __init__(self, exchange: Exchange, owner: Hashable) -> None:
        target = exchange.target
        super().__init__(target.host, target.port)
        self.exchange = exchange
        self.owner = owner
        self.origin = _origin(target)
        self.address: Address | None = None  # to which it is connected
        self.pool = _PoolOfOne(self)

    def connect(self) -> None:
        """Look up, check, connect, shake hands. Raises Failed."""
        exchange = self.exchange
        addresses = _checked_addresses(exchange, self.owner)
        with exchange.phase("connect"):
            self.address, self.sock = _connect(exchange, addresses)
        exchange.watch(self.sock)
        if exchange.target.scheme == "https":
            with exchange.phase("tls"):
                self.sock = secured = _secured(exchange, self.sock)
                _shake_hands(secured)

    def carry(self, exchange: Exchange) -> None:
        """Make ready to carry this exchange, connecting unless an earlier one has left the connection open."""
        self.exchange = exchange
        exchange.resumed = self.address is not None
        if self.address is None:
            self.connect()
        else:
            exchange.remote = _endpoint(self.address, exchange.target.port)
            exchange.watch(self.sock)

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:  # type: ignore[override]
        """http.client makes its answers by this name; ours read through the meter."""
        return _Answer(_Meter(sock, self.exchange), *args, **kwargs)  # type: ignore[arg-type]


class _PoolOfOne(HTTPConnectionPool):
    """The pool that urllib3 wants for a request, holding the one connection that is meant for it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.host, connection.port)
        self._connection = connection

    def _get_conn(self, timeout: float | None = None) -> Connection:
        return self._connection

    def _put_conn(self, conn: object) -> None:
        """The answer was read to its end. After any other urllib3 closes the connection, which is what `lend` sees."""


class _Answer(HTTPResponse):
    """http.client's answer, but no interim one (RFC 9110, section 15.2) is taken for the final one."""

    def begin(self) -> None:
        super().begin()
        while HTTPStatus.SWITCHING_PROTOCOLS < self.status < HTTPStatus.OK:
            self.headers = None  # type: ignore[assignment]  # begin once more; it skips 100 by itself
            super().begin()


class _Meter(io.RawIOBase):
    """What comes from the socket, counted and timed, until the exchange has read enough."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._exchange = exchange

    def makefile(self, _mode: str) -> io.BufferedReader:
        """HTTPResponse takes this for a socket, and asks it for a file."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer) or 0
        self._exchange.receive(count)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class Connections:
    """The idle connections of one drain, which means of one webhook: never shared between workspaces.

    Safe for the threads of that drain. `owner` is whoever shares a bound on look-ups, over all its drains: the
    webhook's key. `keep` is how many connections are kept for each origin.
    """

    def __init__(self, owner: Hashable = None, keep: int = 16) -> None:
        self._owner = self if owner is None else owner
        self._keep = keep
        self._idle: defaultdict[tuple[str, str, int], list[Connection]] = defaultdict(list)
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is idle now, and what is in use as soon as it is done."""
        with self._lock:
            self._keep = 0
            idle = [connection for connections in self._idle.values() for connection in connections]
            self._idle.clear()
        for connection in idle:
            connection.close()

    @contextmanager
    def lend(self, exchange: Exchange, *, fresh: bool = False) -> Iterator[Connection]:
        """A connection for the exchange: an idle one if there is one and `fresh` is False, else one to be connected.

        It is kept afterwards if the block succeeds and has left it open, else closed.
        """
        connection = None if fresh else self._take(exchange)
        if connection is None:
            connection = Connection(exchange, self._owner)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if connection.is_closed or not self._put_back(connection):
            connection.close()

    def _take(self, exchange: Exchange) -> Connection | None:
        """The connection that was used last and is still fit: open, silent, and to an address still allowed."""
        while True:
            with self._lock:
                idle = self._idle.get(_origin(exchange.target))
                if not idle:
                    return None
                connection = idle.pop()
            if connection.is_connected and connection.address and not objection(connection.address, exchange.allowed):
                return connection
            connection.close()

    def _put_back(self, connection: Connection) -> bool:
        with self._lock:
            idle = self._idle[connection.origin]
            if len(idle) >= self._keep:
                return False
            idle.append(connection)
            return True


def _origin(target: Target) -> tuple[str, str, int]:
    return target.scheme, target.host, target.port


def _checked_addresses(exchange: Exchange, owner: Hashable) -> tuple[Address, ...]:
    """The addresses of the target, all of which may be reached. Raises Failed.

    One bad answer among good ones refuses the name: a name that is public and private at once is no accident.
    """
    target = exchange.target
    if target.address is not None:
        addresses: tuple[Address, ...] = (target.address,)
    else:
        with exchange.phase("dns"):
            addresses = RESOLVER.resolve(target.host, min(exchange.limits.resolve, exchange.remaining()), owner)
    if not addresses or any(objection(address, exchange.allowed) for address in addresses):
        raise Failed(Failure.BLOCKED_ADDRESS if addresses else Failure.DNS_FAILED)
    return addresses


def _connect(exchange: Exchange, addresses: tuple[Address, ...]) -> tuple[Address, socket.socket]:
    """Connect to the first address that takes it. Raises Failed with the name of the last try's failure.

    What is left of the time for connecting is shared among the addresses that are left: one that swallows every
    packet does not use up the others' turn.
    """
    until = monotonic() + exchange.limits.connect
    tries = addresses[:_TRIES]
    failed = Failed(Failure.UNREACHABLE)
    for tried, address in enumerate(tries):
        share = max(until - monotonic(), 0.001) / (len(tries) - tried)
        exchange.remote = _endpoint(address, exchange.target.port)
        try:
            return address, dial(address, exchange.target.port, min(share, exchange.remaining()))
        except OSError as error:
            failed = Failed(_name_of_dial(error))
    raise failed


def dial(address: Address, port: int, seconds: float) -> socket.socket:
    """Open a TCP connection: the only line of the portal that contacts an address given by a user. Raises OSError."""
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(seconds)
        sock.connect((str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


def _name_of_dial(error: OSError) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT_CONNECT
    if isinstance(error, ConnectionRefusedError):
        return Failure.REFUSED
    return Failure.INTERNAL if error.errno in _OWN_FAULT else Failure.UNREACHABLE


def _secured(exchange: Exchange, sock: socket.socket) -> ssl.SSLSocket:
    """The connected socket, made ready for TLS under the name in the URL."""
    secured = tls.context().wrap_socket(sock, server_hostname=exchange.target.host, do_handshake_on_connect=False)
    # Wrapping has emptied the old socket object: the watchdog must hold the new one before anything is awaited on it.
    exchange.watch(secured)
    secured.settimeout(exchange.remaining())
    return secured


def _shake_hands(sock: ssl.SSLSocket) -> None:
    """Agree on keys, and check the certificate against the name. Raises Failed or OSError."""
    try:
        sock.do_handshake()
    except ssl.SSLError as error:
        raise tls.failed(error) from error


def _endpoint(address: Address, port: int) -> str:
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
