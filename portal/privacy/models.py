"""What is remembered of contacts that were erased: that it was done, and how far it is."""

import uuid

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .. import jobs
from ..slices import Sliced

UNFINISHED = text("finished_at IS NULL")


class Erasure(Sliced):
    """The work of forgetting one contact: `total` and `done` count events."""

    __tablename__ = "erasure"
    __table_args__ = (
        Index("ix_erasure_unfinished", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
        Index(None, "workspace_id", "contact_id"),
    )
    job = jobs.ERASE

    contact_id: Mapped[uuid.UUID]
    """All that is left of the contact: an id that says nothing of a person."""
    after_id: Mapped[str] = mapped_column(String(40), default="")
    """The last event that is done."""
    canceled: Mapped[int] = mapped_column(default=0)
    """Deliveries that waited and were about nobody else."""
