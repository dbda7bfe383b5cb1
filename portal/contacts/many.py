"""Many contacts at once, some hundred at a time: locked in the order of their ids, written by few statements, told in
groups. The caller commits, and with it the cursor of whatever it works through."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import delete, select

from ..extensions import db, utcnow
from ..rows import Ready, insert_many, insert_new
from ..webhooks.batches import News, publish_many
from ..webhooks.models import EventType
from . import avatars, drafting, service, tagging, trash
from .custom_fields import fields_of, merged
from .drafting import TABLE, Ahead, Draft, Given, Row, by_name, owner_names, wanted_tags
from .field_models import CustomField
from .list_models import TrashedContact
from .models import Contact, Tag, contact_tag
from .payload import contact_payload, encoded, written

Revise = Callable[[Contact], Mapping[str, Any] | None]
"""Says of a contact, locked and as it is now, what it shall be: attributes to values, "tags" to names; None refuses."""


@dataclass(slots=True)
class Outcome:
    """The ids of those that were changed, that said it all already, that are not there, and that were refused."""

    changed: list[uuid.UUID] = field(default_factory=list)
    unchanged: list[uuid.UUID] = field(default_factory=list)
    gone: list[uuid.UUID] = field(default_factory=list)
    refused: list[uuid.UUID] = field(default_factory=list)


def create_many(
    workspace_id: uuid.UUID, rows: Sequence[Row], actor: str, ahead: Ahead | None = None
) -> list[Contact | None]:
    """Make contacts, each as `service.create` does, in this order. None where another one has the contact ID.

    `ahead` are drafts of these rows, which are taken if nothing that went into them has changed since. What is
    returned is not in the session: read it, and load what you want to change.
    """
    given = drafting.given_now(workspace_id, rows)
    fitting = ahead if ahead and ahead.given.says_as(given) else None
    drafts = fitting.drafts if fitting else drafting.drafts(workspace_id, rows, given)
    made = _write(workspace_id, drafts, given, actor, fitting)
    return [one.contact if one.contact.id in made else None for one in drafts]


def update_many(workspace_id: uuid.UUID, ids: Collection[uuid.UUID], revise: Revise, actor: str) -> Outcome:
    """Change contacts. Only what really differs is written: null never becomes "" on the way.

    Those about whom nothing really changes are left alone, and nothing is sent about them.
    """
    found, fields = locked(workspace_id, ids), fields_of(workspace_id)
    asked = {contact.id: values for contact in found if (values := revise(contact)) is not None}
    contacts = [contact for contact in found if contact.id in asked]
    wanted = {contact.id: _wanted(contact, dict(asked[contact.id]), fields) for contact in contacts}
    tags = wanted_tags(workspace_id, wanted.values())
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
    given = drafting.given_now(workspace_id, [{"owner": one.facts.get("owner")} for one in trashed])
    drafts = [
        drafting.draft(trash.facts_of(one), _each_once(tags[tag["id"]] for tag in one.tags), given) for one in trashed
    ]
    made = _write(workspace_id, drafts, given, actor)
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


def _publish(
    workspace_id: uuid.UUID, event_type: EventType, news: Sequence[News], actor: str, known: Ready | None = None
) -> None:
    publish_many(workspace_id, event_type, news, partial(written, event_type), actor, known)


def _write(
    workspace_id: uuid.UUID, drafts: Sequence[Draft], given: Given, actor: str, ahead: Ahead | None = None
) -> set[uuid.UUID]:
    """Write contacts with their tags, and tell of them. Returns the ids of those made: the others' contact IDs are
    taken."""
    drafted = [one.news for one in drafts]
    made = _insert(drafts, given, ahead.contacts if ahead else drafting.as_rows(drafts))
    there = [one for one in drafts if one.contact.id in made]
    links = [{"contact_id": one.contact.id, "tag_id": tag.id} for one in there for tag in one.contact.tags]
    insert_many(contact_tag, links)
    news = [one.news for one in there]
    _publish(workspace_id, EventType.CREATED, news, actor, ahead.words if ahead and news == drafted else None)
    return made


def _insert(drafts: Sequence[Draft], given: Given, rows: Ready | None) -> set[uuid.UUID]:
    """Write the rows; the database's unique constraint is the judge of contact IDs. Returns the ids of those made."""
    made: set[uuid.UUID] = set()
    waiting = drafts
    for _ in range(service.CREATE_TRIES):
        made |= insert_new(TABLE, rows, [one.contact.id for one in waiting])
        waiting = [one for one in waiting if not (one.is_numbered or one.contact.id in made)]
        if not waiting:
            break
        for one in waiting:
            drafting.renumber(one, given)
        rows = drafting.as_rows(waiting)
    return made


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
    carried = by_name(tags, wanted["tags"]) if "tags" in wanted else contact.tags
    if not service.differs(contact, values, carried):
        return False
    for name, value in values.items():
        setattr(contact, name, value)
    if set(carried) != set(contact.tags):
        contact.tags = carried
    contact.last_updated_time = contact.changed_at = utcnow()
    return True


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
