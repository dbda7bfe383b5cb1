"""The filters of the list, as its address asks for them: `f=city.is.Paris`.

One that asks for what is not there (any more), such as a deleted tag, holds for nobody: left out, it would make "all
that match" everybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, literal, or_, select

from ..extensions import UTCDateTime
from .columns import EMPTY, FILLED, OPERATORS, WITHOUT_VALUE, Column, Kind, own_id
from .keys import normal_email, normal_phone, sortable
from .models import Contact, contact_tag

MOST = 20
"""Filters of one address."""
LONGEST = 200
FOLDED = {
    "name_key": sortable, "company_key": sortable, "stage_key": sortable, "email_key": normal_email,
    "phone_key": normal_phone,
}  # fmt: skip
"""How a value is looked for in an index; as it is where nothing is said."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Filter:
    """A question about one fact: an operator of its kind, and the value that it is held against."""

    column: Column
    operator: str
    value: str

    @property
    def address(self) -> str:
        return ".".join([self.column.name, self.operator, *([self.value] if self.value else [])])

    @property
    def label(self) -> str:
        """What its fact is called."""
        return self.column.label

    @property
    def words(self) -> str:
        """What it asks, without its fact: "is Customer"."""
        value = self.column.choices.get(self.value, self.value)
        return f"{OPERATORS[self.column.kind][self.operator]} {value}".strip()

    def holds(self, c: Any) -> ColumnElement[bool]:
        """SQL over a contact: it is so."""
        if self.column.kind == Kind.TAGS and not self.column.has:
            return self._tagged(c)
        value = self.column.value(c)
        if self.operator in WITHOUT_VALUE:
            is_empty = (
                value.is_(None) if self.column.kind in (Kind.DATE, Kind.NUMBER) else or_(value.is_(None), value == "")
            )
            found: ColumnElement[bool] = is_empty if self.operator == EMPTY else ~is_empty
            return found
        if self.column.kind == Kind.DATE:
            return self._dated(value)
        compared: ColumnElement[bool] = self._compared(value)
        return compared

    def few(self, workspace_id: Any) -> Select[Any] | None:
        """The ids of the contacts of which an index knows that it may be so; None where it takes a look at each."""
        mine = select(Contact.id).where(Contact.workspace_id == workspace_id)
        if self.column.kind == Kind.TAGS and self.operator == "is" and not self.column.has:
            return mine.join(contact_tag).where(contact_tag.c.tag_id == own_id(self.value))
        if not self.column.key or self.operator not in ("is", "on", "before", "after"):
            return None
        key = getattr(Contact, self.column.key)
        if self.column.kind == Kind.DATE:
            return mine.where(self._dated(key))
        return mine.where(key == FOLDED.get(self.column.key, str)(self.value))

    def _tagged(self, c: Any) -> ColumnElement[bool]:
        carried = exists().where(contact_tag.c.contact_id == c.id)
        if self.operator not in WITHOUT_VALUE:
            carried = carried.where(contact_tag.c.tag_id == own_id(self.value))
        return carried if self.operator in ("is", FILLED) else ~carried

    def _dated(self, value: Any) -> ColumnElement[bool]:
        start = datetime.fromisoformat(self.value).replace(tzinfo=UTC)
        first, next_day = (self._moment(one) for one in (start, start + DAY))
        if self.operator == "before":
            return value < first  # type: ignore[no-any-return]
        return value >= next_day if self.operator == "after" else and_(value >= first, value < next_day)

    def _moment(self, at: datetime) -> Any:
        return at.date().isoformat() if self.column.is_day else literal(at, UTCDateTime())

    def _compared(self, value: Any) -> Any:
        if self.column.has:
            has = self.column.has(value, self.value)
            return has if self.operator == "is" else or_(value.is_(None), ~has)
        if self.column.kind == Kind.FLAG:
            return value.is_(True) if self.value == "yes" else or_(value.is_(False), value.is_(None))
        if self.column.kind == Kind.NUMBER:
            number = float(self.value)
            return {"is": value == number, "above": value > number, "below": value < number}[self.operator]
        if self.column.kind == Kind.CHOICE:
            return value == self.value if self.operator == "is" else func.coalesce(value, "") != self.value
        if self.operator == "contains":
            return value.icontains(self._typed(), autoescape=True)
        text = func.lower(func.coalesce(value, ""))
        return text == self._typed() if self.operator == "is" else text != self._typed()

    def _typed(self) -> str:
        """As the column says it: names are kept folded."""
        return sortable(self.value) if self.column.name == "name" else self.value.lower()


@dataclass(frozen=True, slots=True)
class Lost:
    """A question about what is not there (any more): nobody is an answer to it. `address` is how it was asked."""

    address: str
    label: str
    words: str = "asks for what was deleted"

    def holds(self, _c: Any) -> ColumnElement[bool]:
        """SQL over a contact: never."""
        return false()

    def few(self, _workspace_id: Any) -> Select[Any]:
        """Nobody's id, for which no index is needed."""
        return select(Contact.id).where(false())


def read(texts: Iterable[str], columns: Mapping[str, Column]) -> tuple[Filter | Lost, ...]:
    """The filters that an address asks for, each once."""
    found = (_asked(text, columns) for text in (one.replace("\0", "") for one in texts) if text)
    return tuple({one.address: one for one in found}.values())[:MOST]


def _asked(text: str, columns: Mapping[str, Column]) -> Filter | Lost:
    column = columns.get(text.partition(".")[0])
    lost = Lost(text[: 2 * LONGEST], column.label if column else "A field")
    return made(*text.split(".", 2), columns=columns) or lost


def made(name: str, operator: str = "", value: str = "", *, columns: Mapping[str, Column]) -> Filter | None:
    """The filter of these words; None when they are none."""
    column, value = columns.get(name), value.replace("\0", "").strip()[:LONGEST]
    if not column or operator not in OPERATORS[column.kind]:
        return None
    if operator in WITHOUT_VALUE:
        return Filter(column, operator, "")
    return Filter(column, operator, value) if _fits(column, value) else None


def _fits(column: Column, value: str) -> bool:
    if column.choices or column.kind in (Kind.TAGS, Kind.CHOICE):
        return value in column.choices
    try:
        if column.kind == Kind.DATE:
            return 1 < datetime.fromisoformat(value).year < 9999
        if column.kind == Kind.NUMBER:
            return abs(float(value)) < 1e300
    except ValueError:
        return False
    return bool(value)
