"""What the log is made of, attempt by attempt, and found by: each contact's own page of it, and the words that contacts
are known by."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text, event, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from ..extensions import Base
from ..ids import new_id
from .models import Delivery, Subject, Trigger


class Attempt(Base):
    """One HTTP try: exactly what was sent and what came back."""

    __tablename__ = "attempt"
    __table_args__ = (Index(None, "delivery_id", "number"), Index(None, "webhook_id", "started_at"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    delivery_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("delivery.id"))
    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhook.id"))
    number: Mapped[int]
    trigger: Mapped[Trigger]
    started_at: Mapped[datetime]
    duration_ms: Mapped[float]
    url: Mapped[str] = mapped_column(Text)
    request_headers: Mapped[list[list[str]]] = mapped_column(JSON)
    status: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    failure: Mapped[str | None] = mapped_column(String(30))
    response_headers: Mapped[list[list[str]]] = mapped_column(JSON)
    response_body: Mapped[bytes] = mapped_column(LargeBinary)
    response_length: Mapped[int | None] = mapped_column(BigInteger)
    remote: Mapped[str | None] = mapped_column(String(60))
    phases: Mapped[dict[str, float | None]] = mapped_column(JSON)
    """Milliseconds of dns, connect, tls, first_byte and body; null where it did not come so far."""


class Mention(Base):
    """A contact's own page of the log: the deliveries about it, in its order. Never changed; outlives the contact."""

    __tablename__ = "mention"
    __table_args__ = {"sqlite_with_rowid": False}

    contact_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    """The delivery's."""
    delivery_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """No foreign key: whoever takes deliveries away takes these away, and no index is needed to find what is left."""


@event.listens_for(Session, "after_flush")
def _mention(session: Session, _: Any) -> None:
    """Whoever makes deliveries, the pages of their contacts have them; one statement."""
    made = [one.id for one in session.new if isinstance(one, Delivery)]
    if made:
        about = select(Subject.contact_id, Delivery.created_at, Delivery.id).distinct()
        about = about.join(Delivery, Delivery.event_id == Subject.event_id).where(Delivery.id.in_(made))
        session.execute(insert(Mention).from_select(["contact_id", "created_at", "delivery_id"], about))


class SearchWord(Base):
    """A word that a contact is or was known by, folded to bytes that both databases compare alike. Kept as long as the
    log knows of the contact."""

    __tablename__ = "search_word"
    __table_args__ = (Index(None, "workspace_id", "word", "contact_id"), {"sqlite_with_rowid": False})

    contact_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    word: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
