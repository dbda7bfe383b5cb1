"""The body of each event about a webhook as a JSON Schema (2020-12), for receivers to hold it against."""

from typing import Any

from .models import EventType, PauseReason
from .outbound import Failure

Schema = dict[str, Any]

TIME: Schema = {"type": ["string", "null"], "pattern": "^[0-9]+$"}
"""Milliseconds since 1970, as a string."""
WEBHOOK: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "url": {"type": "string", "minLength": 1, "description": "Host and path, without what may be a key."},
        "description": {"type": ["string", "null"]},
    },
    "required": ["id", "url", "description"],
    "additionalProperties": False,
}
FAILING: dict[str, Schema] = {
    "since": TIME | {"description": "The first failure since its last good answer, or the pause."},
    "failure": {"enum": [*map(str, Failure), None], "description": "The cause, as the log names it."},
    "status": {"type": ["integer", "null"], "description": "The HTTP status, if there was an answer."},
    "waiting": {"type": "integer", "minimum": 0, "description": "Deliveries that wait for it."},
}
PAUSED: dict[str, Schema] = {"reason": {"enum": list(map(str, PauseReason)), "description": "Who or what paused it."}}
FACTS: dict[EventType, dict[str, Schema]] = {
    EventType.FAILING: FAILING,
    EventType.PAUSED: FAILING | PAUSED,
    EventType.RECOVERED: {},
}


def body_schema(event_type: EventType) -> Schema:
    """The schema of the whole body of an alarm, without a dialect."""
    properties = {"event": {"const": event_type.value}, "webhook": WEBHOOK, **FACTS[event_type]}
    return {
        "title": event_type.value,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
