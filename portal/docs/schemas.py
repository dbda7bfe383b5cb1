"""The JSON Schema (2020-12) of every event's body: of contacts, and of the webhooks themselves."""

from typing import Any

from ..contacts import schema as contacts
from ..webhooks import alarm_schema as alarms
from ..webhooks.models import EventType


def body_schema(event_type: EventType) -> dict[str, Any]:
    """The schema of the whole body of an event."""
    return alarms.body_schema(event_type) if event_type.is_alarm else contacts.body_schema(event_type)


def with_dialect(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that says which JSON Schema it is written in."""
    return {"$schema": contacts.DIALECT, **schema}
