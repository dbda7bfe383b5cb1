"""Erasing a contact for good: it, its picture, its place in the trash, and searches that were made for it."""

import uuid
from collections.abc import Collection

from sqlalchemy import select

from ..extensions import db
from ..webhooks.models import EventType
from ..webhooks.publisher import About, publish
from . import avatars, trash
from .list_models import ContactBulk, ContactView, TrashedContact
from .models import Contact
from .payload import body
from .service import ContactGone, locked

NAMED_BY = ("first_name", "last_name", "email", "phone_number", "whatsapp_number", "contact_id")
"""What names a person in other people's files."""
SHORTEST = 3
"""Characters from which a text is taken to name somebody."""


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


def texts_of(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> set[str]:
    """The texts that name it, in one case."""
    mine = Contact.workspace_id == workspace_id, Contact.id == contact_id
    if contact := db.session.scalars(select(Contact).where(*mine)).one_or_none():
        texts = [getattr(contact, name) for name in NAMED_BY]
    else:
        theirs = TrashedContact.workspace_id == workspace_id, TrashedContact.id == contact_id
        texts = [(facts or {}).get(name) for facts in db.session.scalars(select(TrashedContact.facts).where(*theirs))
                 for name in NAMED_BY]  # fmt: skip
    return {text.casefold() for text in texts if text and len(text) >= SHORTEST}


def erase(workspace_id: uuid.UUID, contact_id: uuid.UUID, called: str, actor: str) -> None:
    """Take it away for good. If it was still there, its last event calls it `called` and tells its id alone."""
    _forget_searches(workspace_id, texts_of(workspace_id, contact_id))
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


def _forget_searches(workspace_id: uuid.UUID, texts: Collection[str]) -> None:
    """Views and work on many contacts keep what they were about, unless it was a search for this one."""
    for view in db.session.scalars(select(ContactView).where(ContactView.workspace_id == workspace_id)):
        view.address = _without(view.address, texts)
    for bulk in db.session.scalars(select(ContactBulk).where(ContactBulk.workspace_id == workspace_id)):
        bulk.matching = _without(bulk.matching, texts)


def _without(address: list[list[str]], texts: Collection[str]) -> list[list[str]]:
    return [pair for pair in address if not any(text in pair[-1].casefold() for text in texts)]
