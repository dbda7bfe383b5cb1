"""Going through the contacts in an order, from a place on: by a key that an index keeps, or group by group."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, select, tuple_

from ..among import one_of
from ..extensions import db, is_sqlite
from .models import Contact

WINDOW = 3_000
"""Contacts that are gone through for a page or a count, at most."""
COUNTED = 10_000
"""Contacts that are counted where nothing is asked of them."""
Place = tuple[Any, uuid.UUID]
"""Where a contact stands in an order: by which value, and between equals by which id."""


@dataclass(frozen=True)
class Walk:
    """The contacts of `own` in the order of a column, those that fit the conditions among them."""

    own: Select[Any]
    key: str
    conditions: Callable[[Any], list[ColumnElement[bool]]]
    """SQL over a contact: it is asked for."""
    ids: list[uuid.UUID] | None
    """Who may be asked for, where they are few."""
    looks: bool
    """Whether each has to be looked at."""
    descends: bool
    edge: Place | None = None
    """Where it begins; None is the top."""

    def rows(self, limit: int) -> list[tuple[Contact, Place]]:
        """The rows next to the edge, nearest first, each with its place."""
        if self.looks:
            return self._loaded(self._fit(limit))
        query = self._through(None).where(*self.conditions(Contact)).add_columns(self.column).limit(limit)
        return [(contact, (at, contact.id)) for contact, at in db.session.execute(query)]

    def end(self) -> Place | None:
        """Where going through the list stopped, if that was before its end."""
        if not self.looks:
            return None
        query = self._through(None).with_only_columns(self.column, Contact.id).offset(WINDOW - 1).limit(2)
        found = db.session.execute(query).all()
        return (found[0][0], found[0][1]) if len(found) > 1 else None

    def count(self) -> tuple[int, bool]:
        """How many are asked for from here on; and whether there may be more than were looked at."""
        if self.looks:
            return self._fitting(), self.end() is not None
        mine = self.own.where(one_of(Contact.id, self.ids)) if self.ids is not None else self.own
        some = mine.where(*self.conditions(Contact)).with_only_columns(Contact.id).limit(COUNTED + 1)
        count = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
        return min(count, COUNTED), count > COUNTED

    @property
    def column(self) -> Any:
        return getattr(Contact, self.key)

    def _fitting(self) -> int:
        """How many of those that are looked at are asked for."""
        c, fits = self._looked_at()
        return db.session.scalar(select(func.count(c.id)).where(*fits)) or 0

    def _fit(self, limit: int) -> list[Place]:
        """The places of those that are asked for, as far as is looked."""
        c, fits = self._looked_at()
        query = select(c[self.key], c.id).where(*fits).limit(limit)
        if not is_sqlite():  # which would sort again what comes in order
            query = query.order_by(*self._order(c[self.key], c.id))
        return [(at, key) for at, key in db.session.execute(query)]

    def _looked_at(self) -> tuple[Any, list[ColumnElement[bool]]]:
        """The columns of those that are gone through, and SQL by which they fit."""
        rows = self._through(WINDOW)
        if is_sqlite():  # it would carry all their columns along: it judges inside
            fits = and_(*self.conditions(Contact)).label("fits")
            c: Any = rows.with_only_columns(self.column, Contact.id, fits).subquery().c
            return c, [c.fits]
        c = rows.subquery().c
        return c, self.conditions(c)

    def _loaded(self, places: Sequence[Place]) -> list[tuple[Contact, Place]]:
        query = select(Contact).where(one_of(Contact.id, [key for _, key in places]))
        found = {contact.id: contact for contact in db.session.scalars(query)}
        return [(found[place[1]], place) for place in places if place[1] in found]

    def _through(self, limit: int | None) -> Select[Any]:
        rows = self.own if self.ids is None else self.own.where(one_of(Contact.id, self.ids))
        if self.edge is not None:
            here = tuple_(self.column, Contact.id)
            edge = tuple_(literal(self.edge[0], self.column.type), literal(self.edge[1], Contact.id.type))
            rows = rows.where(here < edge if self.descends else here > edge)
        return rows.order_by(*self._order(self.column, Contact.id)).limit(limit)

    def _order(self, *parts: Any) -> list[ColumnElement[Any]]:
        return [part.desc() if self.descends else part.asc() for part in parts]


@dataclass(frozen=True)
class GroupWalk(Walk):
    """The same by a column of few values, in an order that people gave them: owners, stages, priorities.

    An index has each value's contacts together, but not the values in that order: they are gone through one by one.
    """

    known: Sequence[str] = ()
    """The values in their order. Blanks stand in front of them, and what is not known (any more) behind them."""

    def rows(self, limit: int) -> list[tuple[Contact, Place]]:
        """The rows next to the edge, nearest first, each with its place."""
        is_whole = self.ids is None and not self.looks
        return self._loaded(self._places(limit) if is_whole else self._fit(limit))

    def end(self) -> Place | None:
        """Where going through the list stopped, if that was before its end."""
        return self._window[WINDOW - 1] if self.looks and len(self._window) > WINDOW else None

    def _fitting(self) -> int:
        return len(self._all_fit)

    def _fit(self, limit: int) -> list[Place]:
        """The places of those that are asked for, as far as is looked."""
        return self._all_fit[:limit]

    @cached_property
    def _window(self) -> list[Place]:
        """The places of those that are gone through, and the one behind them."""
        return self._places(WINDOW + 1)

    @cached_property
    def _all_fit(self) -> list[Place]:
        if self.ids is not None:
            few = self.own.where(one_of(Contact.id, self.ids), *self.conditions(Contact))
            found = db.session.execute(few.with_only_columns(self.column, Contact.id))
            return self._sorted((at, key) for at, key in found)
        places = self._window[:WINDOW]
        fit = select(Contact.id).where(one_of(Contact.id, [key for _, key in places]), *self.conditions(Contact))
        ids = set(db.session.scalars(fit))
        return [place for place in places if place[1] in ids]

    def _places(self, limit: int) -> list[Place]:
        """The places next to the edge, nearest first."""
        found: list[Place] = []
        for value in self._values():
            mine = self.own.where(self.column.is_(None) if value is None else self.column == value)
            if self.edge and value == self.edge[0]:
                mine = mine.where(Contact.id < self.edge[1] if self.descends else Contact.id > self.edge[1])
            ids = mine.with_only_columns(Contact.id).order_by(*self._order(Contact.id)).limit(limit - len(found))
            found += [(value, key) for key in db.session.scalars(ids)]
            if len(found) == limit:
                break
        return found

    def _sorted(self, places: Iterable[Place]) -> list[Place]:
        """Of these places those behind the edge, nearest first."""
        ordered = sorted(places, key=self._rank, reverse=self.descends)
        return [one for one in ordered if not self.edge or self._is_past(self._rank(one), self._rank(self.edge))]

    def _values(self) -> list[Any]:
        """The values that there are, nearest first, from the edge's own on."""
        there = dict.fromkeys([None, *db.session.scalars(select(self._jumps()))])
        ordered = sorted(there, key=self._group, reverse=self.descends)
        return [
            one for one in ordered if not self.edge or not self._is_past(self._group(self.edge[0]), self._group(one))
        ]

    def _jumps(self) -> Any:
        """Each value once: a jump in the index for each, however many contacts have it."""
        least = self.own.with_only_columns(func.min(self.column).label("value"))
        jumps = least.cte("jumps", recursive=True)
        following = least.where(self.column > jumps.c.value).correlate(jumps).scalar_subquery()
        return jumps.union_all(select(following).where(jumps.c.value.is_not(None))).c.value

    def _is_past(self, one: Any, other: Any) -> bool:
        return bool(one < other if self.descends else one > other)

    def _rank(self, place: Place) -> tuple[Any, ...]:
        """What says of two places which one is first."""
        return (*self._group(place[0]), place[1])

    def _group(self, value: Any) -> tuple[Any, ...]:
        """The same of two values."""
        if not value:
            return (-1, "" if value is None else "-")
        return (self.known.index(value) if value in self.known else len(self.known), value)
