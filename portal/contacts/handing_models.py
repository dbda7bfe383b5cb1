"""The work of handing a person's contacts to somebody else."""

import uuid

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from ..slices import Sliced

UNFINISHED = text("finished_at IS NULL")


class HandOver(Sliced):
    """All contacts of one owner get another one, in slices. The row is the cursor: whatever dies, it goes on."""

    __tablename__ = "hand_over"
    __table_args__ = (
        Index("ix_hand_over_unfinished", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
        Index(None, "workspace_id", "giver_id"),
    )
    job = "portal.contacts.handing.work"

    giver_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"))
    taker_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user_account.id"))
    """None when nobody shall own them."""
    after_id: Mapped[uuid.UUID | None]
    """The last contact that is done."""
