"""The delivery log as it is asked for: keyset pages, counts, and what changed. Nothing here reads the whole log.

A page takes the filter with the fewest rows, goes through its index in the order of the log and asks the others of each
row; after `filters.WINDOW` rows it stops and says how far it has come (record 6).
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, String, Uuid, and_, func, literal, select, tuple_, type_coerce, union_all
from sqlalchemy.orm import aliased, defaultload

from ..among import one_of
from ..extensions import UTCDateTime, db, is_sqlite
from . import filters as asked
from .filters import Filters, Test
from .log_models import Mention
from .models import Delivery, Event, Status, Webhook

PAGE = 50
COUNTED = 1_000
"""Rows that are counted for a tab; where there are more it says "1,000+"."""
UNSEEN = 99
"""New rows that are counted; more are "99+"."""
CHANGES = 50
"""So many of the last changes tell whether anything has changed: a few are committed later than their time."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[datetime, uuid.UUID]
"""Where a row stands in the log."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where in the log looking begins, and whether it goes up from there."""

    key: Key | None = None
    includes: bool = False
    goes_up: bool = False

    def holds(self, at: Any, key: Any) -> list[ColumnElement[bool]]:
        """SQL: the row that stands there lies on this side of the edge."""
        if self.key is None:
            return []
        here = tuple_(at, key)
        edge = tuple_(literal(self.key[0], UTCDateTime()), literal(self.key[1], Uuid()))
        if self.goes_up:
            return [here > edge]
        return [here <= edge] if self.includes else [here < edge]

    def order(self, at: Any, key: Any) -> list[ColumnElement[Any]]:
        return [column.asc() if self.goes_up else column.desc() for column in (at, key)]


TOP = Edge()
PLACED = (Delivery.created_at, Delivery.id, Delivery.workspace_id)
"""What says where a row stands, and whose it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: before or after a row, at a row while somebody reads on from there, or at the top."""

    older_than: Key | None = None
    newer_than: Key | None = None
    upto: Key | None = None

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address; what is no place is the top."""
        return cls(*(_read(args.get(name, "")) for name in ("before", "after", "upto")))

    @property
    def is_live(self) -> bool:
        """Whether the page shows what happens now."""
        return not self.older_than and not self.newer_than

    @property
    def edge(self) -> Edge:
        if self.newer_than:
            return Edge(self.newer_than, goes_up=True)
        return Edge(self.older_than or self.upto, includes=not self.older_than)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the log, newest first, and the `before` and `after` of the addresses of its neighbours.

    `looked_back_to` says how far looking came, where it stopped before the page was full; `unseen` counts what is newer
    than a page that stays where it is.
    """

    rows: Sequence[Delivery]
    older: str = ""
    newer: str = ""
    looked_back_to: datetime | None = None
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are, or that there are at least so many."""

    number: int
    has_more: bool = False


class Log:
    """The log of a workspace under some filters."""

    def __init__(self, workspace_id: uuid.UUID, filters: Filters, searched: Test | None = None) -> None:
        """`searched` is what the search asks, where it is known already."""
        self.workspace_id, self.filters = workspace_id, filters
        self.span = filters.span()
        self.searched = searched or filters.search(workspace_id)
        tests = [*filters.tests(), *([self.searched] if self.searched else [])]
        self.tests = tests if self.span else [asked.NOTHING]
        self.source = self._rarest()

    def keys(self, limit: int, edge: Edge = TOP) -> list[Key]:
        """Where the next rows stand, from the edge on."""
        d, fits = self._looked_at(self._through(edge, asked.WINDOW))
        query = select(d.created_at, d.id).where(*fits).limit(limit)
        if not is_sqlite():  # which would sort again what comes in order
            query = query.order_by(*edge.order(d.created_at, d.id))
        return [(at, key) for at, key in db.session.execute(query)]

    def end(self, edge: Edge) -> Key | None:
        """Where looking from the edge on stopped, if that was before the end of the log."""
        rows = self._through(edge, asked.WINDOW + 1).with_only_columns(*PLACED).subquery()
        mine = rows.c.workspace_id == self.workspace_id
        query = select(rows.c.created_at, rows.c.id).where(mine).offset(asked.WINDOW - 1).limit(2)
        found = db.session.execute(
            query if is_sqlite() else query.order_by(*edge.order(rows.c.created_at, rows.c.id))
        ).all()
        return (found[0][0], found[0][1]) if len(found) > 1 else None

    def count(self) -> tuple[dict[Status, int], bool]:
        """How many of the newest rows there are in each state, and whether there may be more than were looked at."""
        looked_at: Any = self._through(TOP, COUNTED + 1)
        if all(test is self.source and test.is_exact for test in self.tests):  # then an index alone may tell
            looked_at = looked_at.with_only_columns(Delivery.id, Delivery.status, Delivery.workspace_id)
            rows = looked_at.subquery()
            query = select(rows.c.status, func.count()).where(rows.c.workspace_id == self.workspace_id)
            query = query.group_by(rows.c.status)
        else:
            d, fits = self._looked_at(looked_at)
            query = select(d.status, func.count()).where(*fits).group_by(d.status)
            rows = looked_at.with_only_columns(*PLACED).subquery()
        counts: dict[Status, int] = dict(db.session.execute(query).all())
        mine = rows.c.workspace_id == self.workspace_id
        if not self.tests or sum(counts.values()) > COUNTED:
            return counts, sum(counts.values()) > COUNTED
        return counts, db.session.scalar(select(rows.c.id).where(mine).offset(COUNTED).limit(1)) is not None

    def newer(self, key: Key) -> int:
        """How many rows are newer; UNSEEN + 1 when there are more than that."""
        return len(self.keys(UNSEEN + 1, Edge(key, goes_up=True)))

    def _looked_at(self, rows: Select[Any]) -> tuple[Any, list[ColumnElement[bool]]]:
        """The columns of these rows, and SQL by which they fit."""
        if is_sqlite():  # it would carry all columns along: it judges inside
            fits = and_(*self._asks(Delivery)).label("fits")
            c = rows.with_only_columns(*PLACED, Delivery.status, fits).subquery().c
            return c, [c.fits]
        d = aliased(Delivery, rows.subquery())
        return d, self._asks(d)

    def _asks(self, d: Any) -> list[ColumnElement[bool]]:
        return [d.workspace_id == self.workspace_id, *(test.holds(d) for test in self.tests)]

    def _rarest(self) -> Test | None:
        """Of the filters that an index answers the one with the fewest rows; None when the log itself has to do."""
        found = [test for test in self.tests if test.is_indexed]
        if len(found) < 2:
            return found[0] if found else None
        sizes = [select(func.count()).select_from(self._some(test)).scalar_subquery() for test in found]
        _, best = min(zip(db.session.execute(select(*sizes)).one(), range(len(found)), strict=True))
        return found[best]

    def _some(self, test: Test) -> Any:
        """Rows of its index, more than a page looks at if there are so many."""
        mentioned = select(Mention.delivery_id).where(one_of(Mention.contact_id, test.contacts))
        rows = mentioned if test.contacts else select(Delivery.id).where(*self._in_index(test))
        return rows.limit(asked.WINDOW + 1).subquery()

    def _in_index(self, test: Test | None) -> list[ColumnElement[bool]]:
        if test and test.key is not None:
            return [test.key]
        return [Delivery.workspace_id == self.workspace_id, *(test.index if test else ())]

    def _through(self, edge: Edge, limit: int) -> Select[Any]:
        """The rows that are looked at, in the order of the log."""
        contacts = self.source.contacts if self.source else ()
        if not contacts:
            rows = select(Delivery).where(*self._in_index(self.source))
            return self._from(rows, Delivery.created_at, Delivery.id, edge, limit)
        if len(contacts) == 1:
            rows = select(Delivery).join(Mention, Mention.delivery_id == Delivery.id)
            rows = rows.where(Mention.contact_id == contacts[0])
            return self._from(rows, Mention.created_at, Mention.delivery_id, edge, limit)
        keys: Any = select(Mention.created_at, Mention.delivery_id)
        keys = keys.where(one_of(Mention.contact_id, contacts)).distinct()
        found = self._from(keys, Mention.created_at, Mention.delivery_id, edge, limit).subquery()
        rows = select(Delivery).join(found, found.c.delivery_id == Delivery.id)
        return rows.order_by(*edge.order(found.c.created_at, found.c.delivery_id)).limit(limit)

    def _from(self, rows: Select[Any], at: Any, key: Any, edge: Edge, limit: int) -> Select[Any]:
        start, end = self.span or (None, None)
        within = [at >= start] if start else []
        within += [at < end] if end else []
        return rows.where(*within, *edge.holds(at, key)).order_by(*edge.order(at, key)).limit(limit)


def find(log: Log, place: Place) -> Page:
    """The page of the log at this place."""
    edge = place.edge
    keys = log.keys(PAGE + 1, edge)
    if edge.goes_up and len(keys) <= PAGE and not log.end(edge):
        return find(log, Place())  # what is newer fits on the first page
    is_full = len(keys) > PAGE
    stop = None if is_full else log.end(edge)
    keys = keys[:PAGE]
    last = keys[-1] if is_full else stop
    if edge.goes_up:
        return Page(load(keys[::-1]), older=written(keys[0] if keys else edge.key), newer=written(last))
    has_newer = place.older_than is not None
    newer = written(keys[0] if keys else edge.key) if has_newer else ""
    unseen = log.newer(place.upto) if place.upto else 0
    return Page(load(keys), written(last), newer, stop[0] if stop else None, unseen)


def load(keys: Sequence[Key]) -> list[Delivery]:
    """The deliveries that stand there, with what the log shows of them: bodies may be large and are not read."""
    query = select(Delivery).where(Delivery.id.in_([key for _, key in keys]))
    found = {one.id: one for one in db.session.scalars(query.options(defaultload(Delivery.event).defer(Event.body)))}
    return [found[key] for _, key in keys if key in found]


def count(workspace_id: uuid.UUID, filters: Filters, searched: Test | None = None) -> dict[Status | None, Count]:
    """How many deliveries there are in each state under the other filters; under None how many in all.

    Where they are too many to count, only what waits and what failed is still counted, each by itself.
    """
    others = filters.without("status")
    counts, has_more = (log := Log(workspace_id, others, searched)).count()
    if not has_more:
        found: dict[Status | None, Count] = {status: Count(counts.get(status, 0)) for status in Status}
        return found | {None: Count(sum(counts.values()))}
    found = {None: Count(min(sum(counts.values()), COUNTED), True)}
    for status in (Status.PENDING, Status.FAILED):
        one = replace(others, values={**others.values, "status": status})
        its, more = Log(workspace_id, one, log.searched).count()
        found[status] = Count(min(its.get(status, 0), COUNTED), more)
    return found


def pulse(workspace_id: uuid.UUID) -> list[tuple[Any, ...]]:
    """Facts that change whenever something in the log of the workspace does, by one query over an index."""
    status, state = (type_coerce(column, String()) for column in (Delivery.status, Webhook.state))
    changed = select(Delivery.id, Delivery.updated_at.label("at"), status.label("word"), literal(0).label("kind"))
    changed = changed.where(Delivery.workspace_id == workspace_id).order_by(Delivery.updated_at.desc()).limit(CHANGES)
    webhooks = select(Webhook.id, Webhook.probe_at, state, literal(1)).where(Webhook.workspace_id == workspace_id)
    return sorted((tuple(row) for row in db.session.execute(union_all(select(changed.subquery()), webhooks))), key=repr)


def changed_at(pulse: Sequence[tuple[Any, ...]]) -> datetime | None:
    """When a delivery that waits was changed last."""
    return max((at for _, at, word, kind in pulse if kind == 0 and word == Status.PENDING), default=None)


def key_of(delivery: Delivery) -> Key:
    """Where it stands in the log."""
    return delivery.created_at, delivery.id


def written(key: Key | None) -> str:
    """A place for an address: microseconds since 1970, as whole numbers lose nothing, and the row's id."""
    return f"{(key[0] - EPOCH) // timedelta(microseconds=1)}_{key[1]}" if key else ""


def _read(text: str) -> Key | None:
    at, _, key = text.partition("_")
    row = asked.as_uuid(key)
    try:
        return (EPOCH + timedelta(microseconds=int(at)), row) if row else None
    except (ValueError, OverflowError):
        return None
