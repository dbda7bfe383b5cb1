"""A new key for what is sealed: all of it is sealed anew, in slices, as often as one likes; and a start with keys that
open nothing is refused."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Table, literal, select, tuple_, update
from sqlalchemy.exc import SQLAlchemyError

from . import sealing
from .config import ConfigError
from .extensions import Base, begin_reading, db

SLICE = 200
"""Rows of one transaction: nobody waits long for what it locks."""
LOOKED_AT = 10_000
"""Rows of each column that a start looks at: a fraction of a second."""
ANEW, NEWEST, LOST = "sealed anew", "newest already", "not readable"


def sealed_columns() -> list[tuple[Table, Column[Any]]]:
    """Every column of the database that holds what was sealed."""
    columns = ((table, column) for table in Base.metadata.sorted_tables for column in table.columns)
    return [(table, column) for table, column in columns if isinstance(column.type, sealing.Sealed)]


def rotate() -> dict[str, Counter[str]]:
    """Seal everything with the newest key; how much of each column was done. Commits slice by slice."""
    return {f"{table.name}.{column.name}": sum(_slices(table, column), Counter()) for table, column in sealed_columns()}


def refuse_wrong_keys() -> None:
    """Raise ConfigError when something stored opens with none of the keys. Without tables there is nothing to open."""
    db.session.rollback()
    try:
        begin_reading()
        lost = {f"{table.name}.{column.name}": _count_lost(column) for table, column in sealed_columns()}
    except SQLAlchemyError:  # whoever needs the database says that it is away
        return
    finally:
        db.session.rollback()
    if count := sum(lost.values()):
        where = next(name for name, its in lost.items() if its)
        raise ConfigError(
            f"PORTAL_KEYS opens {count} of the stored secrets no more ({where}). Add the key that sealed them"
            " behind the newest; without PORTAL_KEYS it is made from SECRET_KEY."
        )


def _count_lost(column: Column[Any]) -> int:
    stored = db.session.scalars(select(column).where(column.is_not(None)).limit(LOOKED_AT))
    return sum(not sealing.opens(blob) for blob in stored)


def _slices(table: Table, column: Column[Any]) -> Iterator[Counter[str]]:
    after: Sequence[Any] = ()
    keys = list(table.primary_key)
    while True:
        query = select(column, *keys).where(column.is_not(None)).order_by(*keys).limit(SLICE).with_for_update()
        if after:
            edge = tuple_(*(literal(value, key.type) for key, value in zip(keys, after, strict=True)))
            query = query.where(tuple_(*keys) > edge)
        rows = db.session.execute(query).all()
        yield Counter(_seal_anew(table, column, row) for row in rows)
        db.session.commit()
        if len(rows) < SLICE:
            return
        after = rows[-1][1:]


def _seal_anew(table: Table, column: Column[Any], row: Any) -> str:
    blob, *keys = row
    if sealing.is_newest(blob):
        return NEWEST
    if not sealing.opens(blob):
        return LOST
    same = [key == value for key, value in zip(table.primary_key, keys, strict=True)]
    db.session.execute(update(table).where(*same).values({column.name: sealing.seal(sealing.unseal(blob))}))
    return ANEW
