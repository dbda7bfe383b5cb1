"""Real servers on loopback, and doubles for the two seams: the system's resolver and the opening of a socket."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network

import pytest

from portal.webhooks.outbound import Connections, Limits, Result, connections, send, tls
from tests.webhooks.outbound.authority import Authority

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
PATIENT = Limits(connect=30, total=60, resolve=30)  # on a busy machine nothing must run into these
HASTY = Limits(connect=30, total=0.4, resolve=30)  # for receivers that must be cut off
SOON_MS = 20_000  # far below what the tricks would last, far above what a busy machine needs


class Visit:
    """One accepted connection, as a receiver's script sees it."""

    def __init__(self, receiver: "Receiver", sock: socket.socket) -> None:
        self.receiver = receiver
        self.sock = sock
        self._buffer = b""

    def request(self) -> bytes:
        """The next whole request, head and body; empty when the client is gone."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return b""
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(rest) < length:
            if not self._more():
                return b""
            rest = self._buffer.partition(b"\r\n\r\n")[2]
        self._buffer = rest[length:]
        request = head + b"\r\n\r\n" + rest[:length]
        self.receiver.requests.append(request)
        return request

    def answer(self, *pieces: bytes) -> None:
        self.request()
        for piece in pieces:
            self.sock.sendall(piece)

    def drip(self, endless: bytes) -> None:
        """Repeat a piece now and then until the client or the test is gone, or for longer than any send may take."""
        for _ in range(1500):
            if self.receiver.stopped.wait(0.02):
                return
            self.sock.sendall(endless)

    def flood(self, endless: bytes) -> None:
        while not self.receiver.stopped.is_set():
            self.sock.sendall(endless)

    def hold(self) -> None:
        """Say nothing until the client hangs up."""
        while self._more():
            pass

    def reset(self) -> None:
        """Close with a TCP reset instead of a regular end."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)


class Receiver:
    """A server on loopback that runs `script` for each connection, in a thread each."""

    def __init__(self, script: Callable[[Visit], None], context: ssl.SSLContext | None, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.requests: list[bytes] = []
        self.visits = 0
        self.stopped = threading.Event()
        self.ended = threading.Semaphore(0)  # released once for each visit that has ended
        self._script = script
        self._context = context
        self._listener = socket.create_server((host, 0), family=family)
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}/hook"

    def close(self) -> None:
        self.stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.visits += 1
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with suppress(OSError), ExitStack() as stack:
                stack.enter_context(sock)
                self._open.add(sock)
                if self._context:
                    sock = stack.enter_context(self._context.wrap_socket(sock, server_side=True))
                    self._open.add(sock)
                self._script(Visit(self, sock))
        finally:
            self.ended.release()


Start = Callable[..., Receiver]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a receiver: `start(script, context=None, host="127.0.0.1")`."""
    started: list[Receiver] = []

    def starting(
        script: Callable[[Visit], None], context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> Receiver:
        started.append(Receiver(script, context, host))
        return started[-1]

    yield starting
    for receiver in started:
        receiver.close()


def post(url: str, limits: Limits = PATIENT, pool: Connections | None = None, body: bytes = b"{}") -> Result:
    """Send to a receiver on loopback."""
    return send(url, {"content-type": "application/json"}, body, allowed=LOOPBACK, pool=pool, limits=limits)


class Network:
    """The network beyond loopback: names that resolve as the test says, and a record of what is dialled."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]] | Exception] = {}
        self.anything: list[str] = []  # the addresses of all other names
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []
        self.leads_to: Receiver | None = None
        self.unreachable: dict[str, OSError] = {}
        self._really_dial = connections.dial

    def resolve(self, name: str, *answers: list[str]) -> None:
        """Let the name have these addresses; with several lists, one look-up after the other."""
        self.names[name] = list(answers)

    def getaddrinfo(self, name: str, *_args: object, **_kwargs: object) -> list[tuple[object, ...]]:
        self.asked.append(name)
        nothing = socket.gaierror(socket.EAI_NONAME, "no such name")
        answers = self.names.get(name, [self.anything] if self.anything else nothing)
        if isinstance(answers, Exception):
            raise answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(0, socket.SOCK_STREAM, 6, "", (address, 0)) for address in answer]

    def dial(self, address: connections.Address, port: int, seconds: float) -> socket.socket:
        self.dialled.append((str(address), port))
        if str(address) in self.unreachable:
            raise self.unreachable[str(address)]
        assert self.leads_to is not None, f"a socket to {address} was opened"
        return self._really_dial(ip_address("127.0.0.1"), self.leads_to.port, seconds)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Network:
    """No name resolves but as the test says."""
    double = Network()
    monkeypatch.setattr(socket, "getaddrinfo", double.getaddrinfo)
    return double


@pytest.fixture
def network(names: Network, monkeypatch: pytest.MonkeyPatch) -> Network:
    """No name resolves and nothing is dialled but as the test says."""
    monkeypatch.setattr(connections, "dial", names.dial)
    return names


class Wire:
    """Every socket that this process opens, and where it is connected to; all of them end at one receiver."""

    def __init__(self) -> None:
        self.opened = 0
        self.connected: list[tuple[str, int]] = []
        self.leads_to: Receiver | None = None


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Only the system's socket is replaced: all that `send` does before is real."""
    double, real = Wire(), socket.socket

    class Recorded(real):
        def __init__(self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None) -> None:
            if fileno is None:
                double.opened += 1
                family = socket.AF_INET
            super().__init__(family, kind, proto, fileno)

        def connect(self, address: tuple[str, int]) -> None:
            double.connected.append(address)
            if double.leads_to is None:
                raise ConnectionRefusedError
            super().connect(("127.0.0.1", double.leads_to.port))

    monkeypatch.setattr(socket, "socket", Recorded)
    return double


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def trusting(authority: Authority) -> ssl.SSLContext:
    """The context as it is in production, and one authority more."""
    context = tls.context.__wrapped__()
    context.load_verify_locations(authority.file)
    return context


@pytest.fixture
def trusted(trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the tests' authority."""
    monkeypatch.setattr(tls, "context", lambda: trusting)
