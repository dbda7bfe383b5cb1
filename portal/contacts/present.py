"""Contacts as they are now, for the pages of deliveries that tell what they were."""

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import select

from ..accounts.models import Membership, User
from ..extensions import db
from ..webhooks.present import Payload, Source
from . import trash
from .custom_fields import fields_of
from .list_models import TrashedContact
from .models import Contact, Tag
from .payload import KEYS, contact_payload
from .timeline import LABELS

OTHERS = {
    "id": "Id",
    "contactId": "Contact ID",
    "owner": "Owner's id",
    "tags": "Tags",
    "ip": "IP address",
    "lastChannel": "Last channel",
    "createdTime": "Created",
    "lastUpdatedTime": "Last updated",
    "lastSeenTime": "Last seen",
    "lastConnectedTime": "Last connected",
    "lastHeardFromTime": "Last heard from",
    "customFields": "Custom fields",
}
"""What the timeline never tells."""


def payloads(workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Payload]:
    """The payload that an event about each contact would carry now; those that are gone are missing."""
    query = select(Contact).where(Contact.workspace_id == workspace_id, Contact.id.in_(ids))
    return _payloads(workspace_id, db.session.scalars(query).all())


def trashed_payload(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Payload | None:
    """The payload that a contact in the trash would have if it were restored; None when it is not there."""
    query = select(TrashedContact).where(TrashedContact.workspace_id == workspace_id, TrashedContact.id == contact_id)
    row = db.session.scalars(query).one_or_none()
    if row is None:
        return None
    tags = [Tag(id=uuid.UUID(tag["id"]), name=tag["name"], color=tag["color"]) for tag in row.tags]
    return _payloads(workspace_id, [Contact(**trash.facts_of(row), tags=tags)])[contact_id]


def _payloads(workspace_id: uuid.UUID, contacts: Sequence[Contact]) -> dict[uuid.UUID, Payload]:
    names = _names(workspace_id, {uuid.UUID(contact.owner) for contact in contacts if contact.owner})
    fields = fields_of(workspace_id)
    return {contact.id: contact_payload(contact, names.get(contact.owner or ""), fields) for contact in contacts}


def _names(workspace_id: uuid.UUID, people: Collection[uuid.UUID]) -> dict[str, str]:
    query = select(User.id, User.name).join(Membership)
    query = query.where(Membership.workspace_id == workspace_id, Membership.user_id.in_(people))
    return {str(key): name for key, name in db.session.execute(query)}


SOURCE = Source({key: (LABELS | OTHERS)[key] for key in KEYS}, payloads)
