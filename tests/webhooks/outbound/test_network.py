"""Names: looked up once, judged by all their answers, connected to the address that was judged."""

import socket
import threading
from ipaddress import ip_network

import pytest

from portal.webhooks.outbound import Connections, Failure, Limits, connections, send
from portal.webhooks.outbound.resolver import Resolver
from portal.webhooks.outbound.result import Failed
from tests.webhooks.outbound.conftest import LOOPBACK, PATIENT, Network, Start

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
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


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["fe80::1%2"], ["::ffff:10.0.0.1"],
        ["64:ff9b::7f00:1"], ["0.0.0.0"], ["100.64.0.1"], ["2002:7f00:1::"],
        [PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "::1"],
        [PUBLIC] * 199 + ["192.168.0.1"], [*(f"93.184.215.{last}" for last in range(200)), "127.0.0.1"],
    ],
)  # fmt: skip
def test_a_name_with_any_answer_that_is_not_public_opens_nothing(network: Network, answers: list[str]) -> None:
    network.resolve("rebind.example", answers)
    result = to("rebind.example")
    assert result.failure is Failure.BLOCKED_ADDRESS
    assert result.remote is None
    assert not any(answer in result.reason for answer in answers)
    assert not network.dialled


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fe80::a9fe:a9fe%2"])
def test_metadata_is_never_reached_even_where_everything_is_allowed(network: Network, address: str) -> None:
    network.resolve("meta.example", [address])
    result = send("http://meta.example/", {}, b"", allowed=EVERYTHING)
    assert result.failure is Failure.BLOCKED_ADDRESS
    assert not network.dialled


def test_a_name_that_changes_its_mind_after_the_check_gains_nothing(network: Network, start: Start) -> None:
    network.leads_to = start(lambda visit: visit.answer(OK))
    network.resolve("rebind.example", [PUBLIC], ["127.0.0.1"])
    assert to("rebind.example").ok
    assert network.asked == ["rebind.example"]
    assert network.dialled == [(PUBLIC, 80)]
    assert to("rebind.example").failure is Failure.BLOCKED_ADDRESS
    assert len(network.dialled) == 1


def test_at_most_four_addresses_are_tried_of_both_families(network: Network) -> None:
    v6 = [f"2606:2800::{last}" for last in range(1, 8)]
    network.resolve("many.example", [*v6, PUBLIC])
    network.unreachable = {address: OSError(101, "unreachable") for address in [*v6, PUBLIC]}
    assert to("many.example").failure is Failure.UNREACHABLE
    assert [address for address, _ in network.dialled] == [v6[0], PUBLIC, v6[1], v6[2]]


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


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_NONAME, "x"), socket.gaierror(socket.EAI_AGAIN, "x"), UnicodeError("x")]
)
def test_a_name_without_addresses_is_named(network: Network, error: Exception) -> None:
    network.names["gone.example"] = error
    result = to("gone.example")
    assert result.failure is Failure.DNS_FAILED
    assert result.phases.dns is not None
    assert result.phases.connect is None


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
            resolver.resolve("a.example", 0.05)
        with pytest.raises(Failed, match="internal"):
            resolver.resolve("b.example", 0.05)
    finally:
        hanging.set()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: [(0, 0, 0, "", (PUBLIC, 0))])
    assert [str(address) for address in resolver.resolve("b.example", 30)] == [PUBLIC]


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
            resolver.resolve("a.example", 30)
    assert resolver.resolve("a.example", 30)


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
