"""An installation under load: worker processes, a receiver that keeps up, and a publisher in this process."""

import itertools
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import event

from portal import create_app
from portal.extensions import db, db_now
from portal.jobs import bells, connect
from portal.webhooks.models import EventType, Webhook
from portal.webhooks.samples import sample_bodies
from tests.conftest import serving_postgres, serving_valkey
from tests.sink import Manners, Sink, sinking
from tests.system.conftest import free_port
from tests.system.installation import Installation, installed, until
from tests.webhooks.making import make_event, make_webhook, make_workspace

POISON = b"poison"
"""Stands in the body of events that a receiver may refuse."""

OWN = "bench"
"""How this process's connections are told from the workers', in Redis."""


@dataclass(frozen=True, eq=False)
class Target:
    """A webhook in a workspace of its own: an event there goes to it alone."""

    workspace_id: uuid.UUID
    webhook_id: uuid.UUID
    name: str
    contacts: tuple[uuid.UUID, ...]
    poisoned: uuid.UUID | None = None
    """The contact whose events say so in their bodies."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One committed event."""

    event_id: str
    target: Target
    contact_id: uuid.UUID
    at: float
    """When its commit was done, by the monotonic clock."""


class Load:
    """Makes webhooks and events, and knows when each event was committed and when it arrived."""

    def __init__(self, made: Installation, sink: Sink) -> None:
        self.made, self.sink, self.redis = made, sink, connect(made.env["REDIS_URL"], client_name=OWN)
        bells().redis.connection_pool.connection_kwargs["client_name"] = OWN
        self.names = map(str, itertools.count())
        self.arrived: dict[str, float] = {}
        self.seen = 0
        self.committed_at = 0.0
        self.body = sample_bodies()[EventType.UPDATED]
        # Before the portal's own listener, which rings: what that takes belongs to the way to the receiver.
        event.listen(db.session, "after_commit", self._note_commit, insert=True)

    def target(self, manners: Manners | None = None, contacts: int = 1000, is_poisoned: bool = False) -> Target:
        """A new webhook whose receiver answers so."""
        name = next(self.names)
        if manners:
            self.sink.behave(name, manners)
        workspace_id = make_workspace()
        webhook_id = make_webhook(workspace_id, self.sink.url(name)).id
        db.session.rollback()
        people = tuple(uuid.uuid4() for _ in range(contacts))
        return Target(workspace_id, webhook_id, name, people, people[0] if is_poisoned else None)

    def stream(self, targets: Iterator[Target], count: int, rate: float) -> list[Sent]:
        """Commit `count` events, `rate` a second; whatever is late does not move what follows."""
        turns: dict[str, Iterator[uuid.UUID]] = {}
        sent, began = [], time.monotonic()
        for number, target in enumerate(itertools.islice(targets, count)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            contact = next(turns.setdefault(target.name, itertools.cycle(target.contacts)))
            sent.append(self.publish(target, contact))
        return sent

    def publish(self, target: Target, contact_id: uuid.UUID) -> Sent:
        """Commit one event as a save does."""
        body = self.body + POISON if contact_id == target.poisoned else self.body
        event_id = make_event(target.workspace_id, contact_id, body=body, commit=False).id
        db.session.commit()
        return Sent(event_id, target, contact_id, self.committed_at)

    def latencies(self, sent: Sequence[Sent]) -> list[float]:
        """Milliseconds from each commit to the first arrival, once all have arrived."""
        until(lambda: self._has_seen(sent), "all events arrive")
        return [1000 * (self.arrived[one.event_id] - one.at) for one in sent]

    def settle(self) -> None:
        """Wait until no drain is at work, be it with a receiver that hangs."""
        held = db.select(Webhook.id).where(Webhook.leased_until > db_now()).limit(1)

        def is_free() -> bool:
            found = db.session.scalar(held)
            db.session.rollback()
            return found is None

        until(is_free, "no drain is at work")

    def close(self) -> None:
        """End the processes and let the database go."""
        event.remove(db.session, "after_commit", self._note_commit)
        self.made.stop()
        self.redis.close()
        db.session.remove()
        db.engine.dispose()

    def _note_commit(self, _session: object) -> None:
        self.committed_at = time.monotonic()

    def _has_seen(self, sent: Sequence[Sent]) -> bool:
        for one in self.sink.collect()[self.seen :]:
            self.arrived.setdefault(one.event_id, one.at)
        self.seen = len(self.sink.arrivals)
        return all(one.event_id in self.arrived for one in reversed(sent))


@contextmanager
def loading(database: str) -> Iterator[Load]:
    """An installation on "SQLite" or "PostgreSQL", without processes, and this process as its publisher."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, redis_url = stack.enter_context(serving_valkey())
        is_sqlite = database == "SQLite"
        url = f"sqlite:///{folder / 'portal.db'}" if is_sqlite else stack.enter_context(serving_postgres())
        made = stack.enter_context(installed(url, redis_url, folder / "data", free_port()))
        with patch.dict(os.environ, made.env):
            app = create_app()
        with app.app_context(), sinking() as sink:
            load = Load(made, sink)
            try:
                yield load
            finally:
                load.close()


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[-1]


def figures(times: Sequence[float]) -> str:
    """Three cells of a table: the median, the 99th of 100, and the slowest."""
    return " | ".join(f"{figure:,.1f} ms" for figure in (statistics.median(times), p99(times), max(times)))


def in_turns(targets: Sequence[Target], seed: int = 1) -> Iterator[Target]:
    """All targets again and again, in another order each time: none always comes after the same one."""
    chance, order = random.Random(seed), list(targets)
    while True:
        chance.shuffle(order)
        yield from order
