"""What the list can show and be filtered by: each fact of a contact, what kind it is and what can be asked of it."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .models import Contact


class Kind(StrEnum):
    """What a fact is, and so what can be asked of it and how it is shown."""

    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"
    TAGS = "tags"


EMPTY, FILLED = "empty", "filled"
OPERATORS: Mapping[Kind, Mapping[str, str]] = {
    Kind.TEXT: {"contains": "contains", "is": "is", "not": "is not", EMPTY: "is empty", FILLED: "is not empty"},
    Kind.CHOICE: {"is": "is", "not": "is not", EMPTY: "is empty", FILLED: "is not empty"},
    Kind.NUMBER: {"is": "is", "above": "is greater than", "below": "is less than", EMPTY: "is empty",
                  FILLED: "is not empty"},
    Kind.DATE: {"on": "is on", "before": "is before", "after": "is after", EMPTY: "is empty", FILLED: "is not empty"},
    Kind.FLAG: {"is": "is"},
    Kind.TAGS: {"is": "has", "not": "has not", EMPTY: "is empty", FILLED: "is not empty"},
}  # fmt: skip
"""Of each kind what can be asked, by its word in addresses."""
WITHOUT_VALUE = {EMPTY, FILLED}
YES_NO = {"yes": "Yes", "no": "No"}


@dataclass(frozen=True, slots=True)
class Column:
    """One fact. `value` is SQL over a contact, `show` what a contact says; `key` names a column with an index that
    finds a value as `folded` makes it."""

    name: str
    label: str
    kind: Kind
    value: Callable[[Any], Any]
    show: Callable[[Contact], Any]
    choices: Mapping[str, str] = field(default_factory=dict)
    key: str = ""
    sort: str = ""
    """What the list is ordered by at a click on its head."""
    is_day: bool = False
    """Whether it is kept as the text of a day or time, and not as a time."""
    has: Callable[[Any, str], Any] | None = None
    """SQL: a contact has this one of several words; None for tags."""


def plain(name: str, label: str, kind: Kind = Kind.TEXT, **more: Any) -> Column:
    """A column of the table by its own name."""
    return Column(name, label, kind, lambda c: getattr(c, name), lambda c: getattr(c, name), **more)


def built_in(
    people: Mapping[str, str], tags: Mapping[str, str], stages: Mapping[str, str], priorities: Mapping[str, str]
) -> dict[str, Column]:
    """The facts of every workspace; the arguments are what its contacts choose from, by what they carry."""
    texts = {
        "first_name": "First name", "last_name": "Last name", "contact_id": "Contact ID", "job_title": "Job title",
        "country_region": "Country/Region", "province": "Province", "city": "City", "street": "Street",
        "zip_code": "Zip code", "language": "Language", "facebook_username": "Facebook username",
        "telegram_username": "Telegram username", "instagram_username": "Instagram username",
        "whatsapp_number": "WhatsApp number", "notes": "Notes", "avatar_url": "Avatar", "ip": "IP address",
        "last_channel": "Last channel",
    }  # fmt: skip
    flags = {
        "subscribe_email": "Subscribe email",
        "subscribe_sms": "Subscribe SMS",
        "subscribe_whatsapp": "Subscribe WhatsApp",
    }
    times = {
        "last_updated_time": "Last updated", "last_seen_time": "Last seen", "last_connected_time": "Last connected",
        "last_heard_from_time": "Last heard from",
    }  # fmt: skip
    columns = [
        Column("name", "Name", Kind.TEXT, lambda c: c.name_key, lambda c: c.label, key="name_key", sort="name"),
        plain("email", "Email", key="email_key", sort="email"),
        plain("phone_number", "Phone number", key="phone_key"),
        plain("company_name", "Company name", key="company_key", sort="company"),
        plain("lead_stage", "Lead stage", Kind.CHOICE, choices=stages, key="stage_key", sort="stage"),
        Column("tags", "Tags", Kind.TAGS, lambda c: c.id, lambda c: c.tags, choices=tags),
        Column("owner", "Owner", Kind.CHOICE, lambda c: c.owner, lambda c: people.get(c.owner or ""),
               choices=people, key="owner", sort="owner"),
        plain("priority", "Priority", Kind.CHOICE, choices=priorities, key="priority", sort="priority"),
        plain("created_time", "Created", Kind.DATE, key="created_time", sort="created"),
        plain("changed_at", "Changed", Kind.DATE, key="changed_at", sort="changed"),
        *(plain(name, label) for name, label in texts.items()),
        *(plain(name, label, Kind.FLAG, choices=YES_NO) for name, label in flags.items()),
        *(plain(name, label, Kind.DATE) for name, label in times.items()),
    ]  # fmt: skip
    return {column.name: column for column in columns}


USUAL = ("name", "company_name", "lead_stage", "tags", "owner", "created_time", "changed_at")
"""What the list shows to who has not chosen."""


def shown(value: Any) -> str:
    """A fact as a word of the list, where it is neither a time nor tags."""
    if isinstance(value, bool):
        return YES_NO["yes" if value else "no"]
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def is_time(value: Any) -> bool:
    return isinstance(value, datetime)


def own_id(text: str) -> uuid.UUID | None:
    """The id that the text is, if it is one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
