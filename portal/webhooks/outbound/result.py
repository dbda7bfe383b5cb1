"""What one send ends as: plain values that know nothing of sockets."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

RETRY_AFTER_LIMIT = 3600.0  # seconds: whatever a receiver asks for, it is looked at again within the hour
_MAY_ASK_FOR_PATIENCE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Failure(StrEnum):
    """The closed list of ways in which a send fails. The values are stored and filtered by: add, never rename."""

    # before anything left the portal
    URL_REFUSED = "url_refused"
    HEADERS_REFUSED = "headers_refused"
    BLOCKED_ADDRESS = "blocked_address"
    DNS_FAILED = "dns_failed"
    DNS_TIMEOUT = "dns_timeout"
    # no connection
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT_CONNECT = "timeout_connect"
    TLS_EXPIRED = "tls_expired"
    TLS_WRONG_NAME = "tls_wrong_name"
    TLS_INVALID = "tls_invalid"
    TLS_FAILED = "tls_failed"
    # no whole answer
    TIMEOUT_TOTAL = "timeout_total"
    RESET = "reset"
    CUT_SHORT = "cut_short"
    BAD_ANSWER = "bad_answer"
    # an answer that is not 2xx
    REDIRECT = "redirect"
    GONE = "gone"
    HTTP_ERROR = "http_error"
    # the portal's own fault
    INTERNAL = "internal"


class Failed(Exception):  # noqa: N818  it carries a Failure
    """The exchange ended here, under this name. Never leaves the package: `send` turns it into a Result."""

    def __init__(self, failure: Failure, reason: str = "") -> None:
        super().__init__(failure.value, reason)
        self.failure = failure
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Phases:
    """Milliseconds spent in each phase, one after the other; None for a phase that was not reached or not needed.

    A kept-alive connection needs no `dns`, `connect` and `tls`; plain http needs no `tls`. `first_byte` runs from
    the start of the request to the first byte of the answer, `body` from there to the end of what was read.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    body: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What the network answered.

    `body` is the first part (at most Limits.keep_bytes) of the answer's body as it came, undecoded; `length` the
    bytes that the whole body has, None when the receiver did not say and reading stopped early. `reason` is the
    answer's reason phrase, or for a failure a detail that its name does not carry. `remote` is the "ip:port" that
    was contacted, never one that was blocked. `retry_after` is in seconds from now.
    """

    status: int | None = None
    failure: Failure | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int | None = None
    reason: str = ""
    remote: str | None = None
    phases: Phases = Phases()
    duration_ms: float = 0.0
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the receiver took the message: a whole answer with a 2xx status."""
        return self.failure is None and self.status is not None and 200 <= self.status < 300


def failure_of_status(status: int) -> Failure | None:
    """The name of a whole answer's failure, None for 2xx."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Failure.REDIRECT
    return Failure.GONE if status == HTTPStatus.GONE else Failure.HTTP_ERROR


def retry_after(status: int, value: str | None) -> float | None:
    """Seconds that a 429 or 503 asks to wait by its Retry-After header, at most an hour; None when it does not.

    Both forms of RFC 9110, section 10.2.3, are read: seconds and a date. Anything else is ignored.
    """
    if value is None or status not in _MAY_ASK_FOR_PATIENCE:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return _capped(float(value))
    try:
        date = parsedate_to_datetime(value)
        return _capped((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def _capped(seconds: float) -> float:
    return RETRY_AFTER_LIMIT if math.isinf(seconds) else min(max(seconds, 0.0), RETRY_AFTER_LIMIT)
