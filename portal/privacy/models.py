"""What is remembered of contacts that were erased: that it was done, and how far it is."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow

UNFINISHED = text("finished_at IS NULL")


class Erasure(Base):
    """The work of forgetting one contact, in slices. The row is its cursor: whatever dies, it goes on from there."""

    __tablename__ = "erasure"
    __table_args__ = (
        Index("ix_erasure_unfinished", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
        Index(None, "workspace_id", "contact_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    contact_id: Mapped[uuid.UUID]
    """All that is left of the contact: an id that says nothing of a person."""
    actor: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    after_id: Mapped[str] = mapped_column(String(40), default="")
    """The last event that is done."""
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    """Events."""
    canceled: Mapped[int] = mapped_column(default=0)
    """Deliveries that waited and were about nobody else."""
    finished_at: Mapped[datetime | None]
