"""Contacts as a file for spreadsheets and for importing again, written while it is read: a long one takes no more
memory than a short one."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, literal, tuple_

from ..extensions import UTCDateTime, db
from .models import Contact
from .sheet import Column, guarded

BATCH = 500
"""Contacts that are read at a time. Between two of them nothing of the database is held, however slow the reader."""
MARK = "\ufeff"
"""The byte order mark by which Excel knows that it is UTF-8."""

Place = tuple[datetime, UUID]


def lines(matching: Select[Any], columns: Sequence[Column]) -> Iterator[str]:
    """The head, and a line for each of the contacts that `matching` selects, the oldest first."""
    yield MARK + _written([[column.label for column in columns]])
    place: Place | None = None
    while rows := _next(matching, place):
        text = _written([column.show(contact) for column in columns] for contact in rows)
        place = (rows[-1].created_time, rows[-1].id)
        db.session.rollback()
        db.session.expunge_all()
        yield text


def _next(matching: Select[Any], place: Place | None) -> Sequence[Contact]:
    query = matching
    if place:
        edge = tuple_(literal(place[0], UTCDateTime()), literal(place[1], Contact.id.type))
        query = query.where(tuple_(Contact.created_time, Contact.id) > edge)
    found: Sequence[Contact] = db.session.scalars(query.order_by(Contact.created_time, Contact.id).limit(BATCH)).all()
    return found


def _written(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue()
