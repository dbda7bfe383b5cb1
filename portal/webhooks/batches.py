"""Many changes at once: told in groups, each webhook as many contacts in one request as it takes.

A slice of changes is told once for each size that the workspace's webhooks take. Each telling is a set of events of its
own: webhooks that take as many share its events and bytes, and a request never holds more than its webhook asked for.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table

from ..extensions import db, utcnow
from ..ids import new_id
from ..rows import Ready, insert, insert_many
from . import lanes, words
from .log_models import Mention
from .models import MOST_CONTACTS, Event, EventType, Subject, Webhook, new_event_id
from .publisher import About, ring_after_commit, takers_of, wanting

MAX_BODY = 256 * 1024
"""A body stays under so many bytes, unless a single contact has more."""
EVENT, SUBJECT, MENTION = (cast(Table, model.__table__) for model in (Event, Subject, Mention))

Rows = list[dict[str, Any]]
Write = Callable[[Sequence[bytes]], bytes]
"""Makes a body around items."""


@dataclass(frozen=True, slots=True)
class News:
    """What happened to one contact, and how a body says it. No `about.known_by`: the log knows its words already."""

    about: About
    item: bytes


@dataclass(frozen=True, slots=True)
class Telling:
    """One way to tell a slice: in groups of at most `size`, to webhooks that take `first` to `last` contacts."""

    size: int
    first: int
    last: int
    takers: list[Webhook]


def publish_many(
    workspace_id: uuid.UUID,
    event_type: EventType,
    news: Sequence[News],
    write: Write,
    actor: str,
    known: Ready | None = None,
) -> None:
    """Record what happened to these contacts, each named once, and what is sent of it to whom, as `publish` does.

    `known` are their words, if somebody has them ready. The caller holds the locks of the contacts. Some hundred at a
    time: what is written is held in memory meanwhile.
    """
    if not news:
        return
    now, facts = utcnow(), {"workspace_id": workspace_id, "type": event_type, "actor": actor, "is_test": False}
    events: Rows = []
    subjects: Rows = []
    newcomers: list[tuple[dict[str, Any], Sequence[uuid.UUID]]] = []
    for telling in _tellings(wanting(workspace_id, event_type)):
        for group in _groups(news, telling.size, MAX_BODY - len(write([]))):
            body, reach = write([one.item for one in group]), {"takes_from": telling.first, "takes_to": telling.last}
            events.append({**facts, **reach, "id": new_event_id(), "body": body, "created_at": now})
            subjects += _subjects(events[-1]["id"], group)
            newcomers += [(_delivery(events[-1], webhook), _ids(group)) for webhook in telling.takers]
    insert_many(EVENT, events)
    insert_many(SUBJECT, subjects)
    if newcomers:
        lanes.enter_many(newcomers)
        insert_many(MENTION, _mentions(newcomers, now))
    insert(known or words_of(workspace_id, news))
    for webhook_id in {row["webhook_id"] for row, _ in newcomers}:
        ring_after_commit(webhook_id)


def words_of(workspace_id: uuid.UUID, news: Sequence[News]) -> Ready | None:
    """The words by which the log finds these contacts, ready to be inserted."""
    known_by = {one.about.contact_id: _texts(one.about) for one in news if one.about.known_by is not None}
    return words.known(workspace_id, known_by)


def forecast(workspace_id: uuid.UUID, event_type: EventType, count: int) -> list[tuple[Webhook, int]]:
    """The webhooks that changes of so many contacts go to, paused ones included, each with its requests at least."""
    takers = (one for one in db.session.scalars(takers_of(workspace_id)) if event_type in one.event_types)
    return [(webhook, -(-count // webhook.contacts_per_request)) for webhook in takers]


def largest_group(workspace_id: uuid.UUID) -> int:
    """How many contacts the webhook gets in one request that takes most; 1 without webhooks."""
    return max((one.contacts_per_request for one in db.session.scalars(takers_of(workspace_id))), default=1)


def _tellings(takers: Sequence[Webhook]) -> Iterator[Telling]:
    """One for each size that is taken, of which the smallest serves all below it, too; one by one if nobody takes any.

    So a replay finds for each webhook, whatever it takes by then, exactly one telling.
    """
    sizes = sorted({webhook.contacts_per_request for webhook in takers}) or [1]
    for i, (size, following) in enumerate(zip(sizes, [*sizes[1:], MOST_CONTACTS + 1], strict=True)):
        mine = [webhook for webhook in takers if webhook.contacts_per_request == size]
        yield Telling(size, size if i else 1, following - 1, mine)


def _groups(news: Sequence[News], size: int, room: int) -> Iterator[list[News]]:
    """The news in their order, at most `size` together, whose items and the commas between have room in a body."""
    group: list[News] = []
    used = 0
    for one in news:
        if group and (len(group) == size or used + len(one.item) >= room):
            yield group
            group, used = [], 0
        group.append(one)
        used += len(one.item) + 1
    if group:
        yield group


def _subjects(event_id: str, group: Sequence[News]) -> Rows:
    return [
        {"event_id": event_id, "position": i, "contact_id": one.contact_id, "number": one.number, "label": one.label,
         "changes": one.changes}
        for i, one in enumerate(news.about for news in group)
    ]  # fmt: skip


def _delivery(event: dict[str, Any], webhook: Webhook) -> dict[str, Any]:
    of = {"workspace_id": event["workspace_id"], "event_id": event["id"], "event_type": event["type"]}
    return {**of, "id": new_id(), "webhook_id": webhook.id, "created_at": event["created_at"]}


def _mentions(newcomers: Sequence[tuple[dict[str, Any], Sequence[uuid.UUID]]], now: datetime) -> Rows:
    return [
        {"contact_id": contact, "created_at": now, "delivery_id": row["id"]}
        for row, contacts in newcomers
        for contact in contacts
    ]


def _ids(group: Sequence[News]) -> list[uuid.UUID]:
    return [one.about.contact_id for one in group]


def _texts(about: About) -> tuple[str, ...]:
    return (about.number, about.label, *(about.known_by or ()))
