"""`send`: one message to one URL, one Result. It takes whatever the URL and the network do to it, and never raises.

requests carries the message, over connections of our own (`connections`), watched by our own deadline (`watchdog`).
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from http.client import HTTPException, IncompleteRead
from ipaddress import IPv4Network, IPv6Network
from typing import Any, cast

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import BaseHTTPResponse, HTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import InvalidHeader

from . import urls
from .connections import Connection, Connections
from .exchange import Exchange, Limits
from .headers import HeadersRefused, check_grammar
from .result import Failed, Failure, Result, failure_of_status, retry_after
from .urls import Target, UrlRefused
from .watchdog import WATCHDOG

log = logging.getLogger(__name__)

_CHUNK = 16 * 1024  # bytes asked of the answer's body at a time
_MAX_REASON = 200  # characters kept of an answer's reason phrase
_MAX_LENGTH = 2**63 - 1  # a declared length above this is a joke that no database column takes
_USER_AGENT = "CloudCX-Webhooks/1"
_FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "expect"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DEFAULT_LIMITS = Limits()

# How what the standard library raises while talking is named; the first that fits.
_NAMES: tuple[tuple[type[Exception], Failure], ...] = (
    (IncompleteRead, Failure.CUT_SHORT),
    (TimeoutError, Failure.TIMEOUT_TOTAL),
    (OSError, Failure.RESET),
    (HTTPException, Failure.BAD_ANSWER),
    (InvalidHeader, Failure.BAD_ANSWER),
)


def send(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    allowed: Iterable[IPv4Network | IPv6Network] = (),
    pool: Connections | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> Result:
    """POST `body` to `url`, and say what came of it, within `limits.total` seconds.

    `headers` are sent as they are, apart from those that frame the message (Host, Content-Length, ...), which are set
    here. `allowed` are networks that may be reached although they are not public. `pool` keeps the connection alive
    for the next send to the same webhook; without one it is closed.
    """
    networks = tuple(allowed)
    try:
        target = urls.parse(url, networks)
        check_grammar(headers)
    except UrlRefused as refusal:
        return Result(failure=refusal.failure, reason=refusal.message)
    except HeadersRefused as refusal:
        return Result(failure=Failure.HEADERS_REFUSED, reason=refusal.message)
    exchange = Exchange(target, networks, limits)
    request = _Request(target, headers, body, keep_alive=pool is not None)
    try:
        _carry_out(exchange, request, Connections(keep=0) if pool is None else pool)
    except Exception as error:
        failed = _named(error)
        return exchange.result(failed.failure, failed.reason)
    return exchange.result(failure_of_status(exchange.answer.status or 0))


def _carry_out(exchange: Exchange, request: "_Request", pool: Connections) -> None:
    """Send the request, and once more over a new connection if the first was kept alive and turns out to be stale.

    A receiver may close an idle connection at any time, also while the request is on its way. Only if no byte of an
    answer came can that be told from an answer that was cut short.
    """
    try:
        _attempt(exchange, request, pool)
    except Exception as error:
        stale = exchange.resumed and not exchange.received and _named(error).failure is Failure.RESET
        if not stale:
            raise
        _attempt(exchange, request, pool, fresh=True)


def _attempt(exchange: Exchange, request: "_Request", pool: Connections, *, fresh: bool = False) -> None:
    with pool.lend(exchange, fresh=fresh) as connection:
        try:
            with WATCHDOG.guarding(exchange):
                _converse(exchange, request, connection)
        finally:
            # Whatever else seems to have happened: once the socket was shut, a half answer looks like a whole one.
            if exchange.overdue:
                raise Failed(Failure.TIMEOUT_TOTAL)


def _converse(exchange: Exchange, request: "_Request", connection: Connection) -> None:
    """Send the request, and read head and body into the exchange's answer."""
    connection.carry(exchange)
    request.pool = connection.pool
    exchange.ask()
    response = _ADAPTER.send(request, stream=True, timeout=exchange.remaining())
    raw = cast(HTTPResponse, response.raw)
    try:
        _take_head(exchange, raw)
        _take_body(exchange, raw)
    finally:
        raw.close()


def _take_head(exchange: Exchange, raw: HTTPResponse) -> None:
    if exchange.at_end:  # http.client takes the end of the connection for the end of the head
        raise Failed(Failure.CUT_SHORT)
    exchange.begin_body()
    exchange.answer = Result(
        status=raw.status,
        headers=tuple(_bounded(raw.headers.items(), exchange.limits.keep_bytes)),
        reason=_printable(raw.reason or "")[:_MAX_REASON],
        retry_after=retry_after(raw.status, raw.headers.get("retry-after")),
    )


def _take_body(exchange: Exchange, raw: HTTPResponse) -> None:
    """Read the body up to the limit, and keep the beginning. More than the limit is no failure: it is left unread."""
    declared = raw.length_remaining if (raw.length_remaining or 0) <= _MAX_LENGTH else None
    kept, seen = bytearray(), 0
    try:
        for data in _pieces(raw, exchange.limits.read_bytes):
            kept += data[: exchange.limits.keep_bytes - len(kept)]
            seen += len(data)
    finally:
        exchange.answer = replace(exchange.answer, body=bytes(kept), length=declared)
    if declared is None and raw.closed:  # read to its end
        exchange.answer = replace(exchange.answer, length=seen)


def _pieces(raw: HTTPResponse, limit: int) -> Iterator[bytes]:
    """The raw body as it comes, at most `limit` bytes of it, never decoded: a small gzip unpacks to gigabytes."""
    left = limit
    try:
        while left and (data := raw.read1(min(_CHUNK, left), decode_content=False)):
            left -= len(data)
            yield data
    except Failed:  # the limit was reached in what lies between the chunks of the body
        return


def _bounded(items: Iterable[tuple[str, str]], limit: int) -> Iterator[tuple[str, str]]:
    """The first headers that together have at most `limit` characters, as they can be shown and stored."""
    for name, value in items:
        limit -= len(name) + len(value)
        if limit < 0:
            return
        yield _printable(name), _printable(value)


def _printable(text: str) -> str:
    """Text without control characters: logs obey some of them, and PostgreSQL refuses NUL."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _named(error: Exception) -> Failed:
    """The name of whatever an exchange raised: that of the innermost error, as urllib3 and requests wrap them."""
    if isinstance(error, Failed):
        return error
    for cause in reversed(list(_causes(error))):
        for kind, failure in _NAMES:
            if isinstance(cause, kind):
                return Failed(failure)
    log.error("A delivery failed in a way that has no name", exc_info=error)
    return Failed(Failure.INTERNAL)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class _Request(PreparedRequest):
    """A request put together from checked parts: to prepare it requests' way would parse them all again."""

    def __init__(self, target: Target, headers: Mapping[str, str], body: bytes, *, keep_alive: bool) -> None:
        super().__init__()
        self.method = "POST"
        self.url = target.url
        self.body = body
        self.path = target.path
        self.pool: ConnectionPool | None = None
        self.headers = CaseInsensitiveDict({"Host": target.authority, "User-Agent": _USER_AGENT, "Accept": "*/*"})
        self.headers.update({name: value for name, value in headers.items() if name.lower() not in _FRAMING})
        self.headers["Accept-Encoding"] = "identity"
        self.headers["Connection"] = "keep-alive" if keep_alive else "close"
        self.headers["Content-Length"] = str(len(body))


class _Adapter(HTTPAdapter):
    """requests' way to urllib3, without proxies, cookies and certificates of the environment. It holds no state."""

    def init_poolmanager(self, *_args: Any, **_kwargs: Any) -> None:
        """Connections come with the request."""

    def get_connection_with_tls_context(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> ConnectionPool:
        pool = cast(_Request, request).pool
        assert pool is not None
        return pool

    def cert_verify(self, *_args: Any, **_kwargs: Any) -> None:
        """The connection has verified its certificate when it connected."""

    def request_url(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> str:
        return cast(_Request, request).path

    def build_response(self, req: PreparedRequest, resp: BaseHTTPResponse) -> Response:
        """Only what `send` looks at. Cookies above all stay out: their parser is no match for a hostile answer."""
        response = Response()
        response.request = req
        response.status_code = resp.status
        response.raw = resp
        return response


_ADAPTER = _Adapter()
