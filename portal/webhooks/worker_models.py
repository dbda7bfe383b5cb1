"""What workers keep: work on many deliveries with its cursor, and that they live."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .. import jobs
from ..extensions import Base
from ..slices import Sliced


class BulkKind(StrEnum):
    """What is done to many deliveries at once."""

    RESEND = "resend"
    CANCEL = "cancel"
    REPLAY = "replay"


class Bulk(Sliced):
    """Work on many deliveries, done in slices. The row is its cursor: whatever dies, it goes on from there."""

    job = jobs.BULK
    __tablename__ = "bulk"
    __table_args__ = (
        Index(None, "workspace_id", "created_at"),
        Index("ix_bulk_unfinished", "id", sqlite_where=text("finished_at IS NULL"),
              postgresql_where=text("finished_at IS NULL")),
    )  # fmt: skip

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


class WorkerBeat(Base):
    """A living worker process: `/health` counts those whose last beat is fresh."""

    __tablename__ = "worker_beat"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    beaten_at: Mapped[datetime]
