"""A receiver in a process of its own that takes thousands of requests a second and remembers each of them.

Every webhook has a path of its own, `/<name>`, and answers there as it is told to: see Manners.
"""

import asyncio
import hashlib
import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any

HOST = "127.0.0.1"
ANSWER = b"HTTP/1.1 %d Whatever\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Manners:
    """How a path answers."""

    delay: float = 0.0
    """Seconds before the answer."""
    status: int = 200
    fails: float = 0.0
    """The share of requests that get a 500 instead, by chance."""
    hangs: bool = False
    """Take the request and never answer."""
    refuses: bytes = b""
    """Requests whose body contains this get a 500."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, and what it was told: 0 for nothing."""

    at: float
    """By the monotonic clock, which all processes of a machine share."""
    name: str
    event_id: str
    attempt: int
    trigger: str
    timestamp: int
    digest: bytes
    status: int


@dataclass
class Sink:
    """The receiver as its test sees it."""

    port: int
    pipe: Pipe
    arrivals: list[Arrival] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"http://{HOST}:{self.port}/{name}"

    def behave(self, name: str, manners: Manners) -> None:
        """From now on this path answers so; one that was never told says 200 at once."""
        self._ask("behave", name, manners)

    def count(self) -> int:
        """How many requests came so far."""
        return int(self._ask("count"))

    def accepted(self) -> int:
        """How many of them were told that they are taken."""
        return int(self._ask("accepted"))

    def collect(self) -> list[Arrival]:
        """All that came so far, in the order of arrival."""
        self.arrivals += self._ask("take", len(self.arrivals))
        return self.arrivals

    def _ask(self, *question: Any) -> Any:
        self.pipe.send(question)
        return self.pipe.recv()


@contextmanager
def sinking(seed: int = 1) -> Iterator[Sink]:
    """A receiver for the length of the block."""
    parent, child = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=serve, args=(child, seed), daemon=True)
    process.start()
    try:
        yield Sink(parent.recv(), parent)
    finally:
        process.terminate()
        process.join()


def serve(pipe: Pipe, seed: int) -> None:
    """Listen, tell the port, then obey the pipe until it closes."""
    with suppress(EOFError, KeyboardInterrupt):
        asyncio.run(_Server(pipe, seed).run())


class _Server:
    def __init__(self, pipe: Pipe, seed: int) -> None:
        self.pipe, self.random = pipe, random.Random(seed)
        self.manners: dict[str, Manners] = {}
        self.arrivals: list[Arrival] = []
        self.accepted = 0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Talk(self), HOST, 0, backlog=512)
        ended = loop.create_future()
        loop.add_reader(self.pipe.fileno(), self._obey, ended)
        self.pipe.send(server.sockets[0].getsockname()[1])
        await ended

    def _obey(self, ended: asyncio.Future[None]) -> None:
        try:
            self._answer(*self.pipe.recv())
        except EOFError:
            asyncio.get_running_loop().remove_reader(self.pipe.fileno())
            ended.set_result(None)

    def _answer(self, word: str, *values: Any) -> None:
        if word == "behave":
            self.manners[values[0]] = values[1]
            self.pipe.send(None)
        elif word == "take":
            self.pipe.send(self.arrivals[values[0] :])
        else:
            self.pipe.send({"count": len(self.arrivals), "accepted": self.accepted}[word])

    def take(self, name: str, headers: dict[str, str], body: bytes) -> tuple[int, float]:
        """Remember a request; its status (0 for no answer) and after how long."""
        manners = self.manners.get(name, Manners())
        fails = (manners.refuses and manners.refuses in body) or self.random.random() < manners.fails
        status = 0 if manners.hangs else 500 if fails else manners.status
        self.accepted += 200 <= status < 300
        self.arrivals.append(
            Arrival(
                at=time.monotonic(),
                name=name,
                event_id=headers.get("webhook-id", ""),
                attempt=int(headers.get("x-cloudcx-attempt", 0)),
                trigger=headers.get("x-cloudcx-trigger", ""),
                timestamp=int(headers.get("webhook-timestamp", 0)),
                digest=hashlib.blake2s(body, digest_size=8).digest(),
                status=status,
            )
        )
        return status, manners.delay


class _Talk(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, server: _Server) -> None:
        self.server, self.buffer = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            whole = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            self._reply(*self.server.take(lines[0].split(" ")[1].strip("/"), headers, body))

    def _reply(self, status: int, delay: float) -> None:
        if not status:
            return
        loop = asyncio.get_running_loop()
        loop.call_later(delay, self._write, status) if delay else self._write(status)

    def _write(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(ANSWER % status)
