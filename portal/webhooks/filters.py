"""The filters of the delivery log, as an address says them: what each asks of a row, and which index finds such rows.

What says nothing that is known finds nothing, so that a typing mistake never looks like the whole log.
"""

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, and_, case, func, literal, select, text

from ..among import one_of
from ..extensions import db, utcnow
from . import words
from .log_models import Mention
from .models import Delivery, EventType, State, Status, Subject, Trigger, Webhook
from .outbound import Failure

NAMES = (
    "status", "event", "webhook", "contact", "result", "trigger", "attempt", "slower", "next", "since", "from", "to",
    "q",
)  # fmt: skip
LONGEST = 200
"""Characters of a parameter that are looked at."""
WINDOW = 3_000
"""Rows that one page looks at, at most; then it says how far it has come."""
MANY = 200
"""Contacts that a search follows one by one; with more it goes through the log and asks of each row."""
SINCE = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
CLASSES = {f"{n}xx": (n * 100, n * 100 + 99) for n in (2, 3, 4, 5)}
SLOW_MS = 1000
"""What `ix_delivery_log_slow` calls slow."""

Word = TypeVar("Word", bound=StrEnum)
Holds = Callable[[Any], ColumnElement[bool]]
"""SQL over a Delivery, or over an alias of it."""


@dataclass(frozen=True, slots=True)
class Test:
    """What a filter asks of a row. `index` is what the workspace's rows in some index have in common, `key` the same
    of an index that is not by workspace, `contacts` are those whose own pages of the log have the rows.
    """

    holds: Holds
    index: tuple[ColumnElement[bool], ...] = ()
    key: ColumnElement[bool] | None = None
    contacts: tuple[uuid.UUID, ...] = ()
    is_exact: bool = False
    """Whether all that is found by these is what is asked for."""

    @property
    def is_indexed(self) -> bool:
        """Whether its rows are found without going through the log."""
        return bool(self.index or self.contacts) or self.key is not None


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for, by the names of its parameters; "" where it does not care."""

    values: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        """Read the parameters of an address."""
        texts = {name: args.get(name, "").replace("\0", "").strip()[:LONGEST] for name in NAMES}
        return cls({name: value for name, value in texts.items() if value})

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def without(self, *names: str) -> Self:
        """The same filters with some of them taken off."""
        return type(self)({name: value for name, value in self.values.items() if name not in names})

    def address(self, **others: Any) -> dict[str, Any]:
        """The parameters of the address that asks for this, and for `others` besides."""
        return {name: value for name, value in (dict(self.values) | others).items() if value}

    def tests(self) -> list[Test]:
        """What the filters ask of rows, but for their time and the search."""
        found = [_READERS[name](value) for name, value in self.values.items() if name in _READERS]
        tests = [test or NOTHING for test in found]
        return [*tests, _contact(self["contact"])] if self["contact"] else tests

    def search(self, workspace_id: uuid.UUID) -> Test | None:
        """What the search asks of rows: it looks at the workspace's words. None where nothing is searched for."""
        return _search(workspace_id, self["q"]) if self["q"] else None

    def conditions(self, workspace_id: uuid.UUID) -> list[ColumnElement[bool]]:
        """The filters as SQL over Delivery."""
        span = self.span()
        if span is None:
            return [_nothing(Delivery)]
        within = [Delivery.created_at >= span[0]] if span[0] else []
        within += [Delivery.created_at < span[1]] if span[1] else []
        searched = self.search(workspace_id)
        return [*within, *(test.holds(Delivery) for test in (*self.tests(), *([searched] if searched else [])))]

    def frozen(self) -> Self:
        """The same, with times that do not move on: "the last hour" is the hour up to now."""
        if self["since"] not in SINCE:
            return self
        start, _ = self.span() or (None, None)
        return type(self)({**self.without("since").values, "from": start.isoformat()}) if start else self

    def span(self) -> tuple[datetime | None, datetime | None] | None:
        """From when to when; None when it says a time that is none."""
        start, end = _moment(self["from"]), _moment(self["to"])
        if (self["from"] and not start) or (self["to"] and not end):
            return None
        if self["since"]:
            if self["since"] not in SINCE:
                return None
            start = max(start or utcnow() - SINCE[self["since"]], utcnow() - SINCE[self["since"]])
        return start, end


def _nothing(_: Any) -> ColumnElement[bool]:
    return literal(1) == literal(0)


NOTHING = Test(_nothing)


def _status(value: str) -> Test | None:
    status = _word(Status, value)
    if not status:
        return None
    rare = (_as_in("status <> 'succeeded'"), Delivery.status == status) if status != Status.SUCCEEDED else ()
    return Test(lambda d: d.status == status, rare, is_exact=bool(rare))


def _event(value: str) -> Test | None:
    kind = _word(EventType, value)
    return Test(lambda d: d.event_type == kind, (Delivery.event_type == kind,), is_exact=True) if kind else None


def _webhook(value: str) -> Test | None:
    key = as_uuid(value)
    return Test(lambda d: d.webhook_id == key, key=Delivery.webhook_id == key) if key else None


def _contact(value: str) -> Test:
    key = as_uuid(value)
    return _about(key) if key else NOTHING


def _result(value: str) -> Test | None:
    failed = _as_in("last_failure IS NOT NULL")
    if value in CLASSES:
        low, high = CLASSES[value]
        return Test(lambda d: d.last_status.between(low, high), () if value == "2xx" else (failed,))
    if re.fullmatch(r"[1-9]\d\d", value, re.ASCII):
        code = int(value)
        return Test(lambda d: d.last_status == code, () if code < 300 else (failed, Delivery.last_status == code))
    failure = _word(Failure, value)
    index = (failed, Delivery.last_failure == failure)
    return Test(lambda d: d.last_failure == failure, index, is_exact=True) if failure else None


def _trigger(value: str) -> Test | None:
    trigger = _word(Trigger, value)
    special = _as_in("trigger <> 'automatic' OR last_trigger <> 'automatic'")
    return (
        Test(lambda d: _shown_trigger(d) == trigger, () if trigger == Trigger.AUTOMATIC else (special,))
        if trigger
        else None
    )


def _attempt(value: str) -> Test | None:
    again = (_as_in("attempts > 1"),)
    if value == "first":
        return Test(lambda d: d.attempts == 1)
    if value == "retried":
        return Test(lambda d: d.attempts > 1, again, is_exact=True)
    if not re.fullmatch(r"[1-9]\d{0,3}", value, re.ASCII):
        return None
    return Test(lambda d: d.attempts >= int(value), again if int(value) > 1 else ())


def _slower(value: str) -> Test | None:
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", value, re.ASCII):
        return None
    milliseconds = float(value) * 1000
    slow = (_as_in("last_duration_ms >= 1000"),) if milliseconds >= SLOW_MS else ()
    return Test(lambda d: d.last_duration_ms > milliseconds, slow)


def _next(value: str) -> Test | None:
    found: dict[str, Holds] = {
        "retry": lambda d: and_(d.attempts > 0, d.due_at.is_not(None), _is_active(d)),
        "behind": lambda d: and_(d.due_at.is_(None), _is_active(d)),
        "held": lambda d: ~_is_active(d),
    }
    if value not in found:
        return None
    pending = (_as_in("status <> 'succeeded'"), Delivery.status == Status.PENDING)
    return Test(lambda d: and_(d.status == Status.PENDING, found[value](d)), pending)


_READERS: dict[str, Callable[[str], Test | None]] = {
    "status": _status,
    "event": _event,
    "webhook": _webhook,
    "result": _result,
    "trigger": _trigger,
    "attempt": _attempt,
    "slower": _slower,
    "next": _next,
}


def _search(workspace_id: uuid.UUID, q: str) -> Test:
    """The deliveries of an event, or one by its id, or those of the contacts that are or were known by these words."""
    if q.startswith("msg_"):
        return Test(lambda d: d.event_id == q, key=Delivery.event_id == q)
    if key := as_uuid(q):
        mine = select(Delivery.id).where(Delivery.id == key, Delivery.workspace_id == workspace_id)
        is_one = db.session.scalar(mine) is not None
        return Test(lambda d: d.id == key, key=Delivery.id == key) if is_one else _contact(q)
    beginnings = words.asked(q)
    if not beginnings:
        return NOTHING
    found = words.contacts(workspace_id, beginnings, MANY, WINDOW)
    if found is None:
        return Test(lambda d: _has_subject(d, words.known_by(Subject.contact_id, beginnings)))
    about = _about(*found) if found else NOTHING
    # The pages of several contacts have to be sorted into one: of many deliveries that takes longer than looking.
    return Test(about.holds) if len(found) > 1 and _is_much(found) else about


def _is_much(keys: Sequence[uuid.UUID]) -> bool:
    """Whether more deliveries tell of these contacts than a page looks at."""
    told = select(Mention.delivery_id).where(one_of(Mention.contact_id, keys)).offset(WINDOW).limit(1)
    return db.session.scalar(told) is not None


def _about(*keys: uuid.UUID) -> Test:
    return Test(lambda d: _has_subject(d, one_of(Subject.contact_id, keys)), contacts=keys)


def _has_subject(d: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(1).where(Subject.event_id == d.event_id, condition).correlate(d).exists()


def _shown_trigger(d: Any) -> ColumnElement[Any]:
    """What the column says: of the next attempt, or of the last one when there is none."""
    return case((d.status == Status.PENDING, d.trigger), else_=func.coalesce(d.last_trigger, d.trigger))


def _is_active(d: Any) -> ColumnElement[bool]:
    return select(1).where(Webhook.id == d.webhook_id, Webhook.state == State.ACTIVE).correlate(d).exists()


def _as_in(index: str) -> ColumnElement[bool]:
    """The condition of a partial index, in its own words: by them the database knows it again."""
    return text(f"({index})")  # type: ignore[return-value]


def _moment(value: str) -> datetime | None:
    """A time as a browser's field writes it; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_uuid(text: str) -> uuid.UUID | None:
    """The id that a text says, if any."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _word(kinds: type[Word], value: str) -> Word | None:
    return next((kind for kind in kinds if kind.value == value), None)
