"""The list of contacts as it is asked for: search, filters, order and keyset pages, all of them written in the address.

No question reads the whole table: what is rare is found by an index, what is common is near, and looking stops after a
while and says so (record 11).
"""

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, false, func, literal, or_, select, tuple_
from sqlalchemy.orm import aliased

from ..extensions import db, is_sqlite
from ..webhooks import words
from . import filters
from .columns import Column
from .filters import Filter
from .keys import beginning
from .models import Contact

SIZES = (50, 25, 100)
"""Rows of a page; the first is the usual one."""
MAX_QUERY = 200
"""Characters of a search that are looked at."""
FEW, LOOKS = 1_000, 4_000
"""So many contacts are looked up one by one, after so many looks at an index; of more, the list is gone through."""
WINDOW = 3_000
"""Contacts that are gone through for a page or a count, at most."""
COUNTED = 10_000
"""Contacts that are counted where nothing is asked of them."""
ORDERS = {
    "name": "name_key", "email": "email_key", "company": "company_key", "stage": "stage_key", "created": "created_time",
    "changed": "changed_at",
}  # fmt: skip
"""What the list can be ordered by, and the column that it is kept in."""
TIMES = ("created", "changed")
NEWEST = "-changed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: a search, filters, an order ("-" in front: descending), after or before which row."""

    q: str = ""
    filters: tuple[Filter, ...] = ()
    sort: str = NEWEST
    size: int = SIZES[0]
    after: str = ""
    before: str = ""
    view: str = ""
    """The saved view that is looked at."""

    @classmethod
    def of(cls, args: Any, columns: dict[str, Column]) -> Self:
        """Read the parameters of an address; what is no order is the usual one, what is no place is the top."""
        sort, size = args.get("sort", ""), args.get("n", "")
        return cls(
            args.get("q", "").replace("\0", "").strip()[:MAX_QUERY],
            filters.read(args.getlist("f"), columns),
            sort if sort.removeprefix("-") in ORDERS else NEWEST,
            int(size) if size in map(str, SIZES) else SIZES[0],
            args.get("after", ""),
            args.get("before", ""),
            args.get("view", ""),
        )

    @property
    def column(self) -> str:
        return self.sort.removeprefix("-")

    @property
    def descends(self) -> bool:
        return self.sort.startswith("-")

    @property
    def is_narrowed(self) -> bool:
        """Whether it asks for some and not for all."""
        return bool(self.q or self.filters)

    @property
    def parameters(self) -> list[list[str]]:
        """The parameters of the address that asks for this from the top, as pairs."""
        size = str(self.size) if self.size != SIZES[0] else ""
        pairs = [["q", self.q], *(["f", one.address] for one in self.filters)]
        pairs += [["sort", self.sort if self.sort != NEWEST else ""], ["n", size], ["view", self.view]]
        return [pair for pair in pairs if pair[1]]

    def address(self, **others: Any) -> dict[str, Any]:
        """The same for `url_for`, with `others` besides; an empty one takes a parameter away."""
        made: dict[str, Any] = {}
        for name, value in self.parameters:
            made.setdefault(name, []).append(value)
        return {name: value for name, value in (made | others).items() if value}

    def without(self, one: Filter) -> dict[str, Any]:
        """The address without that filter."""
        return replace(self, filters=tuple(other for other in self.filters if other != one)).address()

    def turned(self, column: str) -> str:
        """The order that a click on a column's head asks for: by it, or the other way round; times newest first."""
        if column == self.column:
            return column if self.descends else f"-{column}"
        return f"-{column}" if column in TIMES else column

    def conditions(self, c: Any) -> list[ColumnElement[bool]]:
        """SQL over a contact: it is one of those that are asked for."""
        return [*_known_by(c, self.q), *(one.holds(c) for one in self.filters)]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the list, how many match (or more: `has_more`), and `before` and `after` of its neighbours' addresses.

    `is_cut` says that looking stopped before the page was full: "Next" goes on from there.
    """

    rows: Sequence[Contact]
    total: int
    has_more: bool = False
    previous: str = ""
    following: str = ""
    is_cut: bool = False


def find(own: Select[Any], workspace_id: uuid.UUID, asked: Asked) -> Page:
    """The page that is asked for; `own` selects the workspace's contacts."""
    edge = _place(asked.before or asked.after, asked.column)
    backwards = edge is not None and bool(asked.before)
    walk = Walk(own, asked, edge, asked.descends != backwards, few(workspace_id, asked))
    rows = walk.rows(asked.size + 1)
    is_full, rows = len(rows) > asked.size, rows[: asked.size]
    stop = None if is_full else walk.end()
    last = rows[-1] if is_full else stop
    near, far = _written(*rows[0]) if rows else "", _written(*last) if last else ""
    if not rows and edge is not None:
        near = asked.before or asked.after
    total, has_more = walk.count()
    if backwards:
        return Page([contact for contact, _ in rows[::-1]], total, has_more, far, near, stop is not None)
    previous = near if edge is not None else ""
    return Page([contact for contact, _ in rows], total, has_more, previous, far, stop is not None)


def few(workspace_id: uuid.UUID, asked: Asked) -> list[uuid.UUID] | None:
    """The ids of those that may be asked for, when an index says that they are few; None when they are not."""
    beginnings = words.asked(asked.q) if asked.q else []
    if beginnings and (ids := words.contacts(workspace_id, beginnings, FEW, LOOKS)) is not None:
        return ids
    for one in asked.filters:
        ids_of = one.few(workspace_id)
        if ids_of is not None and len(ids := list(db.session.scalars(ids_of.limit(FEW + 1)))) <= FEW:
            return ids
    return None


class Walk:
    """The contacts in their order from an edge on, those that are asked for among them."""

    def __init__(
        self, own: Select[Any], asked: Asked, edge: Any, descending: bool, ids: list[uuid.UUID] | None
    ) -> None:
        self.own, self.asked, self.edge, self.descending, self.ids = own, asked, edge, descending, ids
        self.key = ORDERS[asked.column]
        self.looks = ids is None and asked.is_narrowed

    def rows(self, limit: int) -> list[tuple[Contact, Any]]:
        """The rows next to the edge, nearest first, each with what it is ordered by."""
        c: Any = aliased(Contact, self._through(WINDOW).subquery()) if self.looks else Contact
        query = select(c) if self.looks else self._through(None)
        query = query.where(*self.asked.conditions(c)).add_columns(getattr(c, self.key)).limit(limit)
        if self.looks and not is_sqlite():  # which would sort again what comes in order
            query = query.order_by(*self._order(c))
        return [(contact, at) for contact, at in db.session.execute(query)]

    def end(self) -> tuple[Contact, Any] | None:
        """Where going through the list stopped, if that was before its end."""
        if not self.looks:
            return None
        query = self._through(None).add_columns(getattr(Contact, self.key)).offset(WINDOW - 1).limit(2)
        found = db.session.execute(query).all()
        return (found[0][0], found[0][1]) if len(found) > 1 else None

    def count(self) -> tuple[int, bool]:
        """How many are asked for, wherever the edge is; and whether there may be more than were looked at."""
        if not self.looks:
            mine = self.own.where(Contact.id.in_(self.ids)) if self.ids is not None else self.own
            some = mine.where(*self.asked.conditions(Contact)).with_only_columns(Contact.id).limit(COUNTED + 1)
            count = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
            return min(count, COUNTED), count > COUNTED
        top = Walk(self.own, self.asked, None, self.asked.descends, None)
        c = aliased(Contact, top._through(WINDOW).subquery())
        count = db.session.scalar(select(func.count(c.id)).where(*self.asked.conditions(c))) or 0
        return count, top.end() is not None

    def _through(self, limit: int | None) -> Select[Any]:
        rows = self.own if self.ids is None else self.own.where(Contact.id.in_(self.ids))
        if self.edge is not None:
            here = tuple_(getattr(Contact, self.key), Contact.id)
            rows = rows.where(here < self.edge if self.descending else here > self.edge)
        return rows.order_by(*self._order(Contact)).limit(limit)

    def _order(self, c: Any) -> list[ColumnElement[Any]]:
        return [part.desc() if self.descending else part.asc() for part in (getattr(c, self.key), c.id)]


def _known_by(c: Any, q: str) -> list[ColumnElement[bool]]:
    """Each word of a search begins one of the contact's words."""
    found = words.asked(q) if q else []
    if q and not found:  # nothing but signs
        return [false()]
    return [or_(*(c.search_text.contains(f" {beginning(one)}", autoescape=True) for one in ones)) for ones in found]


def _written(contact: Contact, value: Any) -> str:
    """A place in the list for an address: the value that it is ordered by, and the id that decides between equals."""
    text = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([text, str(contact.id)]).encode()).decode().rstrip("=")


def _place(text: str, column: str) -> Any:
    """A written place as a SQL tuple to compare with; None when it is none."""
    try:
        value, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        kind = getattr(Contact, ORDERS[column]).type
        typed = datetime.fromisoformat(value) if column in TIMES else str(value).replace("\0", "")
        return tuple_(literal(typed, kind), literal(uuid.UUID(key), Contact.id.type))
    except (ValueError, TypeError, AttributeError):
        return None
