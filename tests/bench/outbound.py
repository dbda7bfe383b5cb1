"""What the outbound client costs: deliveries per second beside requests' bare adapter."""

import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from ssl import SSLContext
from threading import Barrier, Thread

from playwright.sync_api import Browser as Chromium
from requests import PreparedRequest
from requests.adapters import HTTPAdapter

from portal.webhooks.outbound import Connections, send, tls
from tests.webhooks.outbound.authority import Authority, serving

ROUNDS, TURNS = 5, 10
LIMIT = 0.8
HOST = "127.0.0.1"
ALLOWED = (ip_network("127.0.0.0/8"),)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: %s\r\n\r\nok"
BODY = b'{"type":"contact.created","data":{%s}}' % b",".join(b'"field %02d":"some text"' % n for n in range(50))
HEADERS = {
    "content-type": "application/json",
    "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    "webhook-timestamp": "1674087231",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}
MEANING = """\
Deliveries per second to a receiver on loopback in a process of its own. "Bare" is `HTTPAdapter.send` of the same
bytes, prepared beforehand, and reading the answer: it looks at no address, has no deadline and no bound. Both take
short turns; each figure is the median of {rounds} rounds, the ratio that of the rounds' ratios, with the lowest and the
highest. Cold makes a new connection for each delivery; bare reads its authorities for each. Promise: at least {limit}.
"""
Deliver = Callable[[], bool]


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    is_secure: bool
    is_warm: bool
    threads: int
    deliveries: int  # in each thread and turn


CASES = tuple(
    Case(name, is_secure, is_warm, threads, deliveries // threads)
    for name, is_secure, is_warm, deliveries in (
        ("plain, kept alive", False, True, 120),
        ("TLS, cold", True, False, 24),
        ("TLS, kept alive", True, True, 120),
    )
    for threads in (1, 4)
)


def measure(_chromium: Chromium) -> str:
    """All cases, as a table."""
    lines = [
        "## The outbound client",
        MEANING.format(rounds=ROUNDS, limit=LIMIT),
        "| | threads | bare | ours | ratio | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        tls.context().load_verify_locations(authority.file)
        with receiving(None) as plain, receiving(authority.certificate(HOST)) as secure:
            for case in CASES:
                url = f"https://{HOST}:{secure}/hook" if case.is_secure else f"http://{HOST}:{plain}/hook"
                lines.append(line(case, url, authority.file))
                print(f"\n{lines[-1]}", end="", flush=True)
    return "\n".join([*lines, ""])


def line(case: Case, url: str, ca: Path) -> str:
    """One line of the table."""
    with ExitStack() as stack:
        deliver = {way: stack.enter_context(way(case, url, ca)) for way in (bare, ours)}
        crew = stack.enter_context(ThreadPoolExecutor(case.threads))
        for way in (bare, ours):
            seconds(case, deliver[way], crew)  # warming up
        speeds = [round_of(case, deliver[bare], deliver[ours], crew) for _ in range(ROUNDS)]
    ratios = sorted(mine / theirs for theirs, mine in speeds)
    ratio = statistics.median(ratios)
    theirs, mine = (statistics.median(column) for column in zip(*speeds, strict=True))
    spread = f"{ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    verdict = "PASS" if ratio >= LIMIT else "under"
    return f"| {case.name} | {case.threads} | {theirs:,.0f}/s | {mine:,.0f}/s | {spread} | {verdict} |"


def round_of(case: Case, theirs: Deliver, mine: Deliver, crew: ThreadPoolExecutor) -> tuple[float, float]:
    """Deliveries per second of both, in short turns: whatever else the machine does then slows both."""
    taken = {theirs: 0.0, mine: 0.0}
    for turn in range(TURNS):
        for deliver in (theirs, mine) if turn % 2 else (mine, theirs):
            taken[deliver] += seconds(case, deliver, crew)
    count = TURNS * case.threads * case.deliveries
    return count / taken[theirs], count / taken[mine]


def seconds(case: Case, deliver: Deliver, crew: ThreadPoolExecutor) -> float:
    """How long one turn takes, in all threads together."""

    def work() -> None:
        ready.wait()
        for _ in range(case.deliveries):
            assert deliver()

    ready = Barrier(case.threads + 1)
    workers = [crew.submit(work) for _ in range(case.threads)]
    ready.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.result()
    return time.perf_counter() - began


@contextmanager
def ours(case: Case, url: str, _ca: Path) -> Iterator[Deliver]:
    """A delivery as a drain makes it."""
    with Connections() as pool:
        kept = pool if case.is_warm else None
        yield lambda: send(url, HEADERS, BODY, allowed=ALLOWED, pool=kept).ok


@contextmanager
def bare(case: Case, url: str, ca: Path) -> Iterator[Deliver]:
    """The same bytes by requests' adapter."""
    own = {"Host": url.split("/")[2], "User-Agent": "CloudCX-Webhooks/1", "Accept": "*/*"}
    framing = {"Accept-Encoding": "identity", "Connection": "keep-alive" if case.is_warm else "close"}
    request = PreparedRequest()
    request.prepare("POST", url, {**own, **HEADERS, **framing}, data=BODY)
    with closing(HTTPAdapter(pool_maxsize=16)) as adapter:

        def deliver() -> bool:
            response = adapter.send(request, stream=True, timeout=(5, 15), verify=str(ca))
            return response.raw.read() == b"ok" and response.ok

        yield deliver


@contextmanager
def receiving(certificate: Path | None) -> Iterator[int]:
    """The port of a receiver that says ok, in a process of its own."""
    parent, child = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=receive, args=(child, certificate), daemon=True)
    process.start()
    try:
        yield parent.recv()
    finally:
        process.terminate()
        process.join()


def receive(pipe: Pipe, certificate: Path | None) -> None:
    """Listen, tell the port, and answer for ever."""
    context = serving(certificate) if certificate else None
    with socket.create_server((HOST, 0), backlog=64) as listener:
        pipe.send(listener.getsockname()[1])
        while True:
            sock, _ = listener.accept()
            Thread(target=answer, args=(sock, context), daemon=True).start()


def answer(sock: socket.socket, context: SSLContext | None) -> None:
    """Say ok to each request of a connection, until one asks for its end."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError), context.wrap_socket(sock, server_side=True) if context else sock as stream:
        buffer = b""
        while data := stream.recv(65536):
            buffer += data
            head, found, rest = buffer.partition(b"\r\n\r\n")
            if found and len(rest) >= len(BODY):
                is_last = b"Connection: close" in head
                stream.sendall(ANSWER % (b"close" if is_last else b"keep-alive"))
                if is_last:
                    return
                buffer = rest[len(BODY) :]
