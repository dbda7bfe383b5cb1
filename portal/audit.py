"""Who did what, when and from where: written in the transaction of what was done, never changed, never taken away."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from flask import has_request_context, request
from sqlalchemy import DDL, JSON, ForeignKey, Index, String, event, select
from sqlalchemy.orm import Mapped, mapped_column

from .extensions import Base, begin_writing, db, utcnow

PORTAL = "The portal"
"""Who does what no person did."""
LABEL, BROWSER = 200, 40
KEPT_DAYS = 365
"""Entries that are younger can't be deleted by anybody; older ones go when the operator's time for them is over."""
BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = {
    "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS X": "macOS",
    "CrOS": "ChromeOS", "Linux": "Linux",
}  # fmt: skip
"""What stands in a User-Agent, and what it means; the first that is found counts, for most claim to be others too."""


class AuditEntry(Base):
    """One thing done to one row of a workspace. `changes` maps names to [old, new], as people read them; no secrets."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "workspace_id", "at", "id"), Index(None, "subject_id", "at"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    at: Mapped[datetime] = mapped_column(default=utcnow)
    actor: Mapped[str] = mapped_column(String(100))
    """What they were called then: others may be called so, too."""
    actor_id: Mapped[uuid.UUID | None]
    """Which person it was, like `subject_id` no foreign key: an entry outlives all. None: no person, or long ago."""
    action: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[uuid.UUID]
    label: Mapped[str] = mapped_column(String(LABEL), default="")
    """What the row was called then; empty for contacts: what is said of them can be erased, an entry can't."""
    changes: Mapped[dict[str, list[Any]]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(String(45), default="")
    browser: Mapped[str] = mapped_column(String(BROWSER), default="")


REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER audit_entry_update BEFORE UPDATE ON audit_entry"
        " BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END",
        "CREATE TRIGGER audit_entry_delete BEFORE DELETE ON audit_entry"
        f" WHEN old.at > datetime('now', '-{KEPT_DAYS} days')"
        " BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'DELETE' AND old.at <= now() - interval '{KEPT_DAYS} days' THEN RETURN old; END IF;"
        " RAISE EXCEPTION 'audit entries are never changed'; END $$",
        "CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry"
        " FOR EACH ROW EXECUTE FUNCTION audit_entry_stays()",
    ),
}
"""The databases themselves refuse an UPDATE, and a DELETE of what is young: no mistake rewrites what happened."""

for _dialect, _statements in REFUSALS.items():
    for _sql in _statements:
        event.listen(AuditEntry.__table__, "after_create", DDL(_sql).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]


class Person(Protocol):
    """Who does something."""

    @property
    def id(self) -> uuid.UUID:
        """Tells them from others of that name."""

    @property
    def name(self) -> str:
        """What they are called now."""


@dataclass(frozen=True, slots=True)
class Where:
    """Whence somebody acts: an IP address, and a browser named as coarsely as people do."""

    address: str = ""
    browser: str = ""


def from_where() -> Where:
    """Whence the request at work comes; from nowhere what workers and commands do."""
    if not has_request_context():
        return Where()
    return Where((request.remote_addr or "")[:45], browser_of(request.user_agent.string))


def browser_of(user_agent: str) -> str:
    """ "Firefox on Windows"; empty when a User-Agent names none that is known."""
    browser, system = (
        next((name for sign, name in names.items() if sign in user_agent), "") for names in (BROWSERS, SYSTEMS)
    )
    return " on ".join(filter(None, (browser, system)))


def note(
    actor: Person | str,
    action: str,
    subject: Any,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down that `actor` did `action` (a verb in the past) to a workspace, or to a row that belongs to one.

    Who is no person, such as PORTAL, is told by name.

    With the facts `before`, only what differs `after` is kept, and nothing is written when that is nothing; with those
    `after` alone they are what it was made with. Of a row that is personal only the names of the facts are kept.
    """
    old, new = dict(before or {}), dict(after or {})
    changes = {name: [old.get(name), new.get(name)] for name in old | new if old.get(name) != new.get(name)}
    if before is not None and not changes:
        return
    if is_personal := getattr(subject, "is_personal", False):
        changes = {name: ["", ""] for name in changes}
    here = from_where()
    entry = AuditEntry(subject_kind=subject.__tablename__, subject_id=_id_of(subject), address=here.address)
    entry.workspace_id = getattr(subject, "workspace_id", entry.subject_id)  # of the workspace itself that is its id
    entry.label = "" if is_personal else _label_of(subject)
    entry.actor, entry.actor_id = (actor, None) if isinstance(actor, str) else (actor.name, actor.id)
    entry.action, entry.changes, entry.browser = action, changes, here.browser
    db.session.add(entry)


def note_look(actor: Person | str, action: str, subject: Any) -> None:
    """Write down that somebody took data away, and commit: in a request that only looks nobody else does."""
    begin_writing()
    note(actor, action, subject)
    db.session.commit()


def history(subject: Any, count: int) -> list[AuditEntry]:
    """What was done to a row, the newest first."""
    mine = select(AuditEntry).where(AuditEntry.subject_id == _id_of(subject))
    return list(db.session.scalars(mine.order_by(AuditEntry.at.desc(), AuditEntry.id).limit(count)))


def _id_of(subject: Any) -> uuid.UUID:
    """The id that names the row; memberships and sessions are told by their person."""
    found: uuid.UUID = getattr(subject, "id", None) or subject.user_id
    return found


def _label_of(subject: Any) -> str:
    """What people call it: its name, that of its person, an event's id, a URL's host (a path may hold a credential)."""
    names = (
        getattr(subject, "name", None),
        getattr(getattr(subject, "user", None), "name", None),
        getattr(subject, "event_id", None),
        urlsplit(getattr(subject, "url", "")).netloc,
    )
    return str(next(filter(None, names), ""))[:LABEL]
