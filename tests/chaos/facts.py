"""What there is to judge when a storm is over: what was committed, what arrived, what happened in between."""

import hashlib
import time
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select

from portal.contacts.models import Contact
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Delivery, Event, EventType, Status, Subject, Webhook
from tests.chaos.faults import Fault
from tests.chaos.people import Save
from tests.chaos.site import Database, path
from tests.chaos.storm import Storm
from tests.sink import Arrival

Pair = tuple[str, str]
"""A webhook's name and an event's id."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A committed event."""

    kind: EventType
    contact: str
    body: bytes

    @property
    def digest(self) -> bytes:
        return hashlib.blake2s(self.body, digest_size=8).digest()


@dataclass(frozen=True, slots=True)
class Sent:
    """A committed delivery."""

    seq: int
    status: Status
    created: float
    """By the monotonic clock."""


@dataclass
class Facts:
    """All of it."""

    contacts: dict[str, str]
    """Those that there are at the end, by their ids: the word of the save that they are as of."""
    events: dict[str, Fact]
    """In the order of their commits."""
    sent: dict[Pair, Sent]
    failed_attempts: Counter[Pair]
    """Attempts that the portal's own log calls failed, answers that came too late among them."""
    attempts: int
    arrivals: list[Arrival]
    delays: dict[str, float]
    """How long a receiver takes to answer."""
    saves: list[Save]
    faults: list[Fault]
    exits: list[tuple[int | None, float]]
    saved_without_redis: int
    passed: float
    """The wall clock less the monotonic one."""
    kills: int
    """How many were planned."""
    planned: int
    """How many deliveries there should have been, at least."""
    stuck: str
    """What never came, if the storm had to be given up."""

    def age(self, arrival: Arrival) -> float:
        """How long before it arrived it was made, by its own signed time; that has whole seconds."""
        return arrival.at - (arrival.timestamp + 1 - self.passed)


def gather(storm: Storm) -> Facts:
    """Ask the database and the receiver, when nothing writes any more."""
    site = storm.site
    events, sent = _events(site.database), _sent(site.database)
    failed, attempts = _attempts(site.database)
    return Facts(
        contacts=_contacts(site.database),
        events=events,
        sent=sent,
        failed_attempts=failed,
        attempts=attempts,
        arrivals=sorted(site.sink.collect(), key=lambda arrival: arrival.at),
        delays={name: manners.delay for name, manners in site.manners.items()},
        saves=site.people.saves,
        faults=storm.faults,
        exits=storm.exits,
        saved_without_redis=storm.saved_without_redis,
        passed=time.time() - time.monotonic(),
        kills=storm.size.kills,
        planned=storm.size.saves * storm.size.webhooks,
        stuck=storm.stuck,
    )


def _contacts(database: Database) -> dict[str, str]:
    with database.engine.connect() as connection:
        rows = connection.execute(select(Contact.id, Contact.notes))
        return {str(key): notes or "" for key, notes in rows}


def _events(database: Database) -> dict[str, Fact]:
    place = select(func.min(Delivery.seq)).where(Delivery.event_id == Event.id).scalar_subquery()
    query = (
        select(Event.id, Event.type, Subject.contact_id, Event.body)
        .join(Subject, Subject.event_id == Event.id)
        .order_by(place)
    )
    with database.engine.connect() as connection:
        return {key: Fact(kind, str(contact), body) for key, kind, contact, body in connection.execute(query)}


def _sent(database: Database) -> dict[Pair, Sent]:
    query = select(Webhook.url, Delivery.event_id, Delivery.seq, Delivery.status, Delivery.created_at)
    passed = time.time() - time.monotonic()
    with database.engine.connect() as connection:
        rows = connection.execute(query.join(Webhook, Webhook.id == Delivery.webhook_id))
        return {
            (path(url), event): Sent(seq, status, created.timestamp() - passed)
            for url, event, seq, status, created in rows
        }


def _attempts(database: Database) -> tuple[Counter[Pair], int]:
    query = (
        select(Webhook.url, Delivery.event_id, Attempt.failure)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .join(Webhook, Webhook.id == Attempt.webhook_id)
    )
    with database.engine.connect() as connection:
        rows = connection.execute(query).all()
    return Counter((path(url), event) for url, event, failure in rows if failure), len(rows)
