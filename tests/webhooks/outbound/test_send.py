"""One message, one Result: what goes out, what comes back, and what of the surroundings has no say in it."""

import gzip
import socket

import pytest

from portal.webhooks.outbound import Failure, Limits, client, send
from portal.webhooks.outbound.exchange import Exchange
from portal.webhooks.outbound.urls import parse
from tests.webhooks.outbound.conftest import LOOPBACK, PATIENT, Start, Visit, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Note: one\r\nX-Note: two\r\n\r\nok"


def answering(*pieces: bytes):
    return lambda visit: visit.answer(*pieces)


def test_the_message_arrives_byte_for_byte(start: Start) -> None:
    receiver = start(answering(OK))
    body = '{"name":"Zo\u00eb"}'.encode()
    result = send(
        f"http://127.0.0.1:{receiver.port}/h\u00f6ok/{{x}}?a=1&b=%20",
        {"content-type": "application/json", "webhook-id": "msg_1", "Authorization": "Bearer t"},
        body,
        allowed=LOOPBACK,
        limits=PATIENT,
    )
    assert result.ok
    head, _, sent = receiver.requests[0].partition(b"\r\n\r\n")
    assert sent == body
    assert sorted(head.split(b"\r\n")) == sorted(
        [
            b"POST /h%C3%B6ok/%7Bx%7D?a=1&b=%20 HTTP/1.1",
            b"Host: 127.0.0.1:%d" % receiver.port,
            b"User-Agent: CloudCX-Webhooks/1",
            b"Accept: */*",
            b"Accept-Encoding: identity",
            b"Connection: close",
            b"Content-Length: %d" % len(body),
            b"content-type: application/json",
            b"webhook-id: msg_1",
            b"Authorization: Bearer t",
        ]
    )


def test_the_answer_comes_back_whole(start: Start) -> None:
    receiver = start(answering(OK))
    result = post(receiver.url)
    assert (result.status, result.failure, result.reason, result.body, result.length) == (200, None, "OK", b"ok", 2)
    assert result.headers == (("Content-Length", "2"), ("X-Note", "one"), ("X-Note", "two"))
    assert result.remote == f"127.0.0.1:{receiver.port}"


def test_each_phase_is_timed_in_milliseconds_and_what_was_not_needed_is_none(start: Start) -> None:
    gate = []

    def late(visit: Visit) -> None:
        visit.request()
        visit.receiver.stopped.wait(0.1)
        gate.append(True)
        visit.sock.sendall(OK)

    receiver = start(late)
    result = send(f"http://localhost:{receiver.port}/", {}, b"", allowed=LOOPBACK, limits=PATIENT)
    phases = result.phases
    assert gate
    assert phases.dns is not None
    assert phases.connect is not None
    assert phases.tls is None
    assert phases.first_byte is not None
    assert phases.body is not None
    assert phases.first_byte >= 90
    assert phases.dns + phases.connect + phases.first_byte + phases.body <= result.duration_ms
    assert post(receiver.url).phases.dns is None


def test_framing_headers_of_the_caller_have_no_say(start: Start) -> None:
    receiver = start(answering(OK))
    headers = {"Host": "internal", "content-length": "1", "Transfer-Encoding": "chunked", "ACCEPT-ENCODING": "gzip"}
    assert send(receiver.url, {**headers, "user-agent": "mine"}, b"{}", allowed=LOOPBACK, limits=PATIENT).ok
    request = receiver.requests[0].lower()
    assert b"internal" not in request
    assert b"chunked" not in request
    assert b"gzip" not in request
    assert request.count(b"content-length: 2") == 1
    assert request.count(b"user-agent") == request.count(b"user-agent: mine") == 1


def test_neither_proxy_nor_netrc_nor_cookie_of_the_environment_or_receiver_is_used(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    proxy = start(answering(b"HTTP/1.1 500 Proxy\r\nContent-Length: 0\r\n\r\n"))
    receiver = start(answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", str(netrc))
    assert post(receiver.url).ok
    assert post(receiver.url).ok
    assert not proxy.visits
    assert b"authorization" not in receiver.requests[0].lower()
    assert b"cookie" not in receiver.requests[1].lower()


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (b"201 Created", None), (b"204 No Content", None), (b"302 Found", Failure.REDIRECT),
        (b"410 Gone", Failure.GONE), (b"404 Not Found", Failure.HTTP_ERROR), (b"500 Oops", Failure.HTTP_ERROR),
        (b"999 Odd", Failure.HTTP_ERROR),
    ],
)  # fmt: skip
def test_the_status_names_the_failure(start: Start, status: bytes, failure: Failure | None) -> None:
    result = post(start(answering(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)).url)
    assert result.status == int(status[:3])
    assert result.failure is failure
    assert result.ok is (failure is None)
    assert result.reason == status[4:].decode()


def test_a_redirect_is_not_followed(start: Start) -> None:
    elsewhere = start(answering(OK))
    head = b"HTTP/1.1 307 Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % elsewhere.url.encode()
    receiver = start(answering(head))
    assert post(receiver.url).failure is Failure.REDIRECT
    assert not elsewhere.visits


def test_a_receiver_may_ask_for_patience(start: Start) -> None:
    receiver = start(answering(b"HTTP/1.1 429 Slow down\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"))
    assert post(receiver.url).retry_after == 120


@pytest.mark.parametrize("interim", [b"100 Continue", b"102 Processing", b"103 Early Hints\r\nLink: </x>"])
def test_an_interim_answer_is_not_the_answer(start: Start, interim: bytes) -> None:
    result = post(start(answering(b"HTTP/1.1 %s\r\n\r\n" % interim, OK)).url)
    assert (result.status, result.body) == (200, b"ok")


def test_of_a_long_body_the_beginning_is_kept_and_the_length_is_told(start: Start) -> None:
    body = bytes(range(256)) * 200
    result = post(start(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)).url)
    assert result.ok
    assert result.body == body[: 16 * 1024]
    assert result.length == len(body)


def test_a_compressed_body_is_kept_as_it_came(start: Start) -> None:
    body = gzip.compress(b"hello")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert post(start(answering(head, body)).url).body == body


def test_the_length_of_a_chunked_body_is_what_was_seen(start: Start) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    result = post(start(answering(chunked)).url)
    assert (result.body, result.length) == (b"abcde", 5)


def test_nobody_listening_is_named_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    result = post(f"http://127.0.0.1:{port}/")
    assert result.failure is Failure.REFUSED
    assert result.status is None
    assert result.remote == f"127.0.0.1:{port}"
    assert result.phases.connect is not None
    assert result.phases.first_byte is None


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (OSError(101, "Network is unreachable"), Failure.UNREACHABLE),
        (OSError(113, "No route to host"), Failure.UNREACHABLE),
        (TimeoutError(110, "timed out"), Failure.TIMEOUT_CONNECT),
        (OSError(24, "Too many open files"), Failure.INTERNAL),
    ],
)
def test_what_keeps_a_connection_from_opening_is_named(network, error: OSError, failure: Failure) -> None:
    network.unreachable["93.184.215.14"] = error
    assert send("http://93.184.215.14/", {}, b"").failure is failure


def test_a_url_that_may_not_be_used_opens_nothing(network) -> None:
    result = send("http://10.0.4.17/", {}, b"")
    assert result.failure is Failure.BLOCKED_ADDRESS
    assert "private address" in result.reason
    assert result.remote is None
    assert send("ftp://example.com/", {}, b"").failure is Failure.URL_REFUSED
    assert not network.asked
    assert not network.dialled


@pytest.mark.parametrize("headers", [{"X-A": "a\r\nHost: b"}, {"X\nY": "a"}, {"X-A": "\u2028"}])
def test_a_header_that_would_smuggle_in_a_line_opens_nothing(network, headers: dict[str, str]) -> None:
    assert send("http://93.184.215.14/", headers, b"").failure is Failure.HEADERS_REFUSED
    assert not network.dialled


def test_an_ipv6_receiver_is_reached(start: Start) -> None:
    receiver = start(answering(OK), host="::1")
    result = post(f"http://[::1]:{receiver.port}/")
    assert result.ok
    assert result.remote == f"[::1]:{receiver.port}"
    assert b"\r\nHost: [::1]:%d\r\n" % receiver.port in receiver.requests[0]


def test_an_early_answer_to_a_large_message_is_still_read(start: Start) -> None:
    def too_large(visit: Visit) -> None:
        visit.sock.recv(1000)
        visit.sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        visit.hold()

    assert post(start(too_large).url, body=b"x" * 200_000).status == 413


def test_of_many_headers_the_first_are_kept(start: Start) -> None:
    head = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(50))
    result = post(start(answering(b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: 0\r\n\r\n")).url)
    assert result.ok
    assert result.headers[0] == ("X-0", "a" * 1000)
    assert len(result.headers) == 16


def test_without_time_nothing_is_opened(network) -> None:
    assert send("http://93.184.215.14/", {}, b"", limits=Limits(total=0)).failure is Failure.TIMEOUT_TOTAL
    assert not network.dialled


def test_a_socket_that_opens_after_the_deadline_is_shut_at_once() -> None:
    exchange = Exchange(parse("http://93.184.215.14/"), (), Limits(total=0))
    exchange.expire()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        exchange.watch(ours)
        assert theirs.recv(1) == b""


def test_a_fault_of_our_own_is_named_and_logged_and_not_raised(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "_take_body", lambda *_: 1 / 0)
    assert post(start(answering(OK)).url, Limits(total=60)).failure is Failure.INTERNAL
    assert "ZeroDivisionError" in caplog.text
