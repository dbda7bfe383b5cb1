"""The history of one contact, page by page and in words: what changed from what to what."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from ..extensions import moment
from ..webhooks.models import Delivery, Event, EventType, Subject
from ..webhooks.publisher import history_of

LABELS = {
    "firstName": "First name",
    "lastName": "Last name",
    "avatarUrl": "Avatar",
    "email": "Email",
    "phoneNumber": "Phone number",
    "ownerName": "Owner",
    "leadStage": "Lead stage",
    "notes": "Notes",
    "companyName": "Company name",
    "jobTitle": "Job title",
    "priority": "Priority",
    "countryRegion": "Country/Region",
    "province": "Province",
    "city": "City",
    "street": "Street",
    "zipCode": "Zip code",
    "language": "Language",
    "facebookUsername": "Facebook username",
    "telegramUsername": "Telegram username",
    "instagramUsername": "Instagram username",
    "whatsappNumber": "WhatsApp number",
    "subscribeEmail": "Subscribe email",
    "subscribeSMS": "Subscribe SMS",
    "subscribeWhatsapp": "Subscribe WhatsApp",
}
"""Payload keys as the screen calls them. The owner is told by name and not by id; tags are told one by one."""
MAX_TEXT = 80
"""Characters of a value that the timeline shows; the delivery has the whole of it."""


PAGE = 50
"""Changes that are shown at once."""


@dataclass(frozen=True, slots=True)
class History:
    """A page of it, newest first, each change with what it says of the contact and the deliveries that it caused."""

    told: Sequence[tuple[Event, Subject, list[Delivery]]]
    restored: Collection[str] = ()
    """The ids of those events that brought the contact back: it was deleted right before."""
    before: str = ""
    """The place that the page begins behind; "" is the newest change."""
    older: str = ""
    """The place that the following page begins behind; "" when there is none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed: "changed Email" with the old and new value, or "added tag VIP" without."""

    words: str
    old: str = ""
    new: str = ""


def page(workspace_id: uuid.UUID, contact_id: uuid.UUID, before: str = "") -> History:
    """The changes behind that place, as an address says it; what is no place is the newest."""
    place = _place(before)
    found = history_of(workspace_id, contact_id, PAGE + 1, place)
    told, types = found[:PAGE], [(event.id, event.type) for event, _, _ in found]
    back = (EventType.CREATED, EventType.DELETED)
    restored = {key for (key, kind), (_, earlier) in pairwise(types) if (kind, earlier) == back}
    last = told[-1][0] if len(found) > PAGE else None
    return History(told, restored, before if place else "", f"{last.created_at.isoformat()}_{last.id}" if last else "")


def changes(of: Mapping[str, list[Any]]) -> Iterator[Change]:
    """What a subject's changes say (payload key to [old, new]), in the order of the payload."""
    for key, (old, new) in of.items():
        if key == "tags":
            yield from _tags(old or [], new or [])
        elif key == "customFields":
            yield from _custom(old or [], new or [])
        elif key in LABELS:
            yield Change(f"changed {LABELS[key]}", _text(old), _text(new))


def _place(text: str) -> tuple[datetime, str] | None:
    at, _, key = text.replace("\0", "").partition("_")
    try:
        return moment(at), key
    except ValueError:
        return None


def _tags(old: list[dict[str, str]], new: list[dict[str, str]]) -> Iterator[Change]:
    before, after = ({tag["id"]: tag["name"] for tag in tags} for tags in (old, new))
    yield from (Change(f"added tag {name}") for key, name in after.items() if key not in before)
    yield from (Change(f"removed tag {name}") for key, name in before.items() if key not in after)


def _custom(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[Change]:
    """Each field by the name that it had then."""
    before, after = ({one["id"]: one for one in side} for side in (old, new))
    for key, field in (before | after).items():
        sides = [side[key]["value"] if key in side else None for side in (before, after)]
        yield Change(f"changed {field['name']}", *map(_text, sides))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    text = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
