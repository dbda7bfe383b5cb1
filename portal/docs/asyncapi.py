"""The webhooks as an AsyncAPI 3.0 document, for tools that make code and pages from it."""

import json
from typing import Any

from ..contacts.payload import sample
from ..webhooks.alarms import sample_bodies as sample_alarms
from ..webhooks.models import EventType, Trigger
from .schemas import body_schema

VERSION = "1.1.0"
"""Of the contract: receivers rely on it, so it changes only with the bodies or headers."""

HEADERS: dict[str, dict[str, Any]] = {
    "content-type": {"const": "application/json", "description": "The body is JSON in UTF-8."},
    "user-agent": {"pattern": "^CloudCX-Webhooks/", "description": "Who sends it, and its version."},
    "webhook-id": {"pattern": "^msg_", "description": "The event, the same on every attempt: deduplicate on it."},
    "webhook-timestamp": {"pattern": "^[0-9]+$", "description": "When this attempt was made, in seconds since 1970."},
    "webhook-signature": {
        "pattern": "^v1,[A-Za-z0-9+/=]+( v1,[A-Za-z0-9+/=]+)*$",
        "description": "One signature, or two with a space between while a secret is being changed.",
    },
    "x-cloudcx-event": {"enum": list(map(str, EventType)), "description": "The event type, as in the body."},
    "x-cloudcx-attempt": {"pattern": "^[0-9]+$", "description": "The number of this attempt, from 1."},
    "x-cloudcx-trigger": {
        "enum": list(map(str, Trigger)),
        "description": "Why it was made: automatic, manual (a person resent it), probe (are you back?) or test.",
    },
    "x-cloudcx-changed": {
        "description": "Only on ContactUpdated: the fields that changed, with commas between.",
    },
}
"""What is sent beside the body, by its name; all but the last are always there."""


def document() -> dict[str, Any]:
    """The whole document."""
    messages = {event_type.value: _message(event_type) for event_type in EventType}
    names = [{"$ref": f"#/channels/contacts/messages/{name}"} for name in messages]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "CloudCX contact webhooks",
            "version": VERSION,
            "description": "Each change of a contact is one signed POST to the URL of every webhook that asked for it.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "contacts": {
                "address": None,  # the receiver's own URL
                "description": "The URL that a webhook was registered with.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            "sendContactEvent": {
                "action": "send",
                "channel": {"$ref": "#/channels/contacts"},
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
                "messages": names,
            }
        },
        "components": {
            "messages": messages,
            "messageTraits": {"signed": {"headers": _headers()}},
            "schemas": {event_type.value: body_schema(event_type) for event_type in EventType},
        },
    }


def _message(event_type: EventType) -> dict[str, Any]:
    return {
        "name": event_type.value,
        "traits": [{"$ref": "#/components/messageTraits/signed"}],
        "payload": {"$ref": f"#/components/schemas/{event_type.value}"},
        "examples": [{"payload": json.loads((sample() | sample_alarms())[event_type])}],
    }


def _headers() -> dict[str, Any]:
    properties = {name: {"type": "string", **facts} for name, facts in HEADERS.items()}
    return {"type": "object", "properties": properties, "required": list(HEADERS)[:-1]}
