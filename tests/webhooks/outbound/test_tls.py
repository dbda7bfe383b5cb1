"""TLS: the certificate is checked against the name in the URL, while the connection goes to the checked address."""

import socket
import ssl
from pathlib import Path

import pytest

from portal.webhooks.outbound import Connections, Failure, Limits, connections, send, tls
from portal.webhooks.outbound.exchange import Exchange
from portal.webhooks.outbound.urls import parse
from tests.webhooks.outbound.authority import DAY, Authority
from tests.webhooks.outbound.conftest import LOOPBACK, PATIENT, SOON_MS, Network, Receiver, Start, Visit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PUBLIC = "93.184.215.14"


pytestmark = pytest.mark.usefixtures("trusted")


def keep_answering(visit: Visit) -> None:
    while visit.request():
        visit.sock.sendall(OK)


def to(network: Network, receiver: Receiver, limits: Limits = PATIENT, pool: Connections | None = None):
    network.resolve("hooks.example", [PUBLIC])
    network.leads_to = receiver
    return send("https://hooks.example/", {}, b"{}", limits=limits, pool=pool)


def test_a_certificate_for_the_name_is_accepted_at_the_address(
    authority: Authority, network: Network, start: Start
) -> None:
    context = authority.context("hooks.example")
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    receiver = start(keep_answering, context)
    result = to(network, receiver)
    assert (result.ok, result.body, result.remote) == (True, b"ok", f"{PUBLIC}:443")
    assert names == ["hooks.example"]
    assert b"\r\nHost: hooks.example\r\n" in receiver.requests[0]
    assert result.phases.tls is not None


def test_a_certificate_for_an_address_is_accepted_there(authority: Authority, start: Start) -> None:
    receiver = start(keep_answering, authority.context("127.0.0.1"))
    assert send(receiver.url, {}, b"{}", allowed=LOOPBACK, limits=PATIENT).ok


def test_a_handshake_serves_many_messages(authority: Authority, network: Network, start: Start) -> None:
    receiver = start(keep_answering, authority.context("hooks.example"))
    with Connections() as pool:
        results = [to(network, receiver, pool=pool) for _ in range(3)]
    assert all(result.ok for result in results)
    assert results[2].phases.tls is None
    assert receiver.visits == 1


@pytest.mark.parametrize(
    ("name", "begins", "ends", "signed", "failure"),
    [
        ("hooks.example", -2 * DAY, -DAY, True, Failure.TLS_EXPIRED),
        ("hooks.example", DAY, 2 * DAY, True, Failure.TLS_EXPIRED),
        ("other.example", -DAY, DAY, True, Failure.TLS_WRONG_NAME),
        (PUBLIC, -DAY, DAY, True, Failure.TLS_WRONG_NAME),
        ("hooks.example", -DAY, DAY, False, Failure.TLS_INVALID),
    ],
)
def test_a_bad_certificate_is_named_and_nothing_is_sent(
    authority: Authority, network: Network, start: Start, name: str, begins, ends, signed: bool, failure: Failure
) -> None:
    receiver = start(keep_answering, authority.context(name, begins, ends, signed=signed))
    result = to(network, receiver)
    assert result.failure is failure
    assert result.reason
    assert result.status is None
    assert not receiver.requests


def test_an_address_needs_a_certificate_for_the_address(authority: Authority, start: Start) -> None:
    receiver = start(keep_answering, authority.context("hooks.example"))
    assert send(receiver.url, {}, b"", allowed=LOOPBACK, limits=PATIENT).failure is Failure.TLS_WRONG_NAME


def test_an_authority_that_nobody_knows_is_not_trusted(
    authority: Authority, network: Network, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    receiver = start(keep_answering, authority.context("127.0.0.1"))
    assert send(receiver.url, {}, b"", allowed=LOOPBACK, limits=PATIENT).failure is Failure.TLS_INVALID


def test_tls_older_than_1_2_is_not_spoken(authority: Authority, network: Network, start: Start) -> None:
    context = authority.context("hooks.example")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert to(network, start(keep_answering, context)).failure is Failure.TLS_FAILED


def test_the_environment_can_neither_add_authorities_nor_have_keys_logged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing"))
    monkeypatch.undo()
    context = tls.context.__wrapped__()
    assert context.keylog_filename is None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_silent_server_after_the_handshake_is_ended_at_the_deadline(
    authority: Authority, network: Network, start: Start
) -> None:
    def drip(visit: Visit) -> None:
        visit.answer(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        visit.drip(b"a")

    receiver = start(drip, authority.context("hooks.example"))
    result = to(network, receiver, Limits(total=2))
    assert result.failure is Failure.TIMEOUT_TOTAL
    assert result.status is None
    assert result.duration_ms < SOON_MS
    assert receiver.ended.acquire(timeout=60)


def test_the_watchdog_holds_the_socket_that_speaks_tls_and_not_the_one_that_it_was_made_from() -> None:
    ours, theirs = socket.socketpair()
    exchange = Exchange(parse("https://hooks.example/"), (), PATIENT)
    exchange.watch(ours)
    with theirs, connections._secured(exchange, ours):
        theirs.setblocking(False)
        exchange.expire()
        assert theirs.recv(1) == b""  # else nothing to read raises
