"""A resolver with tricks, through the real send path: only `getaddrinfo` and the system's sockets are doubles."""

import errno
import socket
import threading
from ipaddress import ip_network

import pytest

from portal.webhooks.outbound import Connections, Failure, Limits, Result, send
from tests.webhooks.outbound.conftest import LOOPBACK, PATIENT, Network, Start, Visit, Wire
from tests.webhooks.outbound.hostile_urls import PUBLIC

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PUBLIC_6 = "2606:2800:220:1::1"
MANY = [f"93.184.{third}.{last}" for third in range(4) for last in range(50)]
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))

# What a name resolves to, of which at least one may not be reached.
BLOCKED = {
    "loopback": ["127.0.0.1"],
    "private": ["10.0.0.1"],
    "unspecified": ["0.0.0.0"],
    "a carrier's network": ["100.64.0.1"],
    "broadcast": ["255.255.255.255"],
    "multicast": ["224.0.0.251"],
    "metadata": ["169.254.169.254"],
    "IPv6 loopback": ["::1"],
    "IPv6 unspecified": ["::"],
    "IPv6 private": ["fd00::1"],
    "IPv6 multicast": ["ff02::1"],
    "link-local with a zone by name": ["fe80::1%eth0"],
    "link-local with a zone by number": ["fe80::1%2"],
    "metadata with a zone": ["fe80::a9fe:a9fe%2"],
    "mapped IPv4": ["::ffff:10.0.0.1"],
    "compatible IPv4": ["::127.0.0.1"],
    "translated IPv4": ["::ffff:0:127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1"],
    "NAT64 of a network's own": ["64:ff9b:1::a00:1"],
    "6to4": ["2002:7f00:1::"],
    "Teredo": ["2001:0:7f00:1::1"],
    "public, then private": [PUBLIC, "10.0.0.1"],
    "private, then public": ["10.0.0.1", PUBLIC],
    "private between public ones": [PUBLIC, "192.168.0.1", "93.184.215.15"],
    "IPv4 public, IPv6 loopback": [PUBLIC, "::1"],
    "IPv6 public, IPv4 loopback": [PUBLIC_6, "127.0.0.1"],
    "public, then mapped private": [PUBLIC, "::ffff:10.0.0.1"],
    "private behind those that would be tried": [*MANY[:4], "127.0.0.1"],
    "200 answers, the last one private": [*MANY[:199], "192.168.0.1"],
    "the same 199 times, then private": [PUBLIC] * 199 + ["10.0.0.1"],
}

# What a name resolves to, and what is then connected to: all of it may be reached, and nothing accepts a connection.
TRIED = {
    "200 answers": (MANY, MANY[:4]),
    "the same 200 times": ([PUBLIC] * 200, [PUBLIC]),
    "both families": ([PUBLIC_6, PUBLIC], [PUBLIC_6, PUBLIC]),
    "many of one family, one of the other": ([PUBLIC, *(f"2606:2800::{n}" for n in range(1, 9))],
                                             [PUBLIC, "2606:2800::1", "2606:2800::2", "2606:2800::3"]),
    "a mapped public address": (["::ffff:93.184.215.14"], ["::ffff:5db8:d70e"]),
    "a public address with a zone": ([f"{PUBLIC_6}%eth0"], [PUBLIC_6]),
}  # fmt: skip

# What the resolver does instead of answering.
FAULTS = {
    "no answer": [],
    "no such name": socket.gaierror(socket.EAI_NONAME, "x"),
    "try again": socket.gaierror(socket.EAI_AGAIN, "x"),
    "a failure for good": socket.gaierror(socket.EAI_FAIL, "x"),
    "a name that it cannot encode": UnicodeError("label empty or too long"),
    "no more files": OSError(errno.EMFILE, "x"),
    "a time-out of its own": TimeoutError("x"),
    "a fault": RuntimeError("10.0.0.53 did something odd"),
    "no memory": MemoryError(),
    "an answer that is no address": ["internal"],
    "an answer that is a path": ["/var/run/docker.sock"],
    "an empty address": [""],
    "an address in octal": ["0177.0.0.1"],
}


def to(name: str, pool: Connections | None = None, limits: Limits = PATIENT) -> Result:
    return send(f"http://{name}/", {}, b"{}", pool=pool, limits=limits)


def keep_answering(visit: Visit) -> None:
    while visit.request():
        visit.sock.sendall(OK)


def test_there_are_as_many_tricks_as_promised() -> None:
    assert len(BLOCKED) + len(TRIED) + len(FAULTS) >= 40


@pytest.mark.parametrize("trick", BLOCKED)
def test_any_answer_that_may_not_be_reached_refuses_the_name_and_tells_nothing(
    names: Network, wire: Wire, trick: str
) -> None:
    names.resolve("trick.example", BLOCKED[trick])
    result = to("trick.example")
    assert result.failure is Failure.BLOCKED_ADDRESS
    assert (wire.opened, result.remote, result.reason) == (0, None, "")


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fe80::a9fe:a9fe%2", "::ffff:100.100.100.200"])
def test_metadata_is_not_reached_even_where_everything_is_allowed(names: Network, wire: Wire, address: str) -> None:
    names.resolve("trick.example", [PUBLIC, address])
    assert send("http://trick.example/", {}, b"", allowed=EVERYTHING).failure is Failure.BLOCKED_ADDRESS
    assert wire.opened == 0


@pytest.mark.parametrize("trick", TRIED)
def test_of_many_answers_four_are_tried_each_once(names: Network, wire: Wire, trick: str) -> None:
    answers, tried = TRIED[trick]
    names.resolve("trick.example", answers)
    assert to("trick.example").failure is Failure.REFUSED
    assert wire.connected == [(address, 80) for address in tried]
    assert names.asked == ["trick.example"]


@pytest.mark.parametrize("trick", FAULTS)
def test_a_resolver_that_does_not_answer_properly_is_named_and_not_quoted(
    names: Network, wire: Wire, trick: str
) -> None:
    fault = FAULTS[trick]
    names.names["trick.example"] = [fault] if isinstance(fault, list) else fault
    result = to("trick.example")
    assert (result.failure, result.reason, wire.opened) == (Failure.DNS_FAILED, "", 0)
    assert result.phases.connect is None


def test_an_answer_that_changes_between_check_and_connection_gains_nothing(
    names: Network, wire: Wire, start: Start
) -> None:
    wire.leads_to = start(keep_answering)
    names.resolve("trick.example", [PUBLIC], ["127.0.0.1"])
    assert to("trick.example").ok
    assert (names.asked, wire.connected) == (["trick.example"], [(PUBLIC, 80)])
    assert to("trick.example").failure is Failure.BLOCKED_ADDRESS
    assert len(wire.connected) == 1


def test_an_answer_that_changes_while_addresses_are_tried_gains_nothing(names: Network, wire: Wire) -> None:
    names.resolve("trick.example", MANY[:3], ["127.0.0.1"])
    assert to("trick.example").failure is Failure.REFUSED
    assert [address for address, _ in wire.connected] == MANY[:3]


def test_an_answer_that_comes_too_late_opens_nothing_any_more(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, hanging = threading.Event(), threading.Event()

    def getaddrinfo(*_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        asked.set()
        hanging.wait(60)
        return [(0, 0, 0, "", (PUBLIC, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    lookups_before = looking_up()
    try:
        assert to("slow.example", limits=Limits(resolve=0.05, total=60)).failure is Failure.DNS_TIMEOUT
        assert asked.is_set()
    finally:
        hanging.set()
    for thread in looking_up() - lookups_before:
        thread.join(60)
    assert wire.opened == 0


def looking_up() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "outbound-lookup"}


def test_a_kept_connection_stays_where_it_was_checked_whatever_the_name_means_now(
    names: Network, wire: Wire, start: Start
) -> None:
    wire.leads_to = start(keep_answering)
    names.resolve("trick.example", [PUBLIC], ["127.0.0.1"])
    with Connections() as pool:
        results = [to("trick.example", pool) for _ in range(3)]
    assert all(result.ok and result.remote == f"{PUBLIC}:80" for result in results)
    assert (len(names.asked), wire.connected) == (1, [(PUBLIC, 80)])


def test_a_stale_connection_is_replaced_only_after_a_new_look_up_and_check(
    names: Network, wire: Wire, start: Start
) -> None:
    def answer_once_and_hang_up_on_the_next(visit: Visit) -> None:
        visit.answer(OK)
        visit.request()

    wire.leads_to = start(answer_once_and_hang_up_on_the_next)
    names.resolve("trick.example", [PUBLIC], ["10.0.0.1"])
    with Connections() as pool:
        assert to("trick.example", pool).ok
        result = to("trick.example", pool)
    assert result.failure is Failure.BLOCKED_ADDRESS
    assert (len(names.asked), wire.connected) == (2, [(PUBLIC, 80)])
    assert len(wire.leads_to.requests) == 2


def test_what_one_name_was_allowed_says_nothing_of_another_at_the_same_address(
    names: Network, wire: Wire, start: Start
) -> None:
    wire.leads_to = start(keep_answering)
    names.resolve("mine.example", ["127.0.0.1"])
    names.resolve("theirs.example", ["127.0.0.1"])
    with Connections() as pool:
        assert send("http://mine.example/", {}, b"", allowed=LOOPBACK, pool=pool, limits=PATIENT).ok
        assert to("theirs.example", pool).failure is Failure.BLOCKED_ADDRESS
        assert to("mine.example", pool).failure is Failure.BLOCKED_ADDRESS
    assert len(wire.connected) == 1
