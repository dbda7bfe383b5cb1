"""The list of contacts as it is asked for: search, order and keyset pages, all of them written in the address."""

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, tuple_

from ..extensions import db
from .models import Contact

PAGE = 50
MAX_QUERY = 200
"""Characters of a search that are looked at."""

_FULL_NAME = func.trim(func.coalesce(Contact.first_name, "") + " " + func.coalesce(Contact.last_name, ""))
ORDERS: dict[str, ColumnElement[Any]] = {
    "name": func.lower(
        func.coalesce(func.nullif(_FULL_NAME, ""), Contact.email, Contact.phone_number, Contact.contact_id)
    ),
    "company": func.lower(func.coalesce(Contact.company_name, "")),
    "stage": func.lower(func.coalesce(Contact.lead_stage, "")),
    "created": Contact.created_time.expression,
    "changed": Contact.changed_at.expression,
}
"""What the list can be ordered by; never NULL, which stands on no side of a page's edge."""
SEARCHED = (_FULL_NAME, Contact.email, Contact.phone_number, Contact.contact_id, Contact.company_name)
NEWEST = "-changed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: a search, an order ("-" in front: descending) and after or before which row."""

    q: str = ""
    sort: str = NEWEST
    after: str = ""
    before: str = ""

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address; what is no order is the usual one, what is no place is the top."""
        sort = args.get("sort", "")
        sort = sort if sort.removeprefix("-") in ORDERS else NEWEST
        q = args.get("q", "").replace("\0", "").strip()[:MAX_QUERY]
        return cls(q, sort, args.get("after", ""), args.get("before", ""))

    @property
    def column(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descends(self) -> bool:
        return self.sort.startswith("-")

    def address(self, **others: str) -> dict[str, str]:
        """The parameters of the address that asks for this from the top, and for `others` besides."""
        sort = self.sort if self.sort != NEWEST else ""
        return {name: value for name, value in ({"q": self.q, "sort": sort} | others).items() if value}

    def turned(self, column: str) -> str:
        """The order that a click on a column's head asks for: by it, or the other way round; times newest first."""
        if column == self.column:
            return column if self.descends else f"-{column}"
        return f"-{column}" if column in ("created", "changed") else column


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the list, how many match, and the `before` and `after` of its neighbours' addresses."""

    rows: Sequence[Contact]
    total: int
    previous: str = ""
    following: str = ""


def matching(own: Select[Any], asked: Asked) -> Select[Any]:
    """All contacts that match what is asked for, on whatever page; `own` selects the workspace's."""
    return own.where(*_conditions(asked.q))


def find(own: Select[Any], asked: Asked) -> Page:
    """The page that is asked for; `own` selects the workspace's contacts."""
    found = matching(own, asked)
    total = db.session.scalar(select(func.count()).select_from(found.with_only_columns(Contact.id).subquery())) or 0
    edge = _place(asked.before or asked.after, asked.column)
    backwards = edge is not None and bool(asked.before)
    rows = _rows(found, ORDERS[asked.column], edge, descending=asked.descends != backwards)
    has_more, rows = len(rows) > PAGE, rows[:PAGE]
    if backwards:
        return _page(rows[::-1], total, has_previous=has_more, has_following=True)
    return _page(rows, total, has_previous=edge is not None, has_following=has_more)


def _rows(matching: Select[Any], value: ColumnElement[Any], edge: Any, descending: bool) -> list[tuple[Contact, Any]]:
    """The rows next to the edge, nearest first, one more than a page has; without an edge from the very first on."""
    query = matching.add_columns(value)
    if edge is not None:
        key = tuple_(value, Contact.id)
        query = query.where(key < edge if descending else key > edge)
    order = [part.desc() if descending else part.asc() for part in (value, Contact.id)]
    return [(contact, at) for contact, at in db.session.execute(query.order_by(*order).limit(PAGE + 1))]


def _page(rows: Sequence[tuple[Contact, Any]], total: int, has_previous: bool, has_following: bool) -> Page:
    previous = _written(*rows[0]) if rows and has_previous else ""
    following = _written(*rows[-1]) if rows and has_following else ""
    return Page([contact for contact, _ in rows], total, previous, following)


def _conditions(q: str) -> list[ColumnElement[bool]]:
    """Each word must occur somewhere, so that a first and a last name find their person in either order."""
    return [or_(*(column.icontains(word, autoescape=True) for column in SEARCHED)) for word in q.split()]


def _written(contact: Contact, value: Any) -> str:
    """A place in the list for an address: the value that it is ordered by, and the id that decides between equals."""
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([text, str(contact.id)]).encode()).decode().rstrip("=")


def _place(text: str, column: str) -> Any:
    """A written place as a SQL tuple to compare with; None when it is none."""
    try:
        value, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        expression = ORDERS[column]
        typed = datetime.fromisoformat(value) if column in ("created", "changed") else str(value).replace("\0", "")
        return tuple_(literal(typed, expression.type), literal(uuid.UUID(key), Contact.id.type))
    except (ValueError, TypeError, AttributeError):
        return None
