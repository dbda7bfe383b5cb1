"""The body of each event as a JSON Schema (2020-12), for receivers to hold it against. It says nothing of order."""

from typing import Any

from ..webhooks.models import EventType
from .field_models import FieldType
from .payload import KEYS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Schema = dict[str, Any]

TEXT: Schema = {"type": ["string", "null"], "minLength": 1}
"""null when unset."""
EDITED: Schema = {"type": ["string", "null"]}
"""null when never set, "" when an edit left it blank: a receiver takes both for unset."""
TIME: Schema = {"type": ["string", "null"], "pattern": "^[0-9]+$"}
"""Milliseconds since 1970, as a string."""
ID: Schema = {"type": "string", "pattern": UUID}
FLAG: Schema = {"type": "boolean"}
TAG: Schema = {
    "type": "object",
    "properties": {
        "id": ID,
        "name": {"type": "string", "minLength": 1},
        "color": {"type": "string", "pattern": "^#[0-9A-F]{6}$"},
    },
    "required": ["id", "name", "color"],
    "additionalProperties": False,
}

CUSTOM_FIELD: Schema = {
    "type": "object",
    "properties": {
        "id": ID,
        "name": {"type": "string", "minLength": 1},
        "type": {"enum": [kind.value for kind in FieldType]},
        "value": {
            "type": ["string", "number", "boolean", "array"],
            "items": {"type": "string", "minLength": 1},
            "minItems": 1,
            "minLength": 1,
        },
    },
    "required": ["id", "name", "type", "value"],
    "additionalProperties": False,
}

FIELDS: dict[str, tuple[Schema, str]] = {
    "id": (ID, "The contact, for ever: a UUID in lower case."),
    "firstName": (TEXT, "First name."),
    "lastName": (TEXT, "Last name."),
    "avatarUrl": (TEXT, "Address of a picture."),
    "email": (TEXT, "E-mail address. Two contacts may share one."),
    "phoneNumber": (TEXT, "Phone number as it was typed, not always international. Two contacts may share one."),
    "contactId": ({"type": "string", "minLength": 1}, "The number that people know the contact by. It never changes."),
    "owner": (EDITED, "Id of the person in charge."),
    "ownerName": (TEXT, "Name of the person in charge."),
    "leadStage": (TEXT, "How far the contact has come, such as Lead, Contact or Customer."),
    "tags": (
        {"type": ["array", "null"], "items": TAG, "minItems": 1},
        "Each tag has an id, a name and a color (#RRGGBB).",
    ),
    "notes": (TEXT, "Free text, perhaps of several lines."),
    "companyName": (EDITED, "Company."),
    "jobTitle": (EDITED, "Job title."),
    "priority": (TEXT, "Such as Low, Medium or High."),
    "ip": (TEXT, "Last known IP address."),
    "countryRegion": (EDITED, "Country or region."),
    "province": (EDITED, "Province or state."),
    "city": (EDITED, "City."),
    "street": (EDITED, "Street and number."),
    "zipCode": (EDITED, "Zip code."),
    "language": (EDITED, "Language that the contact prefers."),
    "facebookUsername": (EDITED, "User name on Facebook."),
    "telegramUsername": (EDITED, "User name on Telegram."),
    "instagramUsername": (EDITED, "User name on Instagram."),
    "whatsappNumber": (EDITED, "Phone number on WhatsApp."),
    "subscribeEmail": (FLAG, "Whether the contact may be written to by e-mail."),
    "subscribeSMS": (FLAG, "Whether the contact may be written to by SMS."),
    "subscribeWhatsapp": (FLAG, "Whether the contact may be written to on WhatsApp."),
    "lastChannel": (TEXT, "Channel of the last conversation."),
    "createdTime": ({"type": "string", "pattern": "^[0-9]+$"}, "When the contact was created."),
    "lastUpdatedTime": (TIME, "When the contact was last changed; unset until the first change."),
    "lastSeenTime": (TIME, "When the contact was last online."),
    "lastConnectedTime": (TIME, "When the contact last connected."),
    "lastHeardFromTime": (TIME, "When the contact last wrote."),
    "customFields": (
        {"type": "array", "items": CUSTOM_FIELD},
        "Fields of your own that have a value, each with an id, a name, a type and a value; empty when there are none.",
    ),
}
"""Key to its schema and its meaning."""

CONTACT: Schema = {
    "type": "object",
    "properties": {key: {**FIELDS[key][0], "description": FIELDS[key][1]} for key in KEYS},
    "required": list(KEYS),
    "additionalProperties": False,
}


def body_schema(event_type: EventType) -> Schema:
    """The schema of the whole body of an event."""
    name, item = ("ids", ID) if event_type == EventType.DELETED else ("contacts", CONTACT)
    return {
        "$schema": DIALECT,
        "title": event_type.value,
        "type": "object",
        "properties": {"event": {"const": event_type.value}, name: {"type": "array", "items": item, "minItems": 1}},
        "required": ["event", name],
        "additionalProperties": False,
    }
