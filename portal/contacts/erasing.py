"""Erasing a contact for good: it, its picture, its place in the trash, and searches that were made for it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select

from ..extensions import db
from ..webhooks.models import EventType
from ..webhooks.naming import Person
from ..webhooks.publisher import About, publish
from . import avatars, trash
from .columns import Column, Kind
from .known import columns_of
from .list_models import ContactBulk, ContactView, TrashedContact
from .models import Contact
from .payload import body
from .service import ContactGone, locked

NAMES, PHONES = ("first_name", "last_name"), ("phone_number", "whatsapp_number")
"""What names a person in other people's texts, beside e-mail address and contact ID."""
MOST = 20
"""Contacts that are offered as the same person, at most."""


def label_of(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> str | None:
    """What the contact is called, or was when it went to the trash; None when it is in neither."""
    contacts = select(Contact).where(Contact.workspace_id == workspace_id, Contact.id == contact_id)
    if contact := db.session.scalars(contacts).one_or_none():
        return contact.label
    trashed = select(TrashedContact.label).where(TrashedContact.workspace_id == workspace_id)
    return db.session.scalar(trashed.where(TrashedContact.id == contact_id))


def is_trashed(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> bool:
    """Whether it is in the trash, from which it can be restored."""
    mine = select(TrashedContact).where(TrashedContact.workspace_id == workspace_id, TrashedContact.id == contact_id)
    return db.session.scalar(trash.kept(mine).with_only_columns(TrashedContact.id)) is not None


def person_of(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Person | None:
    """What names it in other people's texts; None when it is neither there nor in the trash."""
    facts = facts_of(workspace_id, contact_id)
    if facts is None:
        return None
    names, phones = ([facts.get(name) for name in one] for one in (NAMES, PHONES))
    return Person.of(names, [facts.get("email")], phones, facts.get("contact_id", ""))


def facts_of(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> dict[str, Any] | None:
    """What the contact says, or said when it went to the trash, by its columns; None when it is in neither."""
    contacts = select(Contact).where(Contact.workspace_id == workspace_id, Contact.id == contact_id)
    if contact := db.session.scalars(contacts).one_or_none():
        return {name: getattr(contact, name) for name in Contact.__table__.columns.keys()}  # noqa: SIM118
    trashed = select(TrashedContact.facts).where(TrashedContact.workspace_id == workspace_id)
    return db.session.scalar(trashed.where(TrashedContact.id == contact_id))


@dataclass(frozen=True, slots=True)
class Other:
    """A contact that may be the same person."""

    id: uuid.UUID
    label: str
    is_trashed: bool


def others(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> list[Other]:
    """Those with its e-mail address or phone number: what was merged into it stays in the trash, too."""
    facts = facts_of(workspace_id, contact_id) or {}
    keys = {name: facts[name] for name in ("email_key", "phone_key") if facts.get(name)}
    if not keys:
        return []
    mine = select(Contact).where(Contact.workspace_id == workspace_id, Contact.id != contact_id)
    alike = mine.where(or_(*(getattr(Contact, name) == key for name, key in keys.items()))).limit(MOST)
    there = [Other(one.id, one.label, is_trashed=False) for one in db.session.scalars(alike)]
    gone: Any = select(TrashedContact.id, TrashedContact.label).where(
        TrashedContact.workspace_id == workspace_id, TrashedContact.id != contact_id,
        or_(*(TrashedContact.facts[name].as_string() == key for name, key in keys.items())),
    )  # fmt: skip
    trashed = db.session.execute(trash.kept(gone).limit(MOST))
    return there + [Other(key, label, is_trashed=True) for key, label in trashed]


def erase(workspace_id: uuid.UUID, contact_id: uuid.UUID, called: str, actor: str) -> None:
    """Take it away for good. If it was still there, its last event calls it `called` and tells its id alone."""
    try:
        contact = locked(workspace_id, contact_id)
    except ContactGone:
        trash.end([contact_id])
        return
    db.session.delete(contact)
    db.session.flush()
    avatars.forget([contact_id])
    event_body = body(EventType.DELETED, [str(contact_id)])
    publish(workspace_id, EventType.DELETED, event_body, [About(contact_id, "", called)], actor)


def searches(workspace_id: uuid.UUID, person: Person) -> list[str]:
    """What saved views and work on many contacts search for, where that is the person."""
    columns = columns_of(workspace_id)
    addresses = [view.address for view in _views(workspace_id)] + [bulk.matching for bulk in _work(workspace_id)]
    return [pair[-1] for address in addresses for pair in address if _seeks(pair, person, columns)]


def forget_searches(workspace_id: uuid.UUID, person: Person) -> None:
    """Views that search for the person go, work that does is stopped. Neither is left with less of a condition: a view
    of one would be a view of all, and a deletion of one the deletion of all."""
    columns = columns_of(workspace_id)
    for view in _views(workspace_id):
        if any(_seeks(pair, person, columns) for pair in view.address):
            db.session.delete(view)
    for bulk in _work(workspace_id):
        if any(_seeks(pair, person, columns) for pair in bulk.matching):
            bulk.stop()
            bulk.matching = [pair for pair in bulk.matching if not _seeks(pair, person, columns)]


def _views(workspace_id: uuid.UUID) -> Sequence[ContactView]:
    mine = select(ContactView).where(ContactView.workspace_id == workspace_id)
    return db.session.scalars(mine.order_by(ContactView.id)).all()


def _work(workspace_id: uuid.UUID) -> Sequence[ContactBulk]:
    mine = select(ContactBulk).where(ContactBulk.workspace_id == workspace_id)
    return db.session.scalars(mine.order_by(ContactBulk.id)).all()


def _seeks(pair: Sequence[str], person: Person, columns: Mapping[str, Column]) -> bool:
    """Whether a parameter of an address looks for the person: the search, or the value of a filter on a text.

    One name is enough in a search and where names are filtered; elsewhere it is a city's, too.
    """
    name, text = pair[0], pair[-1]
    column, _, rest = text.partition(".")
    value = rest.partition(".")[2]
    if name == "q" or (name == "f" and column == "name"):
        return person.is_sought(text if name == "q" else value)
    is_text = column not in columns or columns[column].kind == Kind.TEXT
    return name == "f" and is_text and person.is_told_by([value])
