"""The page of the audit log: who did what, when and from where; searched, by pages, and as a file."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self, cast
from uuid import UUID

from flask import Blueprint, Response, request, stream_with_context, url_for
from sqlalchemy import ColumnElement, Select, or_, select, tuple_
from werkzeug.wrappers import Response as BaseResponse

from . import audit
from .accounts.models import User
from .accounts.permissions import Permission, allowed
from .accounts.service import own, person, workspace
from .audit import AuditEntry
from .contacts.models import Contact
from .extensions import db, moment, utcnow
from .pace import pace
from .web import page
from .webhooks.export import CsvResponse, harmless

blueprint = Blueprint("audit", __name__)

PAGE, BATCH, KNOWN = 50, 1000, 500
"""Rows of a page, rows that the file reads at a time, and newest rows whose persons and actions are offered."""
MAX_QUERY = 100
FIELDS = ("person", "action", "thing", "day")
COLUMNS = ("time", "person", "email", "action", "kind", "thing", "id", "address", "browser", "changes")
KINDS = {"user_session": "Session", "membership": "Member", "bulk": "Bulk work"}
"""Tables whose names are not what people call the thing."""
PAGES: dict[str, tuple[str, str]] = {"delivery": ("deliveries.show", "delivery_id"), "bulk": ("bulk.show", "bulk_id")}
"""Where a thing can be looked at that is never taken away."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: words of person, action and thing, a day, and after or before which entry."""

    person: str = ""
    action: str = ""
    thing: str = ""
    day: str = ""
    older: str = ""
    newer: str = ""

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address; a day that is none is no filter."""
        found = {name: args.get(name, "").replace("\0", "").strip()[:MAX_QUERY] for name in FIELDS}
        found["day"] = found["day"] if _day(found["day"]) else ""
        return cls(**found, older=args.get("older", ""), newer=args.get("newer", ""))

    def address(self, **others: str) -> dict[str, str]:
        """The parameters that ask for the same, from the top, and for `others` besides."""
        values = {name: getattr(self, name) for name in FIELDS} | others
        return {name: value for name, value in values.items() if value}

    def conditions(self) -> list[ColumnElement[bool]]:
        """SQL over AuditEntry: what has to hold."""
        found = [_is_person(word) for word in self.person.split()]
        found += [AuditEntry.action.icontains(word, autoescape=True) for word in self.action.split()]
        if self.thing:
            found.append(_is_thing(self.thing))
        if day := _day(self.day):
            found += [AuditEntry.at >= day, AuditEntry.at < day + timedelta(days=1)]
        return found


@blueprint.get("/settings/audit")
@allowed(Permission.AUDIT)
def index() -> Response:
    """The entries, newest first."""
    asked = Asked.of(request.args)
    upwards = _place(asked.newer)
    rows = _rows(own(AuditEntry), asked, PAGE + 1, _place(asked.older), upwards)
    has_more, rows = len(rows) > PAGE, rows[:PAGE]
    if upwards:
        rows.reverse()
    names = _names(own(Contact), rows)
    has_newer, has_older = (has_more, True) if upwards else (bool(_place(asked.older)), has_more)
    known = own(AuditEntry).order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(KNOWN).subquery()
    return page(
        "audit/index.html", "audit/_list.html",
        asked=asked, rows=rows, kept=pace().keep_audit_days, told=told, kind_of=kind_of,
        address_of=_address_of(rows, names), names=names, emails=_emails(rows),
        newer=_written(rows[0]) if rows and has_newer else "", older=_written(rows[-1]) if rows and has_older else "",
        actors=sorted(db.session.scalars(select(known.c.actor).distinct())),
        actions=sorted(db.session.scalars(select(known.c.action).distinct())),
    )  # fmt: skip


@blueprint.get("/settings/audit.csv")
@allowed(Permission.AUDIT)
def download() -> BaseResponse:
    """All entries that match, for a spreadsheet."""
    asked = Asked.of(request.args)
    audit.note_look(person(), "exported the audit log", workspace())
    lines = _lines(own(AuditEntry), own(Contact), asked)
    headers = {"Content-Disposition": f"attachment; filename=audit-{utcnow():%Y-%m-%d}.csv"}
    return CsvResponse(stream_with_context(lines), headers=headers)


def told(entry: AuditEntry) -> list[tuple[str, str]]:
    """What changed, each as its name and words for before and after; of what is personal only the names."""
    pairs = ((name, [_text(value) for value in pair]) for name, pair in entry.changes.items())
    return [(name, f"{old or 'none'} → {new or 'none'}" if old or new else "") for name, (old, new) in pairs]


def kind_of(entry: AuditEntry) -> str:
    """What people call such a thing."""
    return KINDS.get(entry.subject_kind) or entry.subject_kind.replace("_", " ").capitalize()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _is_person(word: str) -> ColumnElement[bool]:
    """SQL: the name or the address of who acted holds the word."""
    theirs = select(User.id).where(User.email.icontains(word, autoescape=True))
    return or_(AuditEntry.actor.icontains(word, autoescape=True), AuditEntry.actor_id.in_(theirs))


def _is_thing(text: str) -> ColumnElement[bool]:
    """SQL: it was called so, is of that kind, or has that id."""
    kinds = [table for table, name in KINDS.items() if text.lower() in name.lower()]
    key = _uuid(text)
    return or_(
        AuditEntry.label.icontains(text, autoescape=True),
        AuditEntry.subject_kind.icontains(text.replace(" ", "_"), autoescape=True),
        AuditEntry.subject_kind.in_(kinds),
        *([AuditEntry.subject_id == key] if key else []),
    )


def _rows(entries: Select[Any], asked: Asked, limit: int, below: Any = None, above: Any = None) -> list[AuditEntry]:
    """Entries next to a place, the nearest first; without one from the newest on."""
    key = tuple_(AuditEntry.at, AuditEntry.id)
    query = entries.where(*asked.conditions()).limit(limit)
    if above is not None:
        return list(db.session.scalars(query.where(key > above).order_by(AuditEntry.at, AuditEntry.id)))
    query = query.where(key < below) if below is not None else query
    return list(db.session.scalars(query.order_by(AuditEntry.at.desc(), AuditEntry.id.desc())))


def _lines(entries: Select[Any], contacts: Select[Any], asked: Asked) -> Iterator[str]:
    """The head and a line an entry; between two batches nothing of the database is held."""
    yield _csv([COLUMNS])
    below = None
    while True:
        rows = _rows(entries, asked, BATCH, below)
        names, emails, last = _names(contacts, rows), _emails(rows), _written(rows[-1]) if rows else ""
        text = _csv(_cells(entry, names, emails) for entry in rows)
        db.session.rollback()
        yield text
        if len(rows) < BATCH:
            return
        below = _place(last)


def _cells(entry: AuditEntry, names: Mapping[UUID, str], emails: Mapping[UUID | None, str]) -> Sequence[Any]:
    changes = "; ".join(f"{name}: {words}" if words else name for name, words in told(entry))
    thing = names.get(entry.subject_id) or entry.label
    at = entry.at.isoformat(timespec="milliseconds")
    return (
        at,
        entry.actor,
        emails.get(entry.actor_id, ""),
        entry.action,
        kind_of(entry),
        thing,
        entry.subject_id,
        entry.address,
        entry.browser,
        changes,
    )


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _names(contacts: Select[Any], rows: Sequence[AuditEntry]) -> dict[UUID, str]:
    """The contacts that there still are, by their ids: an entry keeps no name of theirs."""
    ids = {entry.subject_id for entry in rows if entry.subject_kind == Contact.__tablename__}
    return {one.id: one.label for one in db.session.scalars(contacts.where(Contact.id.in_(ids)))} if ids else {}


def _emails(rows: Sequence[AuditEntry]) -> dict[UUID | None, str]:
    """The addresses of those who acted, by their ids: two may have one name, and nobody changes an address."""
    ids = {entry.actor_id for entry in rows} - {None}
    found = db.session.scalars(select(User).where(User.id.in_(ids))) if ids else ()
    return {user.id: user.email for user in found}


def _address_of(rows: Sequence[AuditEntry], contacts: Mapping[UUID, str]) -> dict[UUID, str]:
    """Where the things can be looked at, by the ids of their entries."""
    found = {}
    for entry in rows:
        if entry.subject_id in contacts:
            found[entry.id] = url_for("contacts.show", contact_id=entry.subject_id)
        elif place := PAGES.get(entry.subject_kind):
            found[entry.id] = url_for(place[0], **cast(dict[str, Any], {place[1]: entry.subject_id}))
    return found


def _day(text: str) -> datetime | None:
    try:
        found = date.fromisoformat(text)
        return datetime(found.year, found.month, found.day, tzinfo=UTC) if found.year < 9999 else None
    except ValueError:
        return None


def _written(entry: AuditEntry) -> str:
    return f"{entry.at.isoformat()}_{entry.id}"


def _place(text: str) -> tuple[datetime, UUID] | None:
    """A place that an address names; None when it names none."""
    at, _, key = text.partition("_")
    found = _uuid(key)
    try:
        return (moment(at), found) if found else None
    except ValueError:
        return None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
