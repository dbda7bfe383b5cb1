"""Names: looked up once, judged by all their answers, connected to the address that was judged."""

import socket
import threading

import pytest

from portal.webhooks.outbound import Connections, Failure, Limits, Result, connections, send
from portal.webhooks.outbound.resolver import Resolver
from portal.webhooks.outbound.result import Failed
from tests.webhooks.outbound.conftest import LOOPBACK, PATIENT, Network, Start, post

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PUBLIC = "93.184.215.14"


def no_more_threads(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def to(name: str, limits: Limits = PATIENT, pool: Connections | None = None):
    return send(f"http://{name}/", {}, b"{}", limits=limits, pool=pool)


def test_it_connects_to_the_checked_address_and_keeps_the_name_for_the_receiver(network: Network, start: Start) -> None:
    network.leads_to = start(lambda visit: visit.answer(OK))
    network.resolve("b\u00fccher.example".encode("idna").decode(), [PUBLIC])
    result = send("http://b\u00fccher.example/", {}, b"{}", limits=PATIENT)
    assert result.ok
    assert result.remote == f"{PUBLIC}:80"
    assert network.dialled == [(PUBLIC, 80)]
    assert b"\r\nHost: xn--bcher-kva.example\r\n" in network.leads_to.requests[0]


def test_the_next_address_is_tried_when_one_fails(network: Network, start: Start) -> None:
    network.leads_to = start(lambda visit: visit.answer(OK))
    network.resolve("two.example", ["2606:2800::1", PUBLIC])
    network.unreachable = {"2606:2800::1": OSError(101, "unreachable")}
    result = to("two.example")
    assert result.ok
    assert result.remote == f"{PUBLIC}:80"


def test_one_address_that_swallows_everything_leaves_time_for_the_others(network: Network, monkeypatch) -> None:
    seconds = []

    def dial(_address: object, _port: int, given: float) -> socket.socket:
        seconds.append(given)
        raise TimeoutError

    monkeypatch.setattr(connections, "dial", dial)
    network.resolve("slow.example", [f"93.184.215.{last}" for last in range(4)])
    assert to("slow.example", Limits(connect=4)).failure is Failure.TIMEOUT_CONNECT
    assert len(seconds) == 4
    assert seconds[0] <= 1
    assert seconds[3] <= 4


def test_a_look_up_without_an_answer_ends_at_its_limit_and_holds_one_thread_for_all(monkeypatch) -> None:
    hanging = threading.Event()
    asked = []

    def getaddrinfo(name: str, *_args: object, **_kwargs: object) -> list[object]:
        asked.append(name)
        hanging.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "x")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    limits = Limits(resolve=0.1, total=60)
    try:
        assert [to("slow.example", limits).failure for _ in range(3)] == [Failure.DNS_TIMEOUT] * 3
        assert asked == ["slow.example"]
    finally:
        hanging.set()


def test_names_that_hang_in_every_slot_keep_others_waiting_no_longer_than_the_limit(monkeypatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: hanging.wait(60) and [])
    resolver = Resolver(slots=1)
    try:
        with pytest.raises(Failed, match="dns_timeout"):
            resolver.resolve("a.example", 0.05, "one")
        with pytest.raises(Failed, match="internal"):
            resolver.resolve("b.example", 0.05, "another")
    finally:
        hanging.set()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [(0, 0, 0, "", (PUBLIC, 0))])
    assert [str(address) for address in resolver.resolve("b.example", 30, "another")] == [PUBLIC]


def test_slow_names_of_one_webhook_use_up_no_slot_of_another(monkeypatch: pytest.MonkeyPatch, start: Start) -> None:
    hanging = threading.Event()
    asked = []

    def getaddrinfo(name: str, *_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        asked.append(name)
        if name.endswith(".slow.example"):
            hanging.wait(60)
        return [(0, 0, 0, "", ("127.0.0.1", 0))]

    def post_to(name: str, webhook: str, limits: Limits) -> Result:
        with Connections(owner=webhook) as pool:
            return post(f"http://{name}:{receiver.port}/", limits, pool)

    receiver = start(lambda visit: visit.answer(OK))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(connections, "RESOLVER", Resolver(slots=8, share=4))
    slow = [f"{number}.slow.example" for number in range(6)]
    try:
        for name in slow:
            assert post_to(name, "one", Limits(resolve=0.05, total=60)).failure is Failure.DNS_TIMEOUT
        assert asked == slow[:4]
        assert post_to("quick.example", "another", PATIENT).ok
    finally:
        hanging.set()
    assert post_to(slow[5], "one", PATIENT).ok


def test_a_look_up_that_outlasts_the_whole_deadline_is_named_so(monkeypatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: hanging.wait(60) and [])
    try:
        assert to("hanging.example", Limits(total=0.1)).failure is Failure.TIMEOUT_TOTAL
    finally:
        hanging.set()


def test_when_no_thread_can_be_started_the_slot_is_given_back(monkeypatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [(0, 0, 0, "", (PUBLIC, 0))])
    resolver = Resolver(slots=1)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more_threads)
        with pytest.raises(Failed, match="internal"):
            resolver.resolve("a.example", 30, "one")
    assert resolver.resolve("a.example", 30, "one")


def test_a_name_is_asked_again_by_the_next_connection(network: Network, start: Start) -> None:
    network.leads_to = start(lambda visit: visit.answer(OK))
    network.resolve("name.example", [PUBLIC])
    assert to("name.example").ok
    assert to("name.example").ok
    assert network.asked == ["name.example"] * 2


def test_the_real_resolver_answers_for_localhost(start: Start) -> None:
    receiver = start(lambda visit: visit.answer(OK))
    result = send(f"http://localhost:{receiver.port}/", {}, b"", allowed=LOOPBACK, limits=PATIENT)
    assert result.ok
    assert send(f"http://localhost:{receiver.port}/", {}, b"").failure is Failure.URL_REFUSED
