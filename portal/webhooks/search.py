"""The delivery log as it is asked for: filters, free search and keyset pages, all of them written in the address."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, Select, Uuid, and_, exists, false, func, literal, or_, select, tuple_
from sqlalchemy.orm import defaultload

from ..extensions import UTCDateTime, db
from .models import Delivery, Event, EventType, Status, Subject, Webhook

PAGE = 50
MAX_QUERY = 200
"""Characters of a search that are looked at."""
LOG_ORDER = (Delivery.created_at.desc(), Delivery.id.desc())

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; None or "" where it does not care. An id that is none finds nothing."""

    status: Status | None = None
    event: EventType | None = None
    webhook: str = ""
    contact: str = ""
    q: str = ""

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address."""
        text = {name: args.get(name, "").replace("\0", "").strip()[:MAX_QUERY] for name in ("webhook", "contact", "q")}
        return cls(_word(Status, args.get("status")), _word(EventType, args.get("event")), **text)

    def without(self, *names: str) -> Self:
        """The same filters with some of them taken off."""
        nothing: dict[str, Any] = {name: type(self).__dataclass_fields__[name].default for name in names}
        return replace(self, **nothing)

    def address(self, **others: Any) -> dict[str, Any]:
        """The parameters of the address that asks for this, and for `others` besides."""
        own = {name: getattr(self, name) for name in ("status", "event", "webhook", "contact", "q")}
        return {name: value for name, value in (own | others).items() if value}

    def conditions(self) -> list[ColumnElement[bool]]:
        """The filters as SQL over Delivery."""
        found = []
        if self.status:
            found.append(Delivery.status == self.status)
        if self.event:
            found.append(Delivery.event.has(type=self.event))
        if self.webhook:
            found.append(_equals(Delivery.webhook_id, self.webhook))
        if self.contact:
            key = _uuid(self.contact)
            found.append(_about(Subject.contact_id == key) if key else false())
        return [*found, self._search()] if self.q else found

    def _search(self) -> ColumnElement[bool]:
        if self.q.startswith("msg_"):
            return Delivery.event_id == self.q
        if key := _uuid(self.q):
            return or_(Delivery.id == key, _about(Subject.contact_id == key))
        return _about(or_(Subject.label.icontains(self.q, autoescape=True), Subject.number == self.q))


@dataclass(frozen=True, slots=True)
class Place:
    """Between which rows a page begins: before (older than) or after (newer than) a row, or at the top."""

    older_than: str = ""
    newer_than: str = ""

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address; what is no place is the top."""
        written = (args.get(name, "") for name in ("before", "after"))
        return cls(*(text if _cursor(text) is not None else "" for text in written))

    @property
    def is_top(self) -> bool:
        return not self.older_than and not self.newer_than


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the log, newest first, and the `before` and `after` of the addresses of its neighbours."""

    rows: Sequence[Delivery]
    older: str = ""
    newer: str = ""


def find(own: Select[Any], filters: Filters, place: Place) -> Page:
    """The page of the log at this place; `own` selects the workspace's deliveries."""
    # Bodies may be large and the log does not show them.
    query = own.where(*filters.conditions()).options(defaultload(Delivery.event).defer(Event.body))
    if (cursor := _cursor(place.newer_than)) is not None:
        nearest = query.where(_key() > cursor).order_by(Delivery.created_at, Delivery.id).limit(PAGE + 1)
        rows = list(db.session.scalars(nearest))
        if len(rows) > PAGE:
            return _page(rows[PAGE - 1 :: -1], has_older=True, has_newer=True)
        place = Place()  # what is newer fits on the first page
    if (cursor := _cursor(place.older_than)) is not None:
        query = query.where(_key() < cursor)
    rows = list(db.session.scalars(query.order_by(*LOG_ORDER).limit(PAGE + 1)))
    return _page(rows[:PAGE], has_older=len(rows) > PAGE, has_newer=not place.is_top)


def count(workspace_id: uuid.UUID, filters: Filters) -> dict[Status | None, int]:
    """How many deliveries there are in each state under the other filters; under None how many in all."""
    conditions = filters.without("status").conditions()
    query = select(Delivery.status, func.count()).where(Delivery.workspace_id == workspace_id, *conditions)
    counts: dict[Status | None, int] = dict(db.session.execute(query.group_by(Delivery.status)).all())
    return counts | {None: sum(counts.values())}


def top(workspace_id: uuid.UUID, filters: Filters) -> list[tuple[Any, ...]]:
    """Facts that change whenever the first page does, status and time of change first; one query over an index."""
    latest = select(func.max(Delivery.updated_at)).where(Delivery.workspace_id == workspace_id).scalar_subquery()
    query = (
        select(Delivery.status, Delivery.updated_at, Delivery.id, Webhook.state, Webhook.probe_at, latest)
        .join(Delivery.webhook)
        .where(Delivery.workspace_id == workspace_id, *filters.conditions())
    )
    return [tuple(row) for row in db.session.execute(query.order_by(*LOG_ORDER).limit(PAGE))]


def _page(rows: Sequence[Delivery], has_older: bool, has_newer: bool) -> Page:
    older = _written(rows[-1]) if rows and has_older else ""
    newer = _written(rows[0]) if rows and has_newer else ""
    return Page(rows, older, newer)


def _key() -> Any:
    return tuple_(Delivery.created_at, Delivery.id)


def _written(delivery: Delivery) -> str:
    return f"{delivery.created_at.timestamp():.6f}_{delivery.id}"


def _cursor(text: str) -> Any:
    """A written place as a SQL tuple to compare with; None when it is none."""
    at, _, key = text.partition("_")
    row = _uuid(key)
    try:
        return tuple_(literal(_moment(at), UTCDateTime()), literal(row, Uuid())) if row else None
    except (ValueError, OverflowError, OSError):
        return None


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def _about(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(and_(Subject.event_id == Delivery.event_id, condition))


def _equals(column: Any, text: str) -> ColumnElement[bool]:
    key = _uuid(text)
    return column == key if key else false()


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _word(words: type[Word], text: str | None) -> Word | None:
    return next((word for word in words if word.value == text), None)
