"""What an event says about its contacts: what changed, and what they were beside what they are. Pure."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .models import Event, EventType, Subject
from .present import Payload

HIDDEN = frozenset({"id", "owner"})
"""Keys that say nothing to people: the id is the same for ever, and the owner has a name besides."""
TIMES = frozenset({"createdTime", "lastUpdatedTime", "lastSeenTime", "lastConnectedTime", "lastHeardFromTime"})
Labels = Mapping[str, str]
LONG = 160
"""Characters from which a text is folded."""
LONGEST = 20_000
"""Characters that are shown at all: the request has the whole."""
SUBJECTS = 20
"""Contacts of one event that are told one by one."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as the payload has it: `state` is "added" or "removed" where that is told, else empty."""

    name: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One side of a row: tags, or a text that may be empty."""

    text: str = ""
    tags: tuple[Tag, ...] = ()

    @property
    def is_long(self) -> bool:
        return len(self.text) > LONG

    @property
    def beginning(self) -> str:
        return self.text[:LONG].rsplit(" ", 1)[0][:LONG]

    @property
    def shown(self) -> str:
        return self.text[:LONGEST]


@dataclass(frozen=True, slots=True)
class Row:
    """A field by its label: what it was on the left, and what it is on the right."""

    label: str
    left: Value
    right: Value


@dataclass(frozen=True, slots=True)
class Story:
    """What an event says about one contact. Without `then` nothing was sent but the id; without `now` it is gone."""

    subject: Subject
    changed: tuple[Row, ...]
    """Old and new, for an update; nothing and what it was made with, for a creation."""
    differs: tuple[Row, ...] = ()
    """As sent and as it is now, where that is not the same."""
    same: tuple[Row, ...] = ()
    is_gone: bool = False


def stories(event: Event, now: Mapping[uuid.UUID, Payload], labels: Labels) -> list[Story]:
    """What the event says about each of its contacts, the first ones, and what has become of them."""
    sent = _sent(event)
    return [
        _story(event, subject, sent.get(str(subject.contact_id)), now.get(subject.contact_id), labels)
        for subject in event.subjects[:SUBJECTS]
    ]


def _story(event: Event, subject: Subject, then: Payload | None, now: Payload | None, labels: Labels) -> Story:
    pairs: Mapping[str, Any] = subject.changes
    if event.type == EventType.CREATED:
        pairs = {key: (None, value) for key, value in (then or {}).items() if not _is_blank(value)}
    changed = tuple(_rows(pairs, labels))
    if not then or not now:
        kept = {key: (value, None) for key, value in (then or {}).items() if not _is_blank(value)}
        return Story(subject, changed, same=tuple(_rows(kept, labels)), is_gone=now is None)
    both = [(key, (then.get(key), now.get(key))) for key in labels if key in then or key in now]
    differs = {key: pair for key, pair in both if _known(pair[0]) != _known(pair[1])}
    same = {key: pair for key, pair in both if key not in differs and not _is_blank(pair[0])}
    return Story(subject, changed, tuple(_rows(differs, labels)), tuple(_rows(same, labels)))


def _sent(event: Event) -> dict[str, Payload]:
    """The contacts in the body, by their ids; a body is bytes and may say anything."""
    try:
        contacts = json.loads(event.body)["contacts"]
        return {str(contact["id"]): contact for contact in contacts}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}


def _rows(pairs: Mapping[str, Any], labels: Labels) -> Iterable[Row]:
    for key, (left, right) in pairs.items():
        if key in HIDDEN and not (key == "owner" and "ownerName" not in pairs):
            continue
        if key == "tags":
            yield Row(labels.get(key, key), *_tags(left, right))
        elif key == "customFields" and (fields := _fields(left, right)):
            yield from (Row(name, _value(key, before), _value(key, after)) for name, before, after in fields)
        else:
            yield Row(labels.get(key, key), _value(key, left), _value(key, right))


def _tags(left: Any, right: Any) -> tuple[Value, Value]:
    """Both sides, with what was removed marked on the left and what was added on the right."""
    sides = [{str(tag["id"]): str(tag["name"]) for tag in side or ()} for side in (left, right)]
    before, after = sides
    removed = tuple(Tag(name, "" if key in after else "removed") for key, name in before.items())
    added = tuple(Tag(name, "" if key in before else "added") for key, name in after.items())
    return Value(tags=removed), Value(tags=added)


def _fields(left: Any, right: Any) -> list[tuple[str, Any, Any]]:
    """Custom fields one by one, by the name that they had last; nothing if a side is no list of such."""
    try:
        before, after = (
            {str(one["id"]): (str(one["name"]), one["value"]) for one in side or ()} for side in (left, right)
        )
    except (TypeError, KeyError):
        return []
    nothing = ("", None)
    return [
        (name, before.get(key, nothing)[1], after.get(key, nothing)[1]) for key, (name, _) in (before | after).items()
    ]


def _value(key: str, value: Any) -> Value:
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return Value(", ".join(value))
    if isinstance(value, bool):
        return Value("on" if value else "off")
    if _is_blank(value):
        return Value()
    if key in TIMES and str(value).isdigit() and len(str(value)) < 15:
        return Value(f"{datetime.fromtimestamp(int(value) / 1000, UTC):%-d %b %Y, %H:%M:%S} UTC")
    return Value(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _is_blank(value: Any) -> bool:
    return value is None or value == "" or value == []


def _known(value: Any) -> Any:
    """null and "" are the same fact: nothing is known."""
    return None if _is_blank(value) else value
