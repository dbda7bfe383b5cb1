"""The log as a file for spreadsheets, written while it is read: a long one takes no more memory than a short one."""

import csv
import io
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flask import Response
from sqlalchemy import select

from ..extensions import db
from .exact import visible
from .models import Delivery, Subject, Webhook
from .search import Edge, Key, Log
from .sentences import place

BATCH = 1000
"""Rows that are read at a time. Between two of them nothing of the database is held, however slowly somebody reads."""
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula."""

COLUMNS = {
    "time": Delivery.created_at,
    "state": Delivery.status,
    "http_code": Delivery.last_status,
    "failure": Delivery.last_failure,
    "contact": None,
    "contact_id": None,
    "contact_uuid": None,
    "event": Delivery.event_type,
    "webhook": Delivery.webhook_id,
    "attempts": Delivery.attempts,
    "duration_ms": Delivery.last_duration_ms,
    "next_try": Delivery.due_at,
    "trigger": Delivery.last_trigger,
    "last_attempt": Delivery.last_attempt_at,
    "webhook_id": Delivery.event_id,
    "delivery_id": Delivery.id,
}
"""The heads and where they come from; what is told of the contacts stands in another table."""


class CsvResponse(Response):
    """A file of comma-separated values."""

    default_mimetype = "text/csv"


def lines(log: Log) -> Iterator[str]:
    """The head, and a line for each row that matches, newest first."""
    yield _written([list(COLUMNS)])
    places = {key: place(url) for key, url in db.session.execute(_webhooks(log.workspace_id))}
    edge: Edge | None = Edge()
    while edge:
        keys = log.keys(BATCH, edge)
        text = _written(_rows(keys, places))
        last = keys[-1] if len(keys) == BATCH else log.end(edge)
        db.session.rollback()
        if text:
            yield text
        edge = Edge(last) if last else None


def harmless(value: Any) -> str:
    """A cell's text that no spreadsheet runs and no terminal obeys."""
    text = str(value)
    if not text.isprintable():
        text = visible(text).replace("\n", " ").replace("\t", " ")
    return f"'{text}" if text.lstrip().startswith(FORMULA) else text


def _rows(keys: Sequence[Key], places: dict[uuid.UUID, str]) -> Iterator[list[Any]]:
    found = {row.id: row for row in db.session.execute(_deliveries(keys))}
    rows = [found[key] for _, key in keys if key in found]
    about: dict[str, list[Any]] = {row.event_id: [] for row in rows}
    for subject in db.session.execute(_subjects(about)):
        about[subject.event_id].append(subject)
    for row in rows:
        yield [_cell(name, column, row, about[row.event_id], places) for name, column in COLUMNS.items()]


def _cell(name: str, column: Any, row: Any, about: Sequence[Any], places: dict[uuid.UUID, str]) -> Any:
    if column is None:
        attribute = {"contact": "label", "contact_id": "number", "contact_uuid": "contact_id"}[name]
        return "; ".join(str(getattr(one, attribute)) for one in about)
    value = getattr(row, column.key)
    if value is None:
        return ""
    if name == "webhook":
        return places.get(value, "")
    return value.isoformat(timespec="milliseconds") if name in ("time", "next_try", "last_attempt") else value


def _deliveries(keys: Sequence[Key]) -> Any:
    columns = [column for column in COLUMNS.values() if column is not None]
    return select(*columns).where(Delivery.id.in_([key for _, key in keys]))


def _subjects(events: Iterable[str]) -> Any:
    columns = (Subject.event_id, Subject.label, Subject.number, Subject.contact_id)
    return select(*columns).where(Subject.event_id.in_(list(events))).order_by(Subject.event_id, Subject.position)


def _webhooks(workspace_id: uuid.UUID) -> Any:
    return select(Webhook.id, Webhook.url).where(Webhook.workspace_id == workspace_id)


def _written(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()
