"""Who did what, and when: written in the transaction of what was done, never changed, never taken away."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, mapped_column

from .extensions import Base, db, utcnow

PORTAL = "The portal"
"""Who does what no person did."""


class AuditEntry(Base):
    """One thing done to one row of a workspace. `changes` maps names to [old, new], as people read them; no secrets."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "workspace_id", "at"), Index(None, "subject_id", "at"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    at: Mapped[datetime] = mapped_column(default=utcnow)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[uuid.UUID]
    changes: Mapped[dict[str, list[Any]]] = mapped_column(JSON, default=dict)


def note(
    actor: str,
    action: str,
    subject: Any,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down that `actor` did `action` (a verb in the past) to a row that belongs to a workspace.

    With the facts `before` and `after`, only what differs is kept, and nothing is written when that is nothing.
    """
    changes = {name: [old, (after or {}).get(name)] for name, old in (before or {}).items()}
    changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
    if before is not None and not changes:
        return
    entry = AuditEntry(workspace_id=subject.workspace_id, subject_kind=subject.__tablename__, subject_id=subject.id)
    entry.actor, entry.action, entry.changes = actor, action, changes
    db.session.add(entry)


def history(subject: Any, count: int) -> list[AuditEntry]:
    """What was done to a row, the newest first."""
    mine = select(AuditEntry).where(AuditEntry.subject_id == subject.id)
    return list(db.session.scalars(mine.order_by(AuditEntry.at.desc(), AuditEntry.id).limit(count)))
