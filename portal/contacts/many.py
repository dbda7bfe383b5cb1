"""Many contacts at once, some hundred at a time: locked in the order of their ids, written by few statements, told in
groups. The caller commits, and with it the cursor of whatever it works through."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from sqlalchemy import Table, delete, select
from sqlalchemy.sql.dml import ReturningInsert

from ..accounts.models import Membership, User
from ..extensions import db, utcnow
from ..rows import Insert, insert_many
from ..webhooks.batches import News, publish_many
from ..webhooks.models import EventType
from . import avatars, lists, service, tagging, trash
from .custom_fields import fields_of, merged
from .field_models import CustomField
from .keys import keys_of
from .list_models import TrashedContact
from .models import Contact, Tag, contact_tag
from .payload import contact_payload, encoded, written

TABLE = cast(Table, Contact.__table__)
NUMBERED = ["workspace_id", "contact_id"]
Revise = Callable[[Contact], Mapping[str, Any] | None]
"""Says of a contact, locked and as it is now, what it shall be: attributes to values, "tags" to names; None refuses."""


@dataclass(slots=True)
class Outcome:
    """The ids of those that were changed, that said it all already, that are not there, and that were refused."""

    changed: list[uuid.UUID] = field(default_factory=list)
    unchanged: list[uuid.UUID] = field(default_factory=list)
    gone: list[uuid.UUID] = field(default_factory=list)
    refused: list[uuid.UUID] = field(default_factory=list)


def create_many(workspace_id: uuid.UUID, rows: Sequence[Mapping[str, Any]], actor: str) -> list[Contact | None]:
    """Make contacts, each as `service.create` does, in this order. None where another one has the contact ID.

    What is returned is not in the session: read it, and load what you want to change.
    """
    drafts = _drafts(workspace_id, rows)
    made = _write(workspace_id, drafts, actor)
    return [draft if draft.id in made else None for draft in drafts]


def update_many(workspace_id: uuid.UUID, ids: Collection[uuid.UUID], revise: Revise, actor: str) -> Outcome:
    """Change contacts. Only what really differs is written: null never becomes "" on the way.

    Those about whom nothing really changes are left alone, and nothing is sent about them.
    """
    found, fields = locked(workspace_id, ids), fields_of(workspace_id)
    asked = {contact.id: values for contact in found if (values := revise(contact)) is not None}
    contacts = [contact for contact in found if contact.id in asked]
    wanted = {contact.id: _wanted(contact, dict(asked[contact.id]), fields) for contact in contacts}
    tags = _tags(workspace_id, wanted.values())
    names = owner_names(workspace_id, (owner for one in contacts for owner in (one.owner, wanted[one.id].get("owner"))))
    refused = [contact.id for contact in found if contact.id not in asked]
    outcome, news = Outcome(gone=missing(ids, found), refused=refused), []
    for contact in contacts:
        before = contact_payload(contact, names.get(contact.owner or ""), fields)
        if not _change(contact, wanted[contact.id], tags):
            outcome.unchanged.append(contact.id)
            continue
        after = contact_payload(contact, names.get(contact.owner or ""), fields)
        changes = service.changes_of(before, after)
        is_known = changes.keys().isdisjoint(service.KNOWN_BY)
        if "avatarUrl" in changes:
            avatars.settle(contact)
        news.append(News(service.about(contact, changes, is_known), encoded(after)))
        outcome.changed.append(contact.id)
    db.session.flush()
    _publish(workspace_id, EventType.UPDATED, news, actor)
    return outcome


def delete_many(
    workspace_id: uuid.UUID, ids: Collection[uuid.UUID], actor: str, deletion_id: uuid.UUID | None = None
) -> Outcome:
    """Move contacts to the trash; what was sent about them stays in the log."""
    contacts = locked(workspace_id, ids)
    trash.keep(contacts, actor, deletion_id)
    found = [contact.id for contact in contacts]
    news = [News(service.about(one, {}, is_known=True), encoded(str(one.id))) for one in contacts]
    for contact in contacts:
        db.session.expunge(contact)
    db.session.execute(delete(TABLE).where(TABLE.c.id.in_(found)))
    _publish(workspace_id, EventType.DELETED, news, actor)
    return Outcome(changed=found, gone=missing(ids, contacts))


def restore_many(workspace_id: uuid.UUID, ids: Collection[uuid.UUID], actor: str) -> Outcome:
    """Bring contacts back from the trash as they were, with their ids. `unchanged` are those that stay there, because
    another contact has their contact ID by now."""
    trashed = trash.locked(workspace_id, ids)
    tags = _tags_back(workspace_id, trashed)
    drafts = [Contact(**trash.facts_of(one), tags=_each_once(tags[tag["id"]] for tag in one.tags)) for one in trashed]
    made = _write(workspace_id, drafts, actor)
    trash.forget(made)
    found = [one.id for one in trashed]
    stay = [key for key in found if key not in made]
    return Outcome([key for key in found if key in made], stay, list(set(ids) - set(found)))


def end_many(workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> Outcome:
    """Let contacts in the trash be gone for good."""
    found = [one.id for one in trash.locked(workspace_id, ids)]
    trash.end(found)
    return Outcome(found, gone=list(set(ids) - set(found)))


def locked(workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> list[Contact]:
    """These of the workspace's contacts as they are now and stay until the commit, in the order of their ids."""
    query = select(Contact).where(Contact.workspace_id == workspace_id, Contact.id.in_(ids)).order_by(Contact.id)
    return list(db.session.scalars(query.with_for_update().execution_options(populate_existing=True)))


def missing(ids: Collection[uuid.UUID], contacts: Collection[Contact]) -> list[uuid.UUID]:
    """Those ids that none of the contacts has."""
    return list(set(ids) - {contact.id for contact in contacts})


def owner_names(workspace_id: uuid.UUID, owners: Any) -> dict[str, str]:
    """The names of the members with these ids (text), by their ids."""
    wanted = {uuid.UUID(owner) for owner in owners if owner}
    if not wanted:
        return {}
    query = select(User.id, User.name).join(Membership)
    query = query.where(Membership.workspace_id == workspace_id, Membership.user_id.in_(wanted))
    return {str(key): name for key, name in db.session.execute(query)}


def _publish(workspace_id: uuid.UUID, event_type: EventType, news: Sequence[News], actor: str) -> None:
    publish_many(workspace_id, event_type, news, partial(written, event_type), actor)


def _drafts(workspace_id: uuid.UUID, rows: Sequence[Mapping[str, Any]]) -> list[Contact]:
    """Contacts that are in no session yet, with all that a row of theirs holds."""
    now, tags, fields = utcnow(), _tags(workspace_id, rows), fields_of(workspace_id)
    defaults = lists.defaults(workspace_id)
    always = {"workspace_id": workspace_id, "created_time": now, "changed_at": now}
    return [_draft({**defaults, **row, **always}, tags, fields) for row in rows]


def _draft(row: dict[str, Any], tags: Mapping[str, Tag], fields: Sequence[CustomField]) -> Contact:
    values = {name: None if value == "" else value for name, value in row.items()}
    values["tags"] = _by_name(tags, values.get("tags") or ())
    values["custom_fields"] = merged({}, values.get("custom_fields") or {}, fields)
    for column in TABLE.columns:
        if column.default is not None and column.name not in values:
            made: Any = column.default
            values[column.name] = made.arg if made.is_scalar else made.arg(None)
    return Contact(**values)


def _write(workspace_id: uuid.UUID, drafts: Sequence[Contact], actor: str) -> set[uuid.UUID]:
    """Write contacts with their tags, and tell of them. Returns the ids of those made: the others' contact IDs are
    taken."""
    made = _insert(drafts)
    there = [draft for draft in drafts if draft.id in made]
    links = [{"contact_id": one.id, "tag_id": tag.id} for one in there for tag in one.tags]
    insert_many(contact_tag, links)
    names, fields = owner_names(workspace_id, (one.owner for one in there)), fields_of(workspace_id)
    payloads = [contact_payload(one, names.get(one.owner or ""), fields) for one in there]
    news = [News(service.about(one, {}), encoded(said)) for one, said in zip(there, payloads, strict=True)]
    _publish(workspace_id, EventType.CREATED, news, actor)
    return made


def _insert(drafts: Sequence[Contact]) -> set[uuid.UUID]:
    """Write the rows; the database's unique constraint is the judge of contact IDs. Returns the ids of those made."""
    made: set[uuid.UUID] = set()
    waiting = list(drafts)
    made_up = {draft.id for draft in drafts if not draft.contact_id}
    for _ in range(service.CREATE_TRIES):
        for draft in waiting:
            draft.contact_id = service.made_up_number() if draft.id in made_up else draft.contact_id
            for name, value in keys_of(draft).items():
                setattr(draft, name, value)
        if not waiting:
            break
        rows = [{column.name: getattr(draft, column.name) for column in TABLE.columns} for draft in waiting]
        if new := insert_many(TABLE, rows, _unless_taken):
            made |= set(new.scalars())
        left = made_up - made
        waiting = [draft for draft in waiting if draft.id in left]
    return made


def _unless_taken(new: Insert) -> ReturningInsert[uuid.UUID]:
    return new.on_conflict_do_nothing(index_elements=NUMBERED).returning(TABLE.c.id)


def _wanted(contact: Contact, values: dict[str, Any], fields: Sequence[CustomField]) -> dict[str, Any]:
    """What of it really differs from what the contact says."""
    real = {}
    if "custom_fields" in values:
        values["custom_fields"] = merged(contact.custom_fields, values["custom_fields"], fields)
    for name, value in values.items():
        if name == "tags" or service.known(value) != service.known(getattr(contact, name)):
            real[name] = service.blank(name) if value == "" else value
    return real


def _change(contact: Contact, wanted: Mapping[str, Any], tags: Mapping[str, Tag]) -> bool:
    """Write it to the contact, unless it says that already."""
    values = {name: value for name, value in wanted.items() if name != "tags"}
    carried = _by_name(tags, wanted["tags"]) if "tags" in wanted else contact.tags
    if not service.differs(contact, values, carried):
        return False
    for name, value in values.items():
        setattr(contact, name, value)
    if set(carried) != set(contact.tags):
        contact.tags = carried
    contact.last_updated_time = contact.changed_at = utcnow()
    return True


def _tags(workspace_id: uuid.UUID, rows: Collection[Mapping[str, Any]]) -> dict[str, Tag]:
    """The tags that the rows name, by their names in one case; unknown ones are made."""
    names = dict.fromkeys(name for row in rows for name in row.get("tags") or ())
    return {tag.name.casefold(): tag for tag in tagging.named(workspace_id, names)} if names else {}


def _tags_back(workspace_id: uuid.UUID, trashed: Sequence[TrashedContact]) -> dict[str, Tag]:
    """The tags that trashed contacts carried, by the ids they had; those deleted since come back by their names."""
    carried = {tag["id"]: tag["name"] for one in trashed for tag in one.tags}
    mine = select(Tag).where(Tag.workspace_id == workspace_id, Tag.id.in_([uuid.UUID(key) for key in carried]))
    there = {str(tag.id): tag for tag in db.session.scalars(mine.with_for_update(read=True, key_share=True))}
    lost = {key: name for key, name in carried.items() if key not in there}
    by_name = {tag.name.casefold(): tag for tag in tagging.named(workspace_id, lost.values())} if lost else {}
    return there | {key: by_name[name.casefold()] for key, name in lost.items()}


def _each_once(tags: Iterable[Tag]) -> list[Tag]:
    """One of two may be deleted by now, and the other have its name: then both are one."""
    return list(dict.fromkeys(tags))


def _by_name(tags: Mapping[str, Tag], names: Collection[str]) -> list[Tag]:
    return [tags[key] for key in dict.fromkeys(name.casefold() for name in names)]
