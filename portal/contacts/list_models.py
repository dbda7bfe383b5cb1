"""What the list of contacts keeps: people's views of it, work on many contacts, and those in the trash."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from .. import jobs
from ..extensions import Base, utcnow
from ..slices import Sliced

UNFINISHED = text("finished_at IS NULL")


class Kind(StrEnum):
    """What is done to many contacts at once."""

    EDIT = "edit"
    DELETE = "delete"
    RESTORE = "restore"
    EMPTY = "empty"
    """Take them out of the trash for good."""


FLAGS = ("subscribe_email", "subscribe_sms", "subscribe_whatsapp")
"""Of each a No is what a person has said: it is never taken for nothing said."""
SET = ("owner", "lead_stage", "priority", *FLAGS)
"""What an edit of many can set; it can also add and remove tags, and set or clear a custom field."""


class ContactBulk(Sliced):
    """Work on many contacts, in the order of their ids."""

    job = jobs.CONTACTS
    __tablename__ = "contact_bulk"
    __table_args__ = (
        Index(None, "workspace_id", "created_at"),
        Index("ix_contact_bulk_unfinished", "id", sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
    )

    kind: Mapped[Kind]
    chosen: Mapped[list[str] | None] = mapped_column(JSON)
    """The ids of those it is about; None for all that match."""
    matching: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    """The parameters of the list's address, for all that match."""
    change: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What an edit sets; see `bulk.Change`."""
    deletion_id: Mapped[uuid.UUID | None]
    """Which deletion is undone by a restoration."""
    after_id: Mapped[uuid.UUID | None]
    """The last contact that is done."""


class TrashedContact(Base):
    """A deleted contact, as it was, under its own id. It can be restored for a while."""

    __tablename__ = "trashed_contact"
    __table_args__ = (
        Index(None, "workspace_id", "deleted_at", "id"),
        Index(None, "workspace_id", "deletion_id", "id"),
        Index(None, "deleted_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    contact_id: Mapped[str] = mapped_column(String(40))
    label: Mapped[str] = mapped_column(String(254))
    deleted_at: Mapped[datetime] = mapped_column(default=utcnow)
    deleted_by: Mapped[str] = mapped_column(String(100))
    deletion_id: Mapped[uuid.UUID | None]
    """The work on many contacts that deleted it."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Column to value."""
    tags: Mapped[list[dict[str, str]]] = mapped_column(JSON)


class ContactView(Base):
    """A view of the list by name, of one person or of all; the one without a name is how a person last had it."""

    __tablename__ = "contact_view"
    __table_args__ = (Index(None, "workspace_id", "user_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user_account.id"))
    """Whose it is; None when it is everybody's."""
    name: Mapped[str] = mapped_column(String(50))
    address: Mapped[list[list[str]]] = mapped_column(JSON, default=list)
    """The parameters of the list's address."""
    columns: Mapped[list[str]] = mapped_column(JSON, default=list)
