"""The list of contacts as it is asked for: search, filters, order and keyset pages, all of them written in the address.

No question reads the whole table: what is rare is found by an index, what is common is near, and looking stops after a
while and says so (record 11).
"""

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, false, or_

from ..extensions import db, moment
from ..webhooks import words
from . import filters
from .columns import Column
from .filters import FOLDED, Filter, Lost
from .keys import beginning
from .models import Contact
from .walking import GroupWalk, Place, Walk

SIZES = (50, 25, 100)
"""Rows of a page; the first is the usual one."""
MAX_QUERY = 200
"""Characters of a search that are looked at."""
FEW, LOOKS = 1_000, 4_000
"""So many contacts are looked up one by one, after so many looks at an index; of more, the list is gone through."""
ORDERS = {
    "name": "name_key", "email": "email_key", "company": "company_key", "stage": "stage_key", "created": "created_time",
    "changed": "changed_at", "owner": "owner", "priority": "priority",
}  # fmt: skip
"""What the list can be ordered by, and the column that it is kept in."""
GROUPED = {"stage": "lead_stage", "owner": "owner", "priority": "priority"}
"""Orders in which contacts stand in groups, and which of the list's columns knows the order of these."""
TIMES = ("created", "changed")
NEWEST = "-changed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for: a search, filters, an order ("-" in front: descending), after or before which row."""

    q: str = ""
    filters: tuple[Filter | Lost, ...] = ()
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
    def is_lost(self) -> bool:
        """Whether it asks for what is not there (any more), and so for nobody."""
        return any(isinstance(one, Lost) for one in self.filters)

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

    def without(self, one: Filter | Lost) -> dict[str, Any]:
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


def find(own: Select[Any], workspace_id: uuid.UUID, asked: Asked, columns: Mapping[str, Column]) -> Page:
    """The page that is asked for; `own` selects the workspace's contacts, `columns` are those that it knows."""
    edge = _place(asked.before or asked.after, asked.column)
    backwards = edge is not None and bool(asked.before)
    top = _walk(own, workspace_id, asked, columns)
    walk = replace(top, edge=edge, descends=asked.descends != backwards) if edge else top
    rows = walk.rows(asked.size + 1)
    is_full, rows = len(rows) > asked.size, rows[: asked.size]
    stop = None if is_full else walk.end()
    near, far = _written(rows[0][1] if rows else None), _written(rows[-1][1] if is_full else stop)
    if not rows and edge is not None:
        near = asked.before or asked.after
    is_all = walk is top and not is_full  # then nothing has to be counted
    total, has_more = (len(rows), stop is not None) if is_all else top.count()
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


def _walk(own: Select[Any], workspace_id: uuid.UUID, asked: Asked, columns: Mapping[str, Column]) -> Walk:
    """The way through the list in the order that is asked for, from its top."""
    ids, key = few(workspace_id, asked), ORDERS[asked.column]
    facts = (own, key, asked.conditions, ids, ids is None and asked.is_narrowed, asked.descends)
    if asked.column not in GROUPED:
        return Walk(*facts)
    words_of = columns[GROUPED[asked.column]].choices
    return GroupWalk(*facts, known=[FOLDED.get(key, str)(word) for word in words_of])


def _known_by(c: Any, q: str) -> list[ColumnElement[bool]]:
    """Each word of a search begins one of the contact's words."""
    found = words.asked(q) if q else []
    if q and not found:  # nothing but signs
        return [false()]
    return [or_(*(c.search_text.contains(f" {beginning(one)}", autoescape=True) for one in ones)) for ones in found]


def _written(place: Place | None) -> str:
    """A place in the list for an address."""
    if place is None:
        return ""
    value = place[0].isoformat() if isinstance(place[0], datetime) else place[0]
    return base64.urlsafe_b64encode(json.dumps([value, str(place[1])]).encode()).decode().rstrip("=")


def _place(text: str, column: str) -> Place | None:
    """The place that is written there; None when it is none."""
    try:
        value, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if column in TIMES:
            return moment(value), uuid.UUID(key)
        return None if value is None and column in GROUPED else str(value).replace("\0", ""), uuid.UUID(key)
    except (ValueError, TypeError, AttributeError):
        return None
