"""A hostile receiver: a real server with tricks. Each ends in time, under the right name, and costs little memory."""

import gzip
import threading
import tracemalloc
from collections.abc import Callable

import pytest

from portal.webhooks.outbound import Failure, Limits
from tests.webhooks.outbound.conftest import HASTY, PATIENT, SOON_MS, Start, Visit, post

Script = Callable[[Visit], None]
HEAD = b"HTTP/1.1 200 OK\r\n"


def answer(*pieces: bytes) -> Script:
    return lambda visit: visit.answer(*pieces)


def answer_and_hold(*pieces: bytes) -> Script:
    def script(visit: Visit) -> None:
        visit.answer(*pieces)
        visit.hold()

    return script


def drip(before: bytes, endless: bytes) -> Script:
    def script(visit: Visit) -> None:
        visit.answer(before)
        visit.drip(endless)

    return script


def flood(before: bytes, endless: bytes) -> Script:
    def script(visit: Visit) -> None:
        visit.answer(before)
        visit.flood(endless)

    return script


def answer_and_reset(*pieces: bytes) -> Script:
    def script(visit: Visit) -> None:
        visit.answer(*pieces)
        visit.reset()

    return script


def hold_unread(visit: Visit) -> None:
    """Take the connection and never read from it."""
    visit.receiver.stopped.wait(60)


NEVER_ENDING = {
    "silence": answer_and_hold(),
    "a byte of the status line now and then": drip(b"HTTP/1.1 200 ", b"x"),
    "a byte of a header now and then": drip(HEAD + b"X-Slow: ", b"a"),
    "a header now and then": drip(HEAD, b"A: b\r\n"),
    "an interim answer now and then": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "an early hint now and then": drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a byte of the body now and then": drip(HEAD + b"Content-Length: 100000\r\n\r\n", b"a"),
    "a byte of an unmeasured body now and then": drip(HEAD + b"\r\n", b"a"),
    "a chunk now and then": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "a byte of a chunk size now and then": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "a trailer now and then": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
    "a head that never ends": answer_and_hold(HEAD + b"Content-Length: 2\r\n"),
    "a head without its last line break": answer_and_hold(HEAD + b"Content-Length: 0\r\n\r"),
    "a body that never comes": answer_and_hold(HEAD + b"Content-Length: 5\r\n\r\n"),
    "a body that stops in the middle": answer_and_hold(HEAD + b"Content-Length: 5\r\n\r\nab"),
}
HALF_HEADS = [name for name in NEVER_ENDING if "head" in name or "status" in name or "hint" in name]

MISSHAPEN = {
    "nothing at all": (answer(), Failure.RESET),
    "a reset instead of an answer": (answer_and_reset(), Failure.RESET),
    "a cut status line": (answer(b"HTTP/1.1 200"), Failure.CUT_SHORT),
    "a cut head": (answer(HEAD + b"Content-Le"), Failure.CUT_SHORT),
    "a head without its empty line": (answer(HEAD + b"X-A: b\r\n"), Failure.CUT_SHORT),
    "a body shorter than declared": (answer(HEAD + b"Content-Length: 9\r\n\r\nab"), Failure.CUT_SHORT),
    "a cut chunk": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), Failure.CUT_SHORT),
    "chunks without an end": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"), Failure.CUT_SHORT),
    "a chunk size that is no number": (answer(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), Failure.CUT_SHORT),
    "a reset after the head": (answer_and_reset(HEAD + b"Content-Length: 9\r\n\r\n"), Failure.RESET),
    "HTTP/0.9": (answer(b"<html>hello</html>\n"), Failure.BAD_ANSWER),
    "another protocol": (answer(b"220 mail.example ESMTP\r\n"), Failure.BAD_ANSWER),
    "HTTP/2": (answer(b"HTTP/2 200 OK\r\n\r\n"), Failure.BAD_ANSWER),
    "a status that is no number": (answer(b"HTTP/1.1 OK 200\r\n\r\n"), Failure.BAD_ANSWER),
    "a status out of range": (answer(b"HTTP/1.1 99999 OK\r\n\r\n"), Failure.BAD_ANSWER),
    "binary": (answer(bytes(range(256)) * 20), Failure.BAD_ANSWER),
    "contradicting lengths": (answer(HEAD + b"Content-Length: 1, 2\r\n\r\nab"), Failure.BAD_ANSWER),
    "a status line without end": (flood(b"HTTP/1.1 200 ", b"x" * 9000), Failure.BAD_ANSWER),
    "a header line of 64 kB": (answer_and_hold(HEAD + b"X-Long: " + b"a" * 65_536), Failure.BAD_ANSWER),
    "many lines of 60 kB": (flood(HEAD, b"X-Long: " + b"a" * 60_000 + b"\r\n"), Failure.BAD_ANSWER),
    "thousands of headers": (flood(HEAD, b"A: b\r\n" * 1000), Failure.BAD_ANSWER),
    "interim answers without end": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), Failure.BAD_ANSWER),
    "early hints without end": (flood(b"", b"HTTP/1.1 103 Early\r\n\r\n" * 100), Failure.BAD_ANSWER),
}

BOMB = gzip.compress(gzip.compress(bytes(100_000_000)))
ENDLESS_TAKEN = {
    "a body without end": flood(HEAD + b"\r\n", b"a" * 65_536),
    "chunks without end": flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"fff\r\n" + b"a" * 4095 + b"\r\n"),
    "tiny chunks with huge extensions": flood(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 9000 + b"\r\na\r\n"
    ),
    "one chunk of all the bytes there are": flood(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", b"a" * 9000
    ),
    "a negative chunk": flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"a" * 9000),
    "a declared terabyte": flood(HEAD + b"Content-Length: 1000000000000\r\n\r\n", b"a" * 65_536),
    "a length with thousands of digits": flood(HEAD + b"Content-Length: " + b"9" * 4000 + b"\r\n\r\n", b"a" * 65_536),
    "trailers without end": flood(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", b"A: b\r\n" * 1000),
    "a gzip bomb in a gzip": answer(
        HEAD + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB), BOMB
    ),
    "a coding that does not exist": answer(HEAD + b"Content-Encoding: br, zstd, x\r\nContent-Length: 2\r\n\r\nab"),
    "an empty 200": answer(HEAD + b"Content-Length: 0\r\n\r\n"),
    "an unmeasured 200": answer(HEAD + b"\r\n"),
    "a body longer than declared": answer(HEAD + b"Content-Length: 2\r\n\r\nabcdef"),
    "both lengths": answer(HEAD + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
    "a negative length": answer(HEAD + b"Content-Length: -7\r\n\r\nab"),
    "a header line without a colon": answer(HEAD + b"nonsense\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"),
    "bare line feeds": answer(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    "control characters": answer(b"HTTP/1.1 200 O\x00\x1bK\r\nX-A: a\x00b\x1b[31m\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.parametrize("trick", NEVER_ENDING)
def test_what_never_ends_is_ended_at_the_deadline_and_never_taken_for_an_answer(start: Start, trick: str) -> None:
    receiver = start(NEVER_ENDING[trick])
    result = post(receiver.url, HASTY)
    assert result.failure is Failure.TIMEOUT_TOTAL
    assert not result.ok
    assert HASTY.total * 1000 <= result.duration_ms < SOON_MS
    assert receiver.ended.acquire(timeout=60)  # the connection is closed and not left behind


@pytest.mark.parametrize("trick", HALF_HEADS)
def test_of_a_half_read_head_no_status_is_told(start: Start, trick: str) -> None:
    assert post(start(NEVER_ENDING[trick]).url, HASTY).status is None


@pytest.mark.parametrize("trick", MISSHAPEN)
def test_what_is_misshapen_is_named(start: Start, trick: str) -> None:
    script, failure = MISSHAPEN[trick]
    receiver = start(script)
    assert post(receiver.url).failure is failure
    assert receiver.ended.acquire(timeout=60)


@pytest.mark.parametrize("trick", ENDLESS_TAKEN)
def test_what_comes_after_a_whole_head_is_bounded_and_undecoded(start: Start, trick: str) -> None:
    receiver = start(ENDLESS_TAKEN[trick])
    result = post(receiver.url)
    assert result.ok, result
    assert len(result.body) <= 16 * 1024
    assert result.length is None or result.length < 2**63
    assert all(text.isprintable() for header in result.headers for text in (*header, result.reason))
    assert receiver.ended.acquire(timeout=60)


@pytest.mark.parametrize(
    "trick",
    [
        "a body without end", "a gzip bomb in a gzip", "a negative chunk", "trailers without end",
        "many lines of 60 kB", "thousands of headers", "interim answers without end",
    ],
)  # fmt: skip
def test_memory_hardly_grows(start: Start, trick: str) -> None:
    receiver = start(ENDLESS_TAKEN[trick] if trick in ENDLESS_TAKEN else MISSHAPEN[trick][0])
    post(receiver.url)  # what is loaded once does not count
    tracemalloc.start()
    try:
        post(receiver.url)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_receiver_that_reads_nothing_cannot_hold_a_large_message(start: Start) -> None:
    result = post(start(hold_unread).url, HASTY, body=b"x" * 30_000_000)
    assert result.failure is Failure.TIMEOUT_TOTAL
    assert result.duration_ms < SOON_MS


def test_what_was_read_before_the_deadline_is_still_shown(start: Start) -> None:
    result = post(start(answer_and_hold(HEAD + b"Content-Length: 5\r\n\r\nab")).url, Limits(total=1))
    assert (result.status, result.body, result.length, result.ok) == (200, b"ab", 5, False)


def test_many_slow_receivers_share_one_watchdog(start: Start) -> None:
    receiver = start(NEVER_ENDING["a byte of a header now and then"])
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
