"""An import of contacts: the uploaded file in pieces, how it is read, how far it has come, and what was refused."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow


class Stage(StrEnum):
    """Where an import stands; workers work on two of them."""

    MAPPING = "mapping"
    """A person says what the columns mean."""
    CHECKING = "checking"
    """The dry run over the whole file."""
    CHECKED = "checked"
    """A person looks at what would happen."""
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"

    @property
    def is_work(self) -> bool:
        """Whether a worker has something to do."""
        return self in (Stage.CHECKING, Stage.RUNNING)

    @property
    def is_over(self) -> bool:
        return self in (Stage.DONE, Stage.STOPPED)


class How(StrEnum):
    """What a cell does to a contact that exists."""

    OVERWRITE = "overwrite"
    FILL = "fill"
    """Only where the contact has nothing yet."""
    APPEND = "append"
    """Added to what is there, unless it is there already."""


AT_WORK = text("stage IN ('checking', 'running')")


class Import(Base):
    """One file. This row is the cursor: whatever dies, the next worker goes on behind what was committed."""

    __tablename__ = "contact_import"
    __table_args__ = (
        Index(None, "workspace_id", "created_at"),
        Index("ix_contact_import_work", "id", sqlite_where=AT_WORK, postgresql_where=AT_WORK),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    actor: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    finished_at: Mapped[datetime | None]
    stage: Mapped[Stage] = mapped_column(default=Stage.MAPPING)
    filename: Mapped[str] = mapped_column(String(200))
    size: Mapped[int]
    """Bytes as they are stored: without a byte order mark, and UTF-16 as UTF-8."""
    encoding: Mapped[str] = mapped_column(String(40))
    """One in which the bytes of line ends and commas mean just that."""
    delimiter: Mapped[str] = mapped_column(String(1))
    header_row: Mapped[int]
    """The number of the row that names the columns; 0 when the first row is data."""
    headers: Mapped[list[str]] = mapped_column(JSON)
    """The names of the columns, made up where there is no header."""
    samples: Mapped[list[list[str]]] = mapped_column(JSON)
    """A few values of each column."""
    columns: Mapped[list[list[str]]] = mapped_column(JSON)
    """For each column the field that it goes to, "" when it is left out, and how."""
    match: Mapped[list[str]] = mapped_column(JSON)
    """By what a contact is found again: the first that knows one decides."""
    tags: Mapped[list[str]] = mapped_column(JSON)
    """For every contact of the file."""
    place: Mapped[int] = mapped_column(default=0)
    """Bytes that are done."""
    row: Mapped[int] = mapped_column(default=0)
    """Rows that are done, counted as a spreadsheet does: blank ones and the header, too."""
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """New, changed, unchanged and refused so far, in the stage at hand."""
    forecast: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What the dry run counted."""
    problem: Mapped[str | None] = mapped_column(Text)
    """Why the whole file can't be imported."""

    @property
    def progress(self) -> int:
        """Percent of the file."""
        return 100 * self.place // (self.size or 1)

    def count(self, name: str) -> int:
        return self.counts.get(name, 0)


class ImportChunk(Base):
    """A piece of the file. Gone when the import is over."""

    __tablename__ = "contact_import_chunk"

    import_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact_import.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ImportKey(Base):
    """By what a row of the file knows its contact: each contact is told about once. Gone when the import is over."""

    __tablename__ = "contact_import_key"

    import_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact_import.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[str] = mapped_column(String(40))
    """The contact ID that the row gives: two with different ones are never the same contact."""


class ImportRefusal(Base):
    """A row that is not imported, and why."""

    __tablename__ = "contact_import_refusal"

    import_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact_import.id", ondelete="CASCADE"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(Text)
    cells: Mapped[list[str]] = mapped_column(JSON)
