"""A hostile receiver: a real server with tricks. Each ends in time, under the right name, and costs little memory."""

import gzip
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from portal.webhooks.outbound import Failure, Limits, Result
from tests.webhooks.outbound.authority import DAY, Authority
from tests.webhooks.outbound.conftest import HASTY, PATIENT, SOON_MS, Receiver, Start, Visit, post

Script = Callable[[Visit], None]
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MEMORY = 20_000_000  # bytes that a trick may cost at most
GRACE_MS = 1000  # how long after the deadline a send may end
TRIES = 3  # a machine may be too busy for that once, but not every time


def answer(*pieces: bytes) -> Script:
    return lambda visit: visit.answer(*pieces)


def answer_and(then: Callable[[Visit], None], *pieces: bytes) -> Script:
    def script(visit: Visit) -> None:
        visit.answer(*pieces)
        then(visit)

    return script


def answer_and_hold(*pieces: bytes) -> Script:
    return answer_and(Visit.hold, *pieces)


def answer_and_reset(*pieces: bytes) -> Script:
    return answer_and(Visit.reset, *pieces)


def drip(before: bytes, endless: bytes) -> Script:
    return answer_and(lambda visit: visit.drip(endless), before)


def flood(before: bytes, endless: bytes) -> Script:
    return answer_and(lambda visit: visit.flood(endless), before)


def drip_a_handshake(visit: Visit) -> None:
    visit.sock.sendall(b"\x16\x03\x03\x40\x00")
    visit.drip(b"\x00")


@dataclass(frozen=True)
class Trick:
    """What the receiver does, and what must come of it."""

    script: Script
    failure: Failure | None
    statuses: tuple[int | None, ...] = (None,)  # one of which is told
    limits: Limits = PATIENT
    certificate: dict[str, Any] | None = None  # of a receiver that speaks TLS
    is_secure: bool = False  # whether the URL is https


def never(script: Script, status: int | None = None, **more: Any) -> Trick:
    """It never ends, and is ended at the deadline."""
    return Trick(script, Failure.TIMEOUT_TOTAL, (status,), HASTY, **more)


def cut(script: Script, status: int | None = None) -> Trick:
    return Trick(script, Failure.CUT_SHORT, (status,))


def bad(script: Script) -> Trick:
    return Trick(script, Failure.BAD_ANSWER)


def taken(script: Script) -> Trick:
    """A whole head says 200: a success, however odd what follows."""
    return Trick(script, None, (200,))


def tls(failure: Failure | None, script: Script, **certificate: Any) -> Trick:
    return Trick(script, failure, certificate=certificate, is_secure=True)


BOMB = gzip.compress(gzip.compress(bytes(100_000_000)))
TRICKS = {
    # never ending
    "silence": never(answer_and_hold()),
    "a byte of the status line now and then": never(drip(b"HTTP/1.1 200 ", b"x")),
    "a byte of a header now and then": never(drip(HEAD + b"X-Slow: ", b"a")),
    "a header now and then": never(drip(HEAD, b"A: b\r\n")),
    "an interim answer now and then": never(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "an early hint now and then": never(drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    "a head that never ends": never(answer_and_hold(HEAD + b"Content-Length: 2\r\n")),
    "a head without its last line break": never(answer_and_hold(HEAD + b"Content-Length: 0\r\n\r")),
    "a byte of the body now and then": never(drip(HEAD + b"Content-Length: 100000\r\n\r\n", b"a"), 200),
    "a byte of an unmeasured body now and then": never(drip(HEAD + b"\r\n", b"a"), 200),
    "a chunk now and then": never(drip(CHUNKED, b"1\r\na\r\n"), 200),
    "a byte of a chunk size now and then": never(drip(CHUNKED, b"0"), 200),
    "a trailer now and then": never(drip(CHUNKED + b"0\r\n", b"A: b\r\n"), 200),
    "a body that never comes": never(answer_and_hold(HEAD + b"Content-Length: 5\r\n\r\n"), 200),
    "a body that stops in the middle": never(answer_and_hold(HEAD + b"Content-Length: 5\r\n\r\nab"), 200),
    # misshapen
    "nothing at all": Trick(answer(), Failure.RESET),
    "a reset instead of an answer": Trick(answer_and_reset(), Failure.RESET),
    "a reset after the head": Trick(answer_and_reset(HEAD + b"Content-Length: 9\r\n\r\n"), Failure.RESET, (None, 200)),
    "a cut status line": cut(answer(b"HTTP/1.1 200")),
    "a cut head": cut(answer(HEAD + b"Content-Le")),
    "a head without its empty line": cut(answer(HEAD + b"X-A: b\r\n")),
    "a body shorter than declared": cut(answer(HEAD + b"Content-Length: 9\r\n\r\nab"), 200),
    "a cut chunk": cut(answer(CHUNKED + b"5\r\nab"), 200),
    "chunks without an end": cut(answer(CHUNKED + b"2\r\nab\r\n"), 200),
    "a chunk size that is no number": cut(answer(CHUNKED + b"xyz\r\n"), 200),
    "HTTP/0.9": bad(answer(b"<html>hello</html>\n")),
    "another protocol": bad(answer(b"220 mail.example ESMTP\r\n")),
    "HTTP/2": bad(answer(b"HTTP/2 200 OK\r\n\r\n")),
    "a status that is no number": bad(answer(b"HTTP/1.1 OK 200\r\n\r\n")),
    "a status out of range": bad(answer(b"HTTP/1.1 99999 OK\r\n\r\n")),
    "binary": bad(answer(bytes(range(256)) * 20)),
    "contradicting lengths": bad(answer(HEAD + b"Content-Length: 1, 2\r\n\r\nab")),
    "a status line without end": bad(flood(b"HTTP/1.1 200 ", b"x" * 9000)),
    "a header line of 64 kB": bad(answer_and_hold(HEAD + b"X-Long: " + b"a" * 65_536)),
    "many lines of 60 kB": bad(flood(HEAD, b"X-Long: " + b"a" * 60_000 + b"\r\n")),
    "thousands of headers": bad(flood(HEAD, b"A: b\r\n" * 1000)),
    "interim answers without end": bad(flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "early hints without end": bad(flood(b"", b"HTTP/1.1 103 Early\r\n\r\n" * 100)),
    # whole heads with something odd behind or in them
    "a body without end": taken(flood(HEAD + b"\r\n", b"a" * 65_536)),
    "chunks without end": taken(flood(CHUNKED, b"fff\r\n" + b"a" * 4095 + b"\r\n")),
    "tiny chunks with huge extensions": taken(flood(CHUNKED, b"1;" + b"e" * 9000 + b"\r\na\r\n")),
    "one chunk of all the bytes there are": taken(flood(CHUNKED + b"ffffffffffffffffff\r\n", b"a" * 9000)),
    "a negative chunk": taken(flood(CHUNKED + b"-1\r\n", b"a" * 9000)),
    "a declared terabyte": taken(flood(HEAD + b"Content-Length: 1000000000000\r\n\r\n", b"a" * 65_536)),
    "a length of 4000 digits": taken(flood(HEAD + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n", b"a" * 65_536)),
    "trailers without end": taken(flood(CHUNKED + b"2\r\nab\r\n0\r\n", b"A: b\r\n" * 1000)),
    "a gzip bomb in a gzip": taken(answer(HEAD + b"Content-Encoding: gzip, gzip\r\n\r\n", BOMB)),
    "codings that do not exist": taken(answer(HEAD + b"Content-Encoding: br, zstd, x\r\nContent-Length: 2\r\n\r\nab")),
    "a thousand codings": taken(answer(HEAD + b"Content-Encoding: " + b"gzip, " * 1000 + b"\r\n\r\nab")),
    "an empty 200": taken(answer(HEAD + b"Content-Length: 0\r\n\r\n")),
    "an unmeasured 200": taken(answer(HEAD + b"\r\n")),
    "a body longer than declared": taken(answer(HEAD + b"Content-Length: 2\r\n\r\nabcdef")),
    "both lengths": taken(
        answer(HEAD + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n")
    ),
    "a negative length": taken(answer(HEAD + b"Content-Length: -7\r\n\r\nab")),
    "a header line without a colon": taken(answer(HEAD + b"nonsense\r\nX-A: b\r\nContent-Length: 0\r\n\r\n")),
    "bare line feeds": taken(answer(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")),
    "control characters": taken(answer(b"HTTP/1.1 200 O\x00\x1bK\r\nX-A: a\x00b\x1b[31m\r\nContent-Length: 0\r\n\r\n")),
    "a redirect to a metadata address": Trick(
        answer(b"HTTP/1.1 307 Moved\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n"),
        Failure.REDIRECT,
        (307,),
    ),
    "a switch to another protocol": Trick(
        answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), Failure.HTTP_ERROR, (101,)
    ),
    # TLS
    "an expired certificate": tls(Failure.TLS_EXPIRED, answer(), name="127.0.0.1", begins=-2 * DAY, ends=-DAY),
    "a certificate of tomorrow": tls(Failure.TLS_EXPIRED, answer(), name="127.0.0.1", begins=DAY, ends=2 * DAY),
    "a certificate for another name": tls(Failure.TLS_WRONG_NAME, answer(), name="other.example"),
    "a certificate that nobody signed": tls(Failure.TLS_INVALID, answer(), name="127.0.0.1", signed=False),
    "plain HTTP on a TLS port": Trick(
        lambda visit: visit.sock.sendall(HEAD + b"\r\n"), Failure.TLS_FAILED, is_secure=True
    ),
    "a silent handshake": never(Visit.hold, is_secure=True),
    "a byte of the handshake now and then": never(drip_a_handshake, is_secure=True),
    "a body without end over TLS": Trick(
        flood(HEAD + b"\r\n", b"a" * 65_536), None, (200,), certificate={"name": "127.0.0.1"}, is_secure=True
    ),
}


def test_there_are_as_many_tricks_as_promised() -> None:
    assert len(TRICKS) >= 25


@pytest.mark.parametrize("name", TRICKS)
def test_each_ends_in_time_under_its_name_and_costs_little_memory(
    authority: Authority, trusted: None, start: Start, name: str
) -> None:
    trick = TRICKS[name]
    context = None if trick.certificate is None else authority.context(**trick.certificate)
    receiver = start(trick.script, context)
    result, memory = tried(trick, receiver)
    assert result.failure is trick.failure, result
    assert result.status in trick.statuses
    assert result.ok is (trick.failure is None)
    assert result.duration_ms < trick.limits.total * 1000 + GRACE_MS
    assert memory < MEMORY
    assert_it_is_bounded_and_printable(result)
    assert receiver.ended.acquire(timeout=60)  # the connection is closed and not left behind


def tried(trick: Trick, receiver: Receiver) -> tuple[Result, int]:
    """The result, of the first try that is in time if there is one, and the most bytes that were held meanwhile."""
    url = receiver.url.replace("http://", "https://") if trick.is_secure else receiver.url
    for _ in range(TRIES):
        tracemalloc.start()
        try:
            result = post(url, trick.limits)
            memory = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        if result.duration_ms < trick.limits.total * 1000 + GRACE_MS:
            break
    return result, memory


def assert_it_is_bounded_and_printable(result: Result) -> None:
    assert len(result.body) <= 16 * 1024
    assert result.length is None or result.length < 2**63
    assert sum(len(text) for header in result.headers for text in header) <= 16 * 1024
    assert all(text.isprintable() for header in result.headers for text in (*header, result.reason))


def hold_unread(visit: Visit) -> None:
    """Take the connection and never read from it."""
    visit.receiver.stopped.wait(60)


def test_a_receiver_that_reads_nothing_cannot_hold_a_large_message(start: Start) -> None:
    result = post(start(hold_unread).url, HASTY, body=b"x" * 30_000_000)
    assert result.failure is Failure.TIMEOUT_TOTAL
    assert result.duration_ms < SOON_MS


def test_what_was_read_before_the_deadline_is_still_shown(start: Start) -> None:
    result = post(start(answer_and_hold(HEAD + b"Content-Length: 5\r\n\r\nab")).url, Limits(total=1))
    assert (result.status, result.body, result.length, result.ok) == (200, b"ab", 5, False)


def test_many_slow_receivers_share_one_watchdog(start: Start) -> None:
    receiver = start(TRICKS["a byte of a header now and then"].script)
    results = []
    threads = [threading.Thread(target=lambda: results.append(post(receiver.url, HASTY))) for _ in range(20)]
    for thread in threads:
        thread.start()
    watchdogs = [thread for thread in threading.enumerate() if thread.name == "outbound-watchdog"]
    for thread in threads:
        thread.join()
    assert [result.failure for result in results] == [Failure.TIMEOUT_TOTAL] * 20
    assert len(watchdogs) <= 1


def test_an_answer_that_is_merely_slow_is_taken(start: Start) -> None:
    def slow(visit: Visit) -> None:
        visit.request()
        for piece in (HEAD, b"Content-Length: 3\r\n", b"\r\n", b"a", b"b", b"c"):
            visit.receiver.stopped.wait(0.02)
            visit.sock.sendall(piece)

    result = post(start(slow).url, PATIENT)
    assert (result.ok, result.body) == (True, b"abc")
