"""The trash: deleted contacts as they were, restorable for 30 days, then gone for good."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Select, Uuid, delete, insert, literal, select, tuple_

from ..extensions import UTCDateTime, db, moment, utcnow
from . import avatars
from .list_models import TrashedContact
from .models import Contact

KEPT = timedelta(days=30)
CHUNK = 500
"""Rows that are taken away in one transaction."""
TRASHED = insert(TrashedContact.__table__)  # type: ignore[arg-type]


def keep(contacts: Sequence[Contact], actor: str, deletion_id: uuid.UUID | None = None) -> None:
    """Remember contacts that are deleted in this transaction."""
    if contacts:
        now = utcnow()
        db.session.execute(TRASHED, [_row(one, actor, now, deletion_id) for one in contacts])


def kept(query: Select[Any]) -> Select[Any]:
    """Of a SELECT of trashed contacts, those that can still be restored."""
    return query.where(TrashedContact.deleted_at > utcnow() - KEPT)


def listed(own: Select[Any], before: str, count: int) -> tuple[Sequence[TrashedContact], str]:
    """The next of the workspace's, the latest deleted first, and the place that the following page begins behind."""
    query = kept(own)
    at, _, key = before.partition("_")
    try:
        here = tuple_(literal(moment(at), UTCDateTime()), literal(uuid.UUID(key), Uuid()))
        query = query.where(tuple_(TrashedContact.deleted_at, TrashedContact.id) < here)
    except ValueError:
        pass  # no place: the top
    rows = db.session.scalars(
        query.order_by(TrashedContact.deleted_at.desc(), TrashedContact.id.desc()).limit(count + 1)
    ).all()
    last = rows[count - 1] if len(rows) > count else None
    return rows[:count], f"{last.deleted_at.isoformat()}_{last.id}" if last else ""


def locked(workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> list[TrashedContact]:
    """These of the workspace's, while nobody else restores them, in the order of their ids."""
    query = select(TrashedContact).where(TrashedContact.workspace_id == workspace_id, TrashedContact.id.in_(ids))
    query = kept(query).order_by(TrashedContact.id).with_for_update()
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def facts_of(trashed: TrashedContact) -> dict[str, Any]:
    """What the contact said, by its attributes, exactly: null stays null, and a blank stays a blank."""
    known = Contact.__table__.columns
    return {name: _read(known[name].type, value) for name, value in trashed.facts.items() if name in known}


def forget(ids: Iterable[uuid.UUID]) -> None:
    """Take contacts out of the trash."""
    gone = delete(TrashedContact).where(TrashedContact.id.in_(list(ids)))
    db.session.execute(gone.execution_options(synchronize_session=False))


def end(ids: Collection[uuid.UUID]) -> None:
    """Let contacts in the trash be gone for good, with their pictures. Nothing is told of it: their deletion was."""
    forget(ids)
    avatars.forget(ids)


def empty(_nobody: str = "") -> None:
    """Take away for good what was deleted too long ago. The RQ job behind the sweeper's bell."""
    old = select(TrashedContact.id).where(TrashedContact.deleted_at <= utcnow() - KEPT).limit(CHUNK)
    while ids := db.session.scalars(old).all():
        end(ids)
        db.session.commit()


def _row(contact: Contact, actor: str, now: datetime, deletion_id: uuid.UUID | None) -> dict[str, Any]:
    facts = {name: _written(getattr(contact, name)) for name in Contact.__table__.columns.keys()}  # noqa: SIM118
    tags = [{"id": str(tag.id), "name": tag.name, "color": tag.color} for tag in contact.tags]
    return {
        "id": contact.id, "workspace_id": contact.workspace_id, "contact_id": contact.contact_id,
        "label": contact.label, "deleted_at": now, "deleted_by": actor, "deletion_id": deletion_id,
        "facts": facts, "tags": tags,
    }  # fmt: skip


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def _read(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(getattr(kind, "impl", kind), DateTime):
        return datetime.fromisoformat(value)
    return uuid.UUID(value) if isinstance(kind, Uuid) else value
