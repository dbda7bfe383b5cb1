"""Contacts as rows of a table, the same for export and import: the columns, what a cell says, the formula guard."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from ..accounts.service import members
from . import field_values
from .custom_fields import fields_of
from .field_models import CustomField
from .models import Contact
from .payload import COLUMNS

LABELS = {
    "contactId": "Contact ID", "firstName": "First name", "lastName": "Last name", "email": "Email",
    "phoneNumber": "Phone number", "companyName": "Company name", "jobTitle": "Job title", "owner": "Owner",
    "leadStage": "Lead stage", "priority": "Priority", "tags": "Tags", "notes": "Notes", "language": "Language",
    "street": "Street", "city": "City", "zipCode": "Zip code", "province": "Province",
    "countryRegion": "Country/Region", "whatsappNumber": "WhatsApp number", "telegramUsername": "Telegram username",
    "instagramUsername": "Instagram username", "facebookUsername": "Facebook username", "avatarUrl": "Avatar",
    "subscribeEmail": "Subscribe email", "subscribeSMS": "Subscribe SMS", "subscribeWhatsapp": "Subscribe WhatsApp",
}  # fmt: skip
"""What a person sets, by payload key, as the screen calls it; the order of an export's columns."""
KEPT_BY_PORTAL = {
    "id": "Id", "createdTime": "Created", "lastUpdatedTime": "Last updated", "lastSeenTime": "Last seen",
    "lastConnectedTime": "Last connected", "lastHeardFromTime": "Last heard from", "lastChannel": "Last channel",
    "ip": "IP address",
}  # fmt: skip
"""What nobody can set: exported when asked for, never imported."""
CUSTOM = "custom:"
"""Begins the key of a custom field; its id follows."""
FORMULA = re.compile(r"'*(\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""What a spreadsheet would run, behind any number of apostrophes."""
YES, NO = "yes", "no"
Show = Callable[[Contact], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: `show` says in a cell what a contact has there, "" for nothing."""

    key: str
    label: str
    show: Show
    field: CustomField | None = None


def columns(workspace_id: uuid.UUID) -> list[Column]:
    """What can be set of the workspace's contacts, custom fields last."""
    logins = {str(member.user_id): member.user.email for member in members(workspace_id)}
    shows: dict[str, Show] = {"owner": partial(_owner, logins), "tags": _tags}
    own = [Column(key, label, shows.get(key) or partial(_plain, COLUMNS[key])) for key, label in LABELS.items()]
    return own + [custom(field) for field in fields_of(workspace_id)]


def kept_by_portal() -> list[Column]:
    """The columns that can only be exported."""
    return [Column(key, label, partial(_plain, COLUMNS[key])) for key, label in KEPT_BY_PORTAL.items()]


def custom(field: CustomField) -> Column:
    """The column of a custom field."""
    key = str(field.id)
    return Column(
        CUSTOM + key,
        field.name,
        lambda contact: field_values.shown(field, contact.custom_fields.get(key)),
        field,
    )


def guarded(text: str) -> str:
    """The text as a spreadsheet shows it and never runs it: an apostrophe stands in front of what could be a formula,
    and one more in front of what has such apostrophes already. So `unguarded` gives back exactly what was there."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """A cell without the apostrophe that `guarded` put in front of it."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _plain(attribute: str, contact: Contact) -> str:
    value: Any = getattr(contact, attribute)
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return "" if value is None else str(value)


def _owner(logins: dict[str, str], contact: Contact) -> str:
    return logins.get(contact.owner or "", "")


def _tags(contact: Contact) -> str:
    return ", ".join(sorted((tag.name for tag in contact.tags), key=str.casefold))
