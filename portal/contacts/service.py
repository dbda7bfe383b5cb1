"""The only place that changes contacts, whatever the door: lock, re-read, change, tell the webhooks what changed."""

import secrets
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from ..accounts.models import Membership, User
from ..extensions import db, utcnow
from ..webhooks.models import EventType
from ..webhooks.publisher import About, publish
from . import avatars, lists, tagging, trash
from .custom_fields import fields_of, merged
from .models import Contact, Tag
from .payload import KEYS, body, contact_payload

MAIN_GROUP = frozenset(
    {
        "owner", "company_name", "job_title", "country_region", "province", "city", "street", "zip_code", "language",
        "facebook_username", "telegram_username", "instagram_username", "whatsapp_number",
    }
)  # fmt: skip
"""What becomes "" and not null when an edit leaves it blank (source: the contract)."""
CREATE_TRIES = 20
"""Made-up contact IDs are tried until one is free; with a million contacts already each is free in 99.9%."""
KNOWN_BY = ("firstName", "lastName", "email", "phoneNumber", "contactId", "companyName")
"""What people look for a contact by."""


class ContactIdTaken(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Another contact of the workspace has this contact ID."""


class ContactGone(Exception):  # noqa: N818  likewise
    """The contact was deleted, perhaps a moment ago."""


def create(workspace_id: uuid.UUID, values: Mapping[str, Any], actor: str) -> Contact:
    """Make a contact. `values` maps attributes to what was typed, "tags" to names; a contact ID is made up if blank.

    "custom_fields" maps ids of fields to values as `field_values.parse` gives them. Stage and priority, where they
    are not given, are the workspace's defaults. Raises ContactIdTaken.
    """
    now, fields = utcnow(), fields_of(workspace_id)
    wanted = {name: None if value == "" else value for name, value in values.items()}
    if not {"lead_stage", "priority"} <= wanted.keys():
        wanted = lists.defaults(workspace_id) | wanted
    wanted["tags"] = tagging.named(workspace_id, wanted.get("tags") or ())
    wanted["custom_fields"] = merged({}, wanted.get("custom_fields") or {}, fields)
    wanted |= {"workspace_id": workspace_id, "created_time": now, "changed_at": now}
    contact = _insert(wanted)
    _publish(EventType.CREATED, contact, [contact_payload(contact, _owner_name(contact), fields)], {}, actor)
    return contact


def update(workspace_id: uuid.UUID, contact_id: uuid.UUID, values: Mapping[str, Any], actor: str) -> bool:
    """Change a contact. False, with nothing touched and nothing sent, when the values say what it says already.

    Of "custom_fields" those that are not named stay as they are; None takes a value away. Raises ContactGone.
    """
    contact, fields = locked(workspace_id, contact_id), fields_of(workspace_id)
    wanted = {name: blank(name) if value == "" else value for name, value in values.items() if name != "tags"}
    if "custom_fields" in values:
        wanted["custom_fields"] = merged(contact.custom_fields, values["custom_fields"], fields)
    tags = tagging.named(workspace_id, values["tags"]) if "tags" in values else contact.tags
    if not differs(contact, wanted, tags):
        return False
    before = contact_payload(contact, _owner_name(contact), fields)
    for name, value in wanted.items():
        setattr(contact, name, value)
    contact.tags = tags
    contact.last_updated_time = contact.changed_at = utcnow()
    db.session.flush()
    if before["avatarUrl"] != contact.avatar_url:
        avatars.settle(contact)
    after = contact_payload(contact, _owner_name(contact), fields)
    _publish(EventType.UPDATED, contact, [after], changes_of(before, after), actor)
    return True


def delete(workspace_id: uuid.UUID, contact_id: uuid.UUID, actor: str) -> Contact:
    """Move a contact to the trash; what was sent about it stays in the log. Returns what it was. Raises ContactGone."""
    contact = locked(workspace_id, contact_id)
    trash.keep([contact], actor)
    db.session.delete(contact)
    db.session.flush()
    _publish(EventType.DELETED, contact, [str(contact.id)], {}, actor)
    return contact


def about(contact: Contact, changes: dict[str, list[Any]], is_known: bool = False) -> About:
    """The contact as an event's subject; `is_known` when the log finds it by its words already."""
    now = [contact.first_name, contact.last_name, contact.email, contact.phone_number, contact.company_name]
    before = [changes[key][0] for key in KNOWN_BY if key in changes]
    known_by = None if is_known else [text for text in (*now, *before) if text]
    return About(contact.id, contact.contact_id, contact.label, changes, known_by)


def made_up_number() -> str:
    """A contact ID for those who get none: nine digits, perhaps taken."""
    return str(secrets.randbelow(900_000_000) + 100_000_000)


def locked(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Contact:
    """The contact as it is now and stays until the commit (on SQLite the transaction is the lock)."""
    query = select(Contact).where(Contact.workspace_id == workspace_id, Contact.id == contact_id)
    fresh = query.with_for_update().execution_options(populate_existing=True)
    contact = db.session.scalars(fresh).one_or_none()
    if contact is None:
        raise ContactGone
    return contact


def _insert(values: Mapping[str, Any]) -> Contact:
    """Add the contact; the database's unique constraint is the judge of contact IDs, also between two at once."""
    typed = values.get("contact_id")
    for _ in range(1 if typed else CREATE_TRIES):
        number = typed or made_up_number()
        contact = Contact(**{**values, "contact_id": number})
        try:
            with db.session.begin_nested():
                db.session.add(contact)
        except IntegrityError:
            continue
        return contact
    raise ContactIdTaken


def blank(name: str) -> str | None:
    """What an edit that leaves the attribute blank makes of it."""
    return "" if name in MAIN_GROUP else None


def differs(contact: Contact, wanted: Mapping[str, Any], tags: Iterable[Tag]) -> bool:
    """Whether the contact says anything else than that."""
    fields = any(known(getattr(contact, name)) != known(value) for name, value in wanted.items())
    return fields or set(contact.tags) != set(tags)


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Payload key to [old, new] of what really changed."""
    keys = [key for key in KEYS if key != "lastUpdatedTime" and known(before[key]) != known(after[key])]
    changes = {key: [before[key], after[key]] for key in keys}
    if "customFields" in changes:  # only those that differ: the rest says nothing about the change
        old, new = changes["customFields"]
        changes["customFields"] = [[one for one in old if one not in new], [one for one in new if one not in old]]
    return changes


def known(value: Any) -> Any:
    """null and "" are the same fact: nothing is known."""
    return None if value == "" else value


def _owner_name(contact: Contact) -> str | None:
    if not contact.owner:
        return None
    query = select(User.name).join(Membership).where(
        Membership.workspace_id == contact.workspace_id, Membership.user_id == uuid.UUID(contact.owner)
    )  # fmt: skip
    return db.session.scalar(query)


def _publish(
    event_type: EventType, contact: Contact, items: list[Any], changes: dict[str, list[Any]], actor: str
) -> None:
    publish(contact.workspace_id, event_type, body(event_type, items), [about(contact, changes)], actor)
