"""Connections kept alive within a drain: reused when fit, replaced when stale, closed at the end."""

import threading
from typing import Any

import pytest

from portal.webhooks.outbound import Connections, Failure, client, send
from tests.webhooks.outbound.conftest import HASTY, LOOPBACK, PATIENT, Network, Start, Visit, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def keep_answering(visit: Visit) -> None:
    while visit.request():
        visit.sock.sendall(OK)


def test_a_connection_serves_many_messages(start: Start) -> None:
    receiver = start(keep_answering)
    with Connections() as pool:
        results = [post(receiver.url, pool=pool) for _ in range(5)]
        assert all(result.ok and result.body == b"ok" for result in results)
        assert receiver.visits == 1
        assert results[0].phases.connect is not None
        assert results[4].phases.connect is None
        assert results[4].remote == results[0].remote
        assert b"\r\nConnection: keep-alive\r\n" in receiver.requests[0]
    assert receiver.ended.acquire(timeout=60)  # closed with the pool


def test_without_a_pool_the_connection_is_closed(start: Start) -> None:
    receiver = start(keep_answering)
    post(receiver.url)
    assert receiver.ended.acquire(timeout=60)


def test_a_connection_that_the_receiver_closed_meanwhile_is_replaced(start: Start) -> None:
    receiver = start(lambda visit: visit.answer(OK))
    with Connections() as pool:
        for _ in range(3):
            assert post(receiver.url, pool=pool).ok
            assert receiver.ended.acquire(timeout=60)
    assert receiver.visits == 3


def first_visit_then(answer_to_second: bytes, *, reset: bool = False):
    """A script whose first connection answers one message well, and the next with something else and the end."""

    def script(visit: Visit) -> None:
        if visit.receiver.visits > 1:
            keep_answering(visit)
            return
        visit.answer(OK)
        visit.answer(answer_to_second)
        if reset:
            visit.reset()

    return script


def test_a_stale_connection_is_retried_once_on_a_new_one(start: Start) -> None:
    for script in (first_visit_then(b""), first_visit_then(b"", reset=True)):
        receiver = start(script)
        with Connections() as pool:
            assert post(receiver.url, pool=pool).ok
            assert post(receiver.url, pool=pool).ok
        assert receiver.visits == 2
        assert len(receiver.requests) == 3


def test_a_kept_connection_that_answers_a_single_byte_is_not_retried(start: Start) -> None:
    receiver = start(first_visit_then(b"H"))
    with Connections() as pool:
        assert post(receiver.url, pool=pool).ok
        assert post(receiver.url, pool=pool).failure is Failure.BAD_ANSWER
    assert receiver.visits == 1


def test_a_kept_connection_that_breaks_after_its_head_is_not_retried(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    head_taken = threading.Event()
    take_head = client._take_head

    def taking_head(*args: Any) -> None:
        take_head(*args)
        head_taken.set()

    def script(visit: Visit) -> None:
        visit.answer(OK)
        visit.request()
        head_taken.clear()
        visit.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        head_taken.wait(60)
        visit.reset()

    monkeypatch.setattr(client, "_take_head", taking_head)
    receiver = start(script)
    with Connections() as pool:
        assert post(receiver.url, pool=pool).ok
        assert post(receiver.url, pool=pool).failure is Failure.RESET
    assert receiver.visits == 1


def test_a_new_connection_without_an_answer_is_not_retried(start: Start) -> None:
    receiver = start(lambda visit: visit.answer(b""))
    with Connections() as pool:
        assert post(receiver.url, pool=pool).failure is Failure.RESET
    assert receiver.visits == 1


def test_a_kept_connection_that_hangs_is_not_retried(start: Start) -> None:
    def script(visit: Visit) -> None:
        visit.answer(OK)
        visit.hold()

    receiver = start(script)
    with Connections() as pool:
        assert post(receiver.url, pool=pool).ok
        assert post(receiver.url, HASTY, pool=pool).failure is Failure.TIMEOUT_TOTAL
    assert receiver.visits == 1


def test_what_was_not_read_to_its_end_is_not_reused(start: Start) -> None:
    def script(visit: Visit) -> None:
        visit.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"a" * 65_536)
        visit.hold()

    receiver = start(script)
    with Connections() as pool:
        assert post(receiver.url, pool=pool).ok
        assert receiver.ended.acquire(timeout=60)
        assert post(receiver.url, pool=pool).ok
    assert receiver.visits == 2


def test_a_connection_that_says_something_unasked_is_not_reused(start: Start) -> None:
    taken, said = threading.Event(), threading.Event()

    def script(visit: Visit) -> None:
        visit.answer(OK)
        if visit.receiver.visits == 1:
            taken.wait(60)
            visit.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            said.set()
        visit.hold()

    receiver = start(script)
    with Connections() as pool:
        assert post(receiver.url, pool=pool).ok
        taken.set()
        assert said.wait(60)
        assert post(receiver.url, pool=pool).body == b"ok"
    assert receiver.visits == 2


def test_the_other_port_or_name_is_another_connection(network: Network, start: Start) -> None:
    network.leads_to = start(keep_answering)
    network.resolve("a.example", ["93.184.215.14"])
    network.resolve("b.example", ["93.184.215.14"])
    with Connections() as pool:
        for url in ("http://a.example/", "http://a.example:81/", "http://b.example/", "http://a.example/other"):
            assert send(url, {}, b"", pool=pool, limits=PATIENT).ok
    assert network.leads_to.visits == 3


def test_an_address_that_is_no_longer_allowed_is_not_reused(network: Network, start: Start) -> None:
    network.leads_to = start(keep_answering)
    network.resolve("a.example", ["127.0.0.1"])
    with Connections() as pool:
        assert send("http://a.example/", {}, b"", allowed=LOOPBACK, pool=pool, limits=PATIENT).ok
        assert send("http://a.example/", {}, b"", pool=pool, limits=PATIENT).failure is Failure.BLOCKED_ADDRESS
    assert len(network.dialled) == 1


def test_a_pool_keeps_no_more_than_it_may(start: Start) -> None:
    meet = threading.Barrier(3)

    def script(visit: Visit) -> None:
        while visit.request():
            if visit.receiver.visits <= 3 and not meet.broken:
                meet.wait(60)
            visit.sock.sendall(OK)

    receiver = start(script)
    with Connections(keep=1) as pool:
        threads = [threading.Thread(target=post, args=(receiver.url,), kwargs={"pool": pool}) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        meet.abort()
        assert receiver.visits == 3
        assert receiver.ended.acquire(timeout=60)
        assert receiver.ended.acquire(timeout=60)
        assert post(receiver.url, pool=pool).ok
        assert receiver.visits == 3


def test_a_send_that_ends_after_its_pool_was_closed_closes_its_connection(start: Start) -> None:
    asked, go = threading.Event(), threading.Event()

    def script(visit: Visit) -> None:
        visit.request()
        asked.set()
        go.wait(60)
        visit.sock.sendall(OK)
        visit.hold()

    receiver = start(script)
    pool = Connections()
    results = []
    thread = threading.Thread(target=lambda: results.append(post(receiver.url, pool=pool)))
    thread.start()
    assert asked.wait(60)
    pool.close()
    go.set()
    thread.join()
    assert results[0].ok
    assert receiver.ended.acquire(timeout=60)
