"""What URLs reach, through the real send path: only the resolver and the system's sockets are doubles."""

import ssl
from collections.abc import Callable
from ipaddress import ip_network

import pytest

from portal.webhooks.outbound import Failure, UrlRefused, check_url, send
from tests.webhooks.outbound.authority import Authority
from tests.webhooks.outbound.conftest import PATIENT, Network, Start, Visit, Wire
from tests.webhooks.outbound.hostile_urls import (
    LEADING_INSIDE,
    LEGITIMATE,
    NEVER,
    PUBLIC,
    UNLESS_ALLOWED,
    Legitimate,
)

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
TECHNICAL = ("error", "exception", "regex", "codepoint", "idna", "label", "ipaddress", "none", "traceback", "parse")


def short(value: object) -> str:
    """How a row of the table is called in reports."""
    return ascii(value)[1:61]


@pytest.fixture
def anywhere(names: Network) -> Network:
    """A resolver that gives any name a public address: whatever it is asked can be connected to."""
    names.anything = [PUBLIC]
    return names


def assert_it_is_said_plainly(message: str) -> None:
    assert message.isprintable()
    assert message.endswith(".")
    assert 20 <= len(message) <= 300 + 253  # it may name the host
    assert not any(word in message.lower() for word in TECHNICAL)


def test_the_tables_are_as_large_as_promised() -> None:
    assert len({*NEVER, *UNLESS_ALLOWED, *(host for host, _ in LEADING_INSIDE)}) >= 400
    assert len({url for url, *_ in LEGITIMATE}) >= 40


@pytest.mark.parametrize("url", [*NEVER, *UNLESS_ALLOWED], ids=short)
def test_a_hostile_url_opens_nothing_and_asks_nobody(anywhere: Network, wire: Wire, url: str) -> None:
    result = send(url, {}, b"{}", limits=PATIENT)
    assert result.failure in (Failure.URL_REFUSED, Failure.BLOCKED_ADDRESS)
    assert (wire.opened, anywhere.asked, result.remote) == (0, [], None)
    with pytest.raises(UrlRefused) as refused:
        check_url(url)
    assert refused.value.message == result.reason
    assert refused.value.failure is result.failure
    assert_it_is_said_plainly(result.reason)


@pytest.mark.parametrize("url", NEVER, ids=short)
def test_no_allowed_network_makes_it_pass(anywhere: Network, wire: Wire, url: str) -> None:
    result = send(url, {}, b"{}", allowed=EVERYTHING, limits=PATIENT)
    assert result.failure in (Failure.URL_REFUSED, Failure.BLOCKED_ADDRESS)
    assert (wire.opened, anywhere.asked) == (0, [])


@pytest.mark.parametrize(("host", "address"), LEADING_INSIDE, ids=short)
def test_a_name_that_leads_inside_opens_nothing_and_tells_nothing(
    names: Network, wire: Wire, host: str, address: str
) -> None:
    check_url(f"http://{host}:6379/")  # it looks like any other
    names.anything = [address]
    result = send(f"http://{host}:6379/", {}, b"{}", limits=PATIENT)
    assert result.failure is Failure.BLOCKED_ADDRESS
    assert (wire.opened, result.remote, result.reason) == (0, None, "")
    assert len(names.asked) == 1


@pytest.mark.parametrize("row", LEGITIMATE, ids=lambda row: short(row.url))
def test_a_legitimate_url_is_reached_at_the_checked_address_under_its_own_name(
    anywhere: Network, wire: Wire, trusted: None, authority: Authority, start: Start, row: Legitimate
) -> None:
    check_url(row.url)
    is_secure, is_name = row.url.lower().startswith("https"), row.address == PUBLIC != row.name
    told: list[str | None] = []
    wire.leads_to = start(answering, context_of(authority, row.name, told.append) if is_secure else None)
    result = send(row.url, {}, b"{}", limits=PATIENT)
    assert result.ok, result
    assert wire.connected == [(row.address, row.port)]
    assert anywhere.asked == ([row.name] if is_name else [])
    assert told == ([row.name if is_name else None] if is_secure else [])
    head = wire.leads_to.requests[0].split(b"\r\n")
    assert head[0] == f"POST {row.path} HTTP/1.1".encode()
    assert f"Host: {row.host}".encode() in head


def answering(visit: Visit) -> None:
    visit.answer(b"HTTP/1.1 204 No Content\r\n\r\n")


def context_of(authority: Authority, name: str, told: Callable[[str | None], None]) -> ssl.SSLContext:
    """What a server knows that has a certificate for this name only; it tells which name it was asked for."""
    context = authority.context(name)
    context.sni_callback = lambda _socket, asked, _context: told(asked)
    return context
