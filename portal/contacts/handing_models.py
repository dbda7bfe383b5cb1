"""The work of handing a person's contacts to somebody else."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow

UNFINISHED = text("finished_at IS NULL")


class HandOver(Base):
    """All contacts of one owner get another one, in slices. The row is the cursor: whatever dies, it goes on."""

    __tablename__ = "hand_over"
    __table_args__ = (
        Index("ix_hand_over_unfinished", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
        Index(None, "workspace_id", "giver_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    giver_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"))
    taker_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user_account.id"))
    """None when nobody shall own them."""
    actor: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    after_id: Mapped[uuid.UUID | None]
    """The last contact that is done."""
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
