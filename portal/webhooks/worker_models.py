"""What workers keep: work on many deliveries with its cursor, and that they live."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow


class BulkKind(StrEnum):
    """What is done to many deliveries at once."""

    RESEND = "resend"
    CANCEL = "cancel"
    REPLAY = "replay"


class Bulk(Base):
    """Work on many deliveries, done in slices. The row is its cursor: whatever dies, it goes on from there."""

    __tablename__ = "bulk"
    __table_args__ = (
        Index(None, "workspace_id", "created_at"),
        Index("ix_bulk_unfinished", "id", sqlite_where=text("finished_at IS NULL"),
              postgresql_where=text("finished_at IS NULL")),
    )  # fmt: skip

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    kind: Mapped[BulkKind]
    filters: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Which deliveries: the parameters of the log's address."""
    since: Mapped[datetime | None]
    """A replay sends the events from here on."""
    webhooks: Mapped[list[str]] = mapped_column(JSON)
    """Those still to come, the one at work first."""
    after_at: Mapped[datetime | None]
    after_id: Mapped[str | None] = mapped_column(String(40))
    """The last row of the webhook at work that is done."""
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Skip to how many."""
    actor: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    """What came later is not part of it."""
    finished_at: Mapped[datetime | None]
    is_stopped: Mapped[bool] = mapped_column(default=False)
    """Finished by a person before its end."""


class WorkerBeat(Base):
    """A living worker process: `/health` counts those whose last beat is fresh."""

    __tablename__ = "worker_beat"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    beaten_at: Mapped[datetime]
