"""Edit, delete and restore many contacts, and empty the trash: in slices by id, with what was skipped and why."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from .. import jobs, slices
from ..extensions import db, utcnow
from ..webhooks.models import EventType
from ..webhooks.publisher import ring_after_commit
from . import many, tagging, trash
from .columns import Column, shown
from .known import CUSTOM, columns_of
from .list_models import SET, ContactBulk, Kind, TrashedContact
from .listing import Asked
from .many import Outcome
from .models import Contact
from .selection import Selection

EVENTS: Mapping[Kind, EventType] = {
    Kind.EDIT: EventType.UPDATED,
    Kind.DELETE: EventType.DELETED,
    Kind.RESTORE: EventType.CREATED,
}


class Skip(StrEnum):
    """Why a contact was left as it is."""

    SAME = "same"
    TAKEN = "taken"
    GONE = "gone"
    LOST = "lost"
    TAGS = "tags"


REASONS = {
    Skip.SAME: "They said all of this already, so nothing was sent about them.",
    Skip.TAKEN: "Another contact has their contact ID by now. They stay in the trash.",
    Skip.GONE: "They are not there any more, or do not match any more.",
    Skip.LOST: "A filter asks for what no longer exists, such as a tag that was deleted. They stay as they are.",
    Skip.TAGS: f"They would carry more than {tagging.MAX_TAGS} tags. They stay as they are.",
}


def begin(
    workspace_id: uuid.UUID, kind: Kind, selection: Selection, total: int, change: Mapping[str, Any], actor: str
) -> ContactBulk:
    """Edit or delete the contacts that are selected, of whom there are `total`; done by a worker after the commit."""
    ids = None if selection.ids is None else sorted(map(str, selection.ids))
    bulk = ContactBulk(workspace_id=workspace_id, kind=kind, chosen=ids, total=total, change=dict(change), actor=actor)
    bulk.matching = selection.asked.parameters
    return _begin(bulk)


def restore(workspace_id: uuid.UUID, deletion: ContactBulk, total: int, actor: str) -> ContactBulk:
    """Undo a deletion: bring back all of its contacts, of whom `total` are in the trash."""
    bulk = ContactBulk(workspace_id=workspace_id, kind=Kind.RESTORE, total=total, deletion_id=deletion.id, actor=actor)
    return _begin(bulk)


def empty(workspace_id: uuid.UUID, total: int, actor: str) -> ContactBulk:
    """Let all that is in the trash now, `total` contacts, be gone for good before its time; nothing is sent."""
    return _begin(ContactBulk(workspace_id=workspace_id, kind=Kind.EMPTY, total=total, actor=actor))


def work(bulk_id: str) -> None:
    """Go on with the work, and hand over after a while. The RQ job behind its bell."""
    slices.work(uuid.UUID(bulk_id), jobs.CONTACTS, go_on)


def go_on(key: uuid.UUID) -> bool:
    """Do one slice; whether there is more for this worker to do."""
    return slices.go_on(ContactBulk, key, _slice)


def _slice(bulk: ContactBulk) -> None:
    asked = _asked(bulk)
    if ids := _next(bulk, asked):
        _count(bulk, _act(bulk, ids))
        bulk.after_id = max(ids)
    else:
        bulk.finished_at = utcnow()
        bulk.skip({Skip.LOST if asked.is_lost else Skip.GONE: max(0, bulk.left)})


def revised(contact: Contact, change: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an edit makes of a contact; None when it would carry too many tags."""
    values = {name: change[name] for name in (*SET, "custom_fields") if name in change}
    removed = {name.casefold() for name in change.get("remove_tags", ())}
    if removed or change.get("add_tags"):
        kept = [tag.name for tag in contact.tags if tag.name.casefold() not in removed]
        values["tags"] = tagging.each_once([*kept, *change.get("add_tags", ())])
        if tagging.are_too_many(len(values["tags"]), len(contact.tags)):
            return None
    return values


def described(change: Mapping[str, Any], columns: Mapping[str, Column]) -> list[str]:
    """What an edit sets, in words, such as "Lead stage: Customer"."""
    tags = {"Add tags": change.get("add_tags"), "Remove tags": change.get("remove_tags")}
    words = [f"{label}: {', '.join(names)}" for label, names in tags.items() if names]
    own = {f"{CUSTOM}{key}": value for key, value in change.get("custom_fields", {}).items()}
    for name, value in ({name: change[name] for name in SET if name in change} | own).items():
        if column := columns.get(name):
            words.append(f"{column.label}: {column.choices.get(str(value)) or shown(value) or 'blank'}")
    return words


def _begin(bulk: ContactBulk) -> ContactBulk:
    bulk.created_at = utcnow()
    db.session.add(bulk)
    db.session.flush()
    ring_after_commit(bulk.id, jobs.CONTACTS)
    return bulk


def _next(bulk: ContactBulk, asked: Asked) -> Sequence[uuid.UUID]:
    """The ids of the next slice."""
    if bulk.chosen is not None:
        rest = [key for key in map(uuid.UUID, bulk.chosen) if bulk.after_id is None or key > bulk.after_id]
        return rest[: slices.CHUNK]
    model: Any = TrashedContact if bulk.kind in (Kind.RESTORE, Kind.EMPTY) else Contact
    query = select(model.id).where(model.workspace_id == bulk.workspace_id)
    if bulk.kind == Kind.RESTORE:
        query = trash.kept(query.where(TrashedContact.deletion_id == bulk.deletion_id))
    elif bulk.kind == Kind.EMPTY:
        query = trash.kept(query.where(TrashedContact.deleted_at <= bulk.created_at))
    else:
        query = query.where(Contact.created_time <= bulk.created_at, *asked.conditions(Contact))
    if bulk.after_id:
        query = query.where(model.id > bulk.after_id)
    return db.session.scalars(query.order_by(model.id).limit(slices.CHUNK)).all()


def _asked(bulk: ContactBulk) -> Asked:
    """What all that match are asked by, as it reads now: nothing where they were ticked, or are those in the trash."""
    if bulk.chosen is not None or bulk.kind not in (Kind.EDIT, Kind.DELETE):
        return Asked()
    return Asked.of(MultiDict([(name, value) for name, value in bulk.matching]), columns_of(bulk.workspace_id))


def _act(bulk: ContactBulk, ids: Collection[uuid.UUID]) -> Outcome:
    if bulk.kind == Kind.EDIT:
        return many.update_many(bulk.workspace_id, ids, lambda contact: revised(contact, bulk.change), bulk.actor)
    if bulk.kind == Kind.DELETE:
        return many.delete_many(bulk.workspace_id, ids, bulk.actor, bulk.id)
    if bulk.kind == Kind.EMPTY:
        return many.end_many(bulk.workspace_id, ids)
    return many.restore_many(bulk.workspace_id, ids, bulk.actor)


def _count(bulk: ContactBulk, outcome: Outcome) -> None:
    same = Skip.TAKEN if bulk.kind == Kind.RESTORE else Skip.SAME
    bulk.done += len(outcome.changed)
    bulk.skip({same: len(outcome.unchanged), Skip.GONE: len(outcome.gone), Skip.TAGS: len(outcome.refused)})
