"""The body of an event, to the key: the contract. Keys, their order, null and "" are what receivers rely on."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..webhooks.models import EventType
from .custom_fields import in_payload
from .field_models import CustomField
from .models import Contact, Tag

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COLUMNS = {
    "id": "id",
    "firstName": "first_name",
    "lastName": "last_name",
    "avatarUrl": "avatar_url",
    "email": "email",
    "phoneNumber": "phone_number",
    "contactId": "contact_id",
    "owner": "owner",
    "ownerName": "",
    "leadStage": "lead_stage",
    "tags": "tags",
    "notes": "notes",
    "companyName": "company_name",
    "jobTitle": "job_title",
    "priority": "priority",
    "ip": "ip",
    "countryRegion": "country_region",
    "province": "province",
    "city": "city",
    "street": "street",
    "zipCode": "zip_code",
    "language": "language",
    "facebookUsername": "facebook_username",
    "telegramUsername": "telegram_username",
    "instagramUsername": "instagram_username",
    "whatsappNumber": "whatsapp_number",
    "subscribeEmail": "subscribe_email",
    "subscribeSMS": "subscribe_sms",
    "subscribeWhatsapp": "subscribe_whatsapp",
    "lastChannel": "last_channel",
    "createdTime": "created_time",
    "lastUpdatedTime": "last_updated_time",
    "lastSeenTime": "last_seen_time",
    "lastConnectedTime": "last_connected_time",
    "lastHeardFromTime": "last_heard_from_time",
    "customFields": "custom_fields",
}
"""Key to the contact's attribute. The owner's name has none: it is looked up when the payload is made."""
KEYS = tuple(COLUMNS)

SAMPLE_ID = uuid.UUID("00000000-0000-4000-8000-000000000000")
"""No contact ever gets it: random ids don't come out like this."""


def contact_payload(contact: Contact, owner_name: str | None, fields: Sequence[CustomField]) -> dict[str, Any]:
    """The contact as receivers see it: the 36 keys in their order. `fields` are its workspace's custom fields."""
    values = {key: _value(getattr(contact, column, None)) for key, column in COLUMNS.items()}
    values["ownerName"] = owner_name
    values["tags"] = _tags(contact.tags)
    values["customFields"] = in_payload(contact.custom_fields, fields)
    return values


def body(event_type: EventType, items: Sequence[dict[str, Any]] | Sequence[str]) -> bytes:
    """The exact bytes of an event: `items` are payloads of contacts, or ids of those that were deleted."""
    return written(event_type, [encoded(item) for item in items])


def encoded(item: dict[str, Any] | str) -> bytes:
    """One of the items of a body, as it stands there."""
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()


def written(event_type: EventType, items: Sequence[bytes]) -> bytes:
    """The body around items that are encoded already: the same ones are told in groups of several sizes."""
    name = b"ids" if event_type == EventType.DELETED else b"contacts"
    return b'{"event":"%s","%s":[%s]}' % (event_type.value.encode(), name, b",".join(items))


def sample() -> dict[EventType, bytes]:
    """A realistic body of each event type, about a contact that does not exist."""
    person = Contact(
        id=SAMPLE_ID, first_name="Allen", last_name="Ji", email="allen@acme.example", phone_number="12345678",
        contact_id="987654321", lead_stage="Contact", priority="Medium", custom_fields={},
        subscribe_email=True, subscribe_sms=True, subscribe_whatsapp=True, created_time=EPOCH + timedelta(days=20_000),
    )  # fmt: skip
    created = body(EventType.CREATED, [contact_payload(person, None, ())])
    person.tags = [Tag(id=SAMPLE_ID, name="Software", color="#DB4B4B")]
    person.company_name, person.job_title, person.city = "Acme", "", ""
    person.last_updated_time = EPOCH + timedelta(days=20_001)
    updated = body(EventType.UPDATED, [contact_payload(person, None, ())])
    deleted = body(EventType.DELETED, [str(SAMPLE_ID)])
    return {EventType.CREATED: created, EventType.UPDATED: updated, EventType.DELETED: deleted}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return str((value - EPOCH) // timedelta(milliseconds=1))
    return str(value) if isinstance(value, uuid.UUID) else value


def _tags(tags: Sequence[Tag]) -> list[dict[str, str]] | None:
    # Their order is no fact about the contact: kept by name, it can't look like a change.
    ordered = sorted(tags, key=lambda tag: (tag.name.casefold(), tag.name))
    return [{"id": str(tag.id), "name": tag.name, "color": tag.color} for tag in ordered] or None
