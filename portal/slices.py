"""Long work in slices: a row is its cursor, and each slice a transaction that moves it along with what it did.

So each thing is done once, whatever dies; nobody waits long for what a slice locks; and the sweeper of any worker rings
for what is unfinished.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, mapped_column

from . import jobs
from .extensions import Base, db, utcnow
from .pace import pace

CHUNK = 200
"""Rows of a slice: done within half a second."""
BREATH = 0.01
"""Seconds between two slices, so that those who wait for SQLite's one write lock get it."""


class Sliced(Base):
    """What the row of any such work has. Each kind of work is a table of its own."""

    __abstract__ = True
    job: ClassVar[str]
    """The job that goes on with it."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Let the sweeper ring for it."""
        super().__init_subclass__(**options)
        jobs.in_slices(cls.job, lambda: db.session.scalars(select(cls.id).where(cls.finished_at.is_(None))).all())

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    """Reason to how many."""
    actor: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    """What came later is not part of it."""
    finished_at: Mapped[datetime | None]
    is_stopped: Mapped[bool] = mapped_column(default=False)
    """Finished by a person before its end."""

    @property
    def left(self) -> int:
        """How many are neither done nor skipped."""
        return self.total - self.done - sum(self.skipped.values())

    def skip(self, counts: Mapping[Any, int]) -> None:
        """Count what was left as it is, by reason."""
        self.skipped = dict(Counter(self.skipped) + Counter({str(reason): count for reason, count in counts.items()}))

    def stop(self) -> None:
        """What is done is done; the rest stays as it is."""
        db.session.refresh(self, with_for_update=True)
        if not self.finished_at:
            self.finished_at, self.is_stopped = utcnow(), True


Work = TypeVar("Work", bound=Sliced)


def claim(model: type[Work], key: uuid.UUID) -> Work | None:
    """The row, locked, unless it is finished or another worker is at it."""
    query = select(model).where(model.id == key, model.finished_at.is_(None)).with_for_update(skip_locked=True)
    return db.session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def go_on(model: type[Work], key: uuid.UUID, do: Callable[[Work], None]) -> bool:
    """Do one slice and commit it; whether there is more for this worker to do: not while another is at it."""
    found = claim(model, key)
    if found:
        do(found)
    db.session.commit()
    return found is not None and found.finished_at is None


def work(key: uuid.UUID, job: str, go_on: Callable[[uuid.UUID], bool]) -> None:
    """Do one slice after the other while `go_on` says that there is more, and hand over after a while."""
    ends = time.monotonic() + pace().slice
    jobs.bells().answered(key)
    while go_on(key):
        if time.monotonic() > ends or jobs.stopping.is_set():
            jobs.bells().ring(key, job)
            return
        time.sleep(BREATH)
