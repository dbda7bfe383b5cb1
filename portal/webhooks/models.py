"""Webhooks and what was, is and will be sent to them. The database is the schedule: whatever is pending stands here."""

import secrets
import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    select,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Base, utcnow
from ..ids import new_id
from ..sealing import Sealed


class EventType(StrEnum):
    """What happens to contacts, and to the webhooks themselves, by its name on the wire."""

    CREATED = "ContactCreated"
    UPDATED = "ContactUpdated"
    DELETED = "ContactDeleted"
    FAILING = "WebhookFailing"
    PAUSED = "WebhookPaused"
    RECOVERED = "WebhookRecovered"

    @property
    def is_alarm(self) -> bool:
        """Whether it is about a webhook and not about contacts."""
        return self in ALARMS


MOST_CONTACTS = 100
"""Contacts that a webhook can ask for in one request, at most."""
CONTACT_EVENTS = (EventType.CREATED, EventType.UPDATED, EventType.DELETED)
ALARMS = (EventType.FAILING, EventType.PAUSED, EventType.RECOVERED)
"""Of one webhook, told to the others; see `alarms`."""


class State(StrEnum):
    """Whether a webhook gets deliveries; a paused one holds them."""

    ACTIVE = "active"
    PAUSED = "paused"
    DELETED = "deleted"


class PauseReason(StrEnum):
    """Who or what paused a webhook."""

    PERSON = "person"
    GONE = "gone"
    FAILING = "failing"


class Status(StrEnum):
    """Where a delivery stands. Only `pending` is ever sent."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Trigger(StrEnum):
    """Why an attempt was made."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    PROBE = "probe"
    TEST = "test"


def new_event_id() -> str:
    """A public event id, unguessable and unique: the `webhook-id` that receivers deduplicate on."""
    return f"msg_{secrets.token_hex(12)}"


class Webhook(Base):
    """A registered URL, and all that the engine knows about its receiver: a hand-over loses nothing."""

    __tablename__ = "webhook"
    __table_args__ = (Index(None, "workspace_id", "state"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(String(200))
    event_types: Mapped[list[str]] = mapped_column(JSON)
    contacts_per_request: Mapped[int] = mapped_column(default=1)
    """How many contacts it takes in one request, at most; 1 to MOST_CONTACTS."""
    secret: Mapped[bytes] = mapped_column(Sealed)
    """`signing` opens it, and the two below."""
    old_secret: Mapped[bytes | None] = mapped_column(Sealed)
    old_secret_until: Mapped[datetime | None]
    headers: Mapped[bytes | None] = mapped_column(Sealed)
    state: Mapped[State] = mapped_column(default=State.ACTIVE)
    pause_reason: Mapped[PauseReason | None]
    paused_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    created_by: Mapped[str] = mapped_column(String(100))
    deleted_at: Mapped[datetime | None]

    lease_token: Mapped[str | None] = mapped_column(String(32))
    leased_until: Mapped[datetime | None]
    width: Mapped[int] = mapped_column(default=1)
    """How many deliveries may be in flight at once."""
    failures: Mapped[int] = mapped_column(default=0)
    """Failed attempts in a row."""
    failed_ids: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The different deliveries that failed last, in a row: as many as open the breaker, the newest at the end."""
    probes: Mapped[int] = mapped_column(default=0)
    """How many probes the open breaker has asked for; 0 while it is closed."""
    answered_at: Mapped[datetime | None]
    """When it last gave a good answer."""
    failing_since: Mapped[datetime | None]
    probe_at: Mapped[datetime | None]
    """Nothing is sent before this time: the breaker is open, or the receiver asked for a pause."""
    throttle: Mapped[int | None]
    """At most so many deliveries in `throttle_seconds`; see `throttle`."""
    throttle_seconds: Mapped[int] = mapped_column(default=1)
    next_at: Mapped[datetime | None]
    """With a throttle: nothing is sent before this time."""
    alarm: Mapped[int] = mapped_column(default=0)
    """The last alarm that was raised about it and not taken back; 0 when all is well. See `alarms`."""
    alarm_at: Mapped[datetime | None]

    @property
    def is_active(self) -> bool:
        return self.state == State.ACTIVE

    def pause(self, reason: PauseReason) -> None:
        """Hold: events go on being recorded, nothing is sent, nothing is dropped."""
        self.state, self.pause_reason, self.paused_at = State.PAUSED, reason, utcnow()


class Event(Base):
    """An immutable fact with its exact body bytes. Kept even if no webhook wants it: it is the contact's history."""

    __tablename__ = "event"
    __table_args__ = (
        Index(None, "workspace_id", "created_at"),
        # What retention takes away next: bodies first, then what has none any more.
        Index("ix_event_body", "created_at", "id", sqlite_where=text("has_body = 1"),
              postgresql_where=text("has_body")),
        Index("ix_event_bare", "created_at", "id", sqlite_where=text("has_body = 0"),
              postgresql_where=text("NOT has_body")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(40), primary_key=True, default=new_event_id)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    type: Mapped[EventType]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    has_body: Mapped[bool] = mapped_column(default=True, server_default=true())
    """False once the body was kept for long enough: then it is empty, and the event can't be sent any more."""
    actor: Mapped[str] = mapped_column(String(100))
    """Who did it, as people read it: kept as a name, for the person may leave."""
    is_test: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    takes_from: Mapped[int] = mapped_column(default=1)
    takes_to: Mapped[int] = mapped_column(default=MOST_CONTACTS)
    """It is for webhooks that take so many contacts in one request. Many changes at once are told once for each size
    that webhooks take; the telling that begins at 1 is the history, the others repeat it (see `batches`)."""
    erased_at: Mapped[datetime | None]
    """Since then its body is empty, for the contact was erased for good: it is never sent again."""

    subjects: Mapped[list["Subject"]] = relationship(order_by="Subject.position", lazy="selectin")


ERASED = "Erased contact"
"""What the log calls a contact that was erased."""


class Subject(Base):
    """One contact that an event is about, as it was then: it outlives the contact, so that the log stays readable."""

    __tablename__ = "subject"
    __table_args__ = (Index(None, "contact_id"),)

    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    contact_id: Mapped[uuid.UUID]
    number: Mapped[str] = mapped_column(String(40))
    """The human contact ID."""
    label: Mapped[str] = mapped_column(String(254))
    changes: Mapped[dict[str, list[Any]]] = mapped_column(JSON, default=dict)
    """Payload key to [old, new]."""


def _type_of_event(context: Any) -> EventType:
    """The default of what a delivery remembers of its event, where the one who makes it does not say it."""
    event_id = context.get_current_parameters()["event_id"]
    found: EventType = context.connection.scalar(select(Event.type).where(Event.id == event_id))
    return found


TROUBLED = "last_failure IS NOT NULL AND status <> 'succeeded' AND status <> 'canceled'"
"""SQL over Delivery: it has failed, and its receiver still lacks it. In the words of its index."""


def _log(name: str, *columns: str, where: str = "") -> Index:
    """An index of a workspace's deliveries in the order of the log: of all of them, or of the few that are special."""
    only = text(where) if where else None
    order = ("workspace_id", *columns, "created_at", "id")
    return Index(name, *order, sqlite_where=only, postgresql_where=only)


class Delivery(Base):
    """One event for one webhook. `due_at` says when it may be sent; NULL while it queues behind another or is final."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("event_id", "webhook_id"),
        Index("ix_delivery_due", "webhook_id", "due_at", "seq", sqlite_where=text("status = 'pending'"),
              postgresql_where=text("status = 'pending'")),
        Index("ix_delivery_test", "webhook_id", sqlite_where=text("status = 'pending' AND trigger = 'test'"),
              postgresql_where=text("status = 'pending' AND trigger = 'test'")),
        Index("ix_delivery_webhook_log", "webhook_id", "created_at", "id"),
        # One a filter of the log (record 6). Deliveries that went well at once are in none of the partial ones.
        _log("ix_delivery_log"),
        _log("ix_delivery_log_event", "event_type"),
        _log("ix_delivery_log_status", "status", where="status <> 'succeeded'"),
        _log("ix_delivery_log_failed", where="last_failure IS NOT NULL"),
        _log("ix_delivery_log_failure", "last_failure", where="last_failure IS NOT NULL"),
        _log("ix_delivery_log_code", "last_status", where="last_failure IS NOT NULL"),
        _log("ix_delivery_log_special", where="trigger <> 'automatic' OR last_trigger <> 'automatic'"),
        _log("ix_delivery_log_retried", where="attempts > 1"),
        _log("ix_delivery_log_slow", where="last_duration_ms >= 1000"),
        Index("ix_delivery_problem", "webhook_id", "last_failure", "last_status", "status", "failing_since",
              sqlite_where=text(TROUBLED), postgresql_where=text(TROUBLED)),
        Index(None, "workspace_id", "updated_at"),
        Index(None, "seq", unique=True),
    )  # fmt: skip

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"))
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook.id"))
    event_type: Mapped[EventType] = mapped_column(default=_type_of_event)
    """Its event's, here too: the log is filtered by it without a look at a million events."""
    status: Mapped[Status] = mapped_column(default=Status.PENDING)
    seq: Mapped[int] = mapped_column(BigInteger)
    """Its place in the one total order that all lanes share."""
    due_at: Mapped[datetime | None]
    trigger: Mapped[Trigger] = mapped_column(default=Trigger.AUTOMATIC)
    """Of the next attempt."""
    attempts: Mapped[int] = mapped_column(default=0)
    """HTTP tries so far."""
    step: Mapped[int] = mapped_column(default=0)
    """How far the schedule has come: tries that counted."""
    failing_since: Mapped[datetime | None]
    """When the first try that counted failed."""
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    succeeded_at: Mapped[datetime | None]
    """What succeeded stays succeeded, even if a later resend fails."""
    last_attempt_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_failure: Mapped[str | None] = mapped_column(String(30))
    last_duration_ms: Mapped[float | None]
    last_trigger: Mapped[Trigger | None]
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow)

    event: Mapped[Event] = relationship(lazy="joined", innerjoin=True)
    webhook: Mapped[Webhook] = relationship(lazy="joined", innerjoin=True)


class LaneEntry(Base):
    """A pending delivery's place in the lane of one contact at one webhook; gone when the delivery ends."""

    __tablename__ = "lane_entry"

    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook.id"), primary_key=True)
    contact_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    delivery_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("delivery.id"), index=True)
