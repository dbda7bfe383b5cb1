"""Contacts that may be the same person, by e-mail or phone, and making one of them."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from ..extensions import db
from . import many, service, tagging
from .custom_fields import fields_of
from .field_values import is_blank
from .list_models import FLAGS
from .models import Contact

KEYS = {"email": "email_key", "phone": "phone_key"}
"""By what contacts are the same, and the column that says it in one spelling."""
PAGE = 25
MOST = 6
"""Contacts that are merged at once: as many as stand side by side."""
MERGED = (
    "first_name", "last_name", "email", "phone_number", "owner", "lead_stage", "priority", "company_name", "job_title",
    "language", "street", "city", "zip_code", "province", "country_region", "whatsapp_number", "telegram_username",
    "instagram_username", "facebook_username", "avatar_url", *FLAGS, "notes",
)  # fmt: skip
"""What is chosen field by field. Tags are put together; the contact ID is the primary's."""


class TooManyTags(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Together they carry more tags than one contact may."""


@dataclass(frozen=True, slots=True)
class Group:
    """Contacts with one e-mail or phone number, in its one spelling; `count` of them, the first of whom are shown."""

    key: str
    count: int
    contacts: Sequence[Contact]


def groups(workspace_id: uuid.UUID, by: str, after: str = "") -> tuple[list[Group], str]:
    """The next groups, by their key, and the key that the following page begins behind; "" when there is none."""
    column = getattr(Contact, KEYS[by])
    query = select(column, func.count()).where(Contact.workspace_id == workspace_id, column > after)
    query = query.group_by(column).having(func.count() > 1).order_by(column).limit(PAGE + 1)
    found = db.session.execute(query).all()
    page = found[:PAGE]
    rows = select(Contact).where(Contact.workspace_id == workspace_id, column.in_([key for key, _ in page]))
    members: dict[str, list[Contact]] = {key: [] for key, _ in page}
    for contact in db.session.scalars(rows.order_by(Contact.created_time, Contact.id)):
        members[getattr(contact, KEYS[by])].append(contact)
    shown = [Group(key, count, members[key][:MOST]) for key, count in page]
    return shown, page[-1][0] if len(found) > PAGE else ""


def like(contact: Contact) -> list[Contact]:
    """Others with the contact's e-mail or phone number, oldest first."""
    same = [
        getattr(Contact, column) == key for column in KEYS.values() if (key := getattr(contact, column))
    ]  # fmt: skip
    if not same:
        return []
    query = select(Contact).where(Contact.workspace_id == contact.workspace_id, Contact.id != contact.id, or_(*same))
    return list(db.session.scalars(query.order_by(Contact.created_time, Contact.id).limit(MOST - 1)))


def proposed(contacts: Sequence[Contact], primary: Contact) -> dict[str, uuid.UUID]:
    """Of each field whose value is kept, by the contact's id: the primary's, or that of the first who says anything.

    Whoever has unsubscribed stays so: of subscriptions a No is kept, whose ever it is.
    """
    order = [primary, *(one for one in contacts if one is not primary)]

    def tells(one: Contact, name: str) -> bool:
        value = value_of(one, name)
        return value is False if name in FLAGS else not is_blank(value)

    return {name: next((one for one in order if tells(one, name)), primary).id for name in names_of(contacts)}


def names_of(contacts: Sequence[Contact]) -> list[str]:
    """The fields about which the contacts differ; those of custom fields are their ids."""
    custom = [str(field.id) for field in fields_of(contacts[0].workspace_id)] if contacts else []
    differ = (name for name in (*MERGED, *custom) if len({_known(value_of(one, name)) for one in contacts}) > 1)
    return list(differ)


def value_of(contact: Contact, name: str) -> Any:
    """What the contact says there."""
    return getattr(contact, name) if name in MERGED else contact.custom_fields.get(name)


def merged(contacts: Sequence[Contact], primary: Contact, chosen: Mapping[str, uuid.UUID]) -> dict[str, Any]:
    """What the primary becomes: the values that were chosen, its own where nothing was, and everybody's tags."""
    by_id = {contact.id: contact for contact in contacts}
    values = {name: value_of(by_id.get(chosen.get(name, primary.id), primary), name) for name in names_of(contacts)}
    custom = {name: values.pop(name) for name in list(values) if name not in MERGED}
    tags = tagging.each_once(tag.name for contact in (primary, *contacts) for tag in contact.tags)
    return values | {"tags": tags} | ({"custom_fields": custom} if custom else {})


def merge(
    workspace_id: uuid.UUID,
    primary_id: uuid.UUID,
    ids: Collection[uuid.UUID],
    chosen: Mapping[str, uuid.UUID],
    actor: str,
) -> Contact:
    """Make one contact of several: the primary takes what was chosen, the others go to the trash.

    Both are told: what changed about the primary, and that the others are deleted. Raises ContactGone when one of them
    is not there any more, TooManyTags.
    """
    contacts = many.locked(workspace_id, {primary_id, *ids})
    primary = next((one for one in contacts if one.id == primary_id), None)
    if primary is None or len(contacts) < len({primary_id, *ids}):
        raise service.ContactGone
    values = merged(contacts, primary, chosen)
    if tagging.are_too_many(len(values["tags"]), len(primary.tags)):
        raise TooManyTags
    many.update_many(workspace_id, [primary_id], lambda _: values, actor)
    many.delete_many(workspace_id, [one.id for one in contacts if one.id != primary_id], actor)
    return primary


def _known(value: Any) -> Any:
    return repr(value) if isinstance(value, list) else service.known(value)
