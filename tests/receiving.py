"""A real receiver on loopback that remembers what it got and can be awaited."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

AWAIT_SECONDS = 60
"""Only a limit for what never comes: an awaited request is seen in the moment it arrives."""


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Answers as `answer` says: a status, or a function of the request that returns one (and may block)."""

    def __init__(self, answer: int | Callable[[Got], int] = 200) -> None:
        self.answer = answer
        self.got: list[Got] = []
        self.changed = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def wait(self, count: int) -> list[Got]:
        """The requests so far, once there are `count`."""
        with self.changed:
            arrived = self.changed.wait_for(lambda: len(self.got) >= count, AWAIT_SECONDS)
            assert arrived, f"{len(self.got)} of {count} requests came"
            return list(self.got)

    def _take(self, got: Got) -> int:
        with self.changed:
            self.got.append(got)
            self.changed.notify_all()
        return self.answer if isinstance(self.answer, int) else self.answer(got)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver._take(Got(self.path, headers, body)))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        return Handler


@contextmanager
def receiving(answer: int | Callable[[Got], int] = 200) -> Iterator[Receiver]:
    """A receiver that listens for the length of the block."""
    receiver = Receiver(answer)
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
