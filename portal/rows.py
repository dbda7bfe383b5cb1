"""Many rows as one value: `insert_many` and `given` for statements that write them all, `together` for those that read
them along. `ready` makes most of the work of writing before a lock is held."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from sqlalchemy import JSON, ColumnElement, Dialect, LargeBinary, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeDecorator, TypeEngine

from .among import among
from .extensions import db, is_sqlite

ROWS = "rows"
Insert = postgresql.Insert | sqlite.Insert
Refine = Callable[[Insert], Insert]


class _Rows(TypeDecorator[Sequence[Mapping[str, Any]]]):
    """Rows as JSON, with values as PostgreSQL reads them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Mapping[str, Any]] | str | None, dialect: Dialect) -> str:
        return value if isinstance(value, str) else _written(value)


def given(**types: TypeEngine[Any]) -> TableValuedAlias:
    """PostgreSQL: a table of these columns, whose rows are bound as `rows` when the statement is executed."""
    bound = cast(bindparam(ROWS, type_=_Rows()), JSON)
    columns = [column(name, kind) for name, kind in types.items()]
    return func.json_to_recordset(bound).table_valued(*columns).render_derived("given", with_types=True)


@dataclass(frozen=True, slots=True)
class Ready:
    """Rows to insert, as the database takes them."""

    statement: Insert | str
    values: Any


def ready(
    table: Table, rows: Sequence[Mapping[str, Any]], refine: Refine = lambda new: new, **computed: ColumnElement[Any]
) -> Ready | None:
    """Rows that all say the same columns, and the same `computed` by SQL without values, for one statement; `refine`
    adds to it what shall happen to rows that are there. None when there are none.

    PostgreSQL gets all rows as one value, and SQLite as it stores them: to hand over thousands one by one takes several
    times as long as to write them.
    """
    if not rows:
        return None
    if not is_sqlite():
        return Ready(refine(_from_one_value(table, rows, computed)), {ROWS: _written(rows)})
    compiled = _compiled(table, tuple(rows[0]), refine, **computed)
    columns = [_stored(compiled, name, rows) for name in compiled.positiontup or ()]
    return Ready(compiled.string, list(zip(*columns, strict=True)))


def insert(made: Ready | None) -> None:
    """Insert rows that were made ready."""
    if made is None:
        return
    if isinstance(made.statement, str):
        db.session.connection().exec_driver_sql(made.statement, made.values)
    else:
        db.session.execute(made.statement, made.values)


def insert_many(
    table: Table, rows: Sequence[Mapping[str, Any]], refine: Refine = lambda new: new, **computed: ColumnElement[Any]
) -> None:
    """Insert rows; see `ready`."""
    insert(ready(table, rows, refine, **computed))


def insert_new(table: Table, made: Ready | None, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Insert rows with these ids, of which some may be left out; returns the ids of those that were inserted."""
    insert(made)
    return set(db.session.scalars(select(table.c.id).where(among(table.c.id, "keys")), {"keys": ids}))


def _from_one_value(
    table: Table, rows: Sequence[Mapping[str, Any]], computed: Mapping[str, ColumnElement[Any]]
) -> postgresql.Insert:
    names = list(rows[0])
    chosen = select(given(**{name: table.c[name].type for name in names}), *computed.values())
    return postgresql.insert(table).from_select([*names, *computed], chosen)


_known: dict[tuple[Any, ...], SQLCompiler] = {}


def _compiled(table: Table, names: tuple[str, ...], refine: Refine, **computed: ColumnElement[Any]) -> SQLCompiler:
    """The statement for SQLite, rendered once."""
    key = table, names, refine, tuple(computed)
    if key not in _known:
        new = refine(sqlite.insert(table).values(computed))
        _known[key] = new.compile(dialect=db.engine.dialect, column_keys=list(names))
    return _known[key]


def _stored(compiled: SQLCompiler, name: str, rows: Sequence[Mapping[str, Any]]) -> Iterable[Any]:
    """A column of all rows as SQLite stores it: what they say, else its default, else what the statement says."""
    bound, default = compiled.binds[name], {one.key: one.default for one in compiled.insert_prefetch}.get(name)
    process = bound.type.dialect_impl(compiled.dialect).bind_processor(compiled.dialect) or _as_it_is
    if name in rows[0]:
        column = [row[name] for row in rows]
        return column if isinstance(bound.type, LargeBinary) else map(process, column)
    if default is None:
        return repeat(process(bound.value), len(rows))
    made: Any = default
    return repeat(process(made.arg), len(rows)) if made.is_scalar else [process(made.arg(None)) for _ in rows]


def _as_it_is(value: Any) -> Any:
    return value


def _written(rows: Sequence[Mapping[str, Any]] | None) -> str:
    return json.dumps(rows, default=_text)


def _text(value: bytes | datetime | uuid.UUID) -> str:
    match value:
        case bytes():
            return f"\\x{value.hex()}"
        case datetime():
            return value.isoformat()
        case uuid.UUID():
            return str(value)


class together(FunctionElement[list[Any]]):  # noqa: N801 - reads as the SQL function that it is
    """The values of a JSON column, of all rows of a group, as one JSON array."""

    type = JSON()
    inherit_cache = True
    name = "together"


@compiles(together, "postgresql")
def _postgresql_together(element: together, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_agg({compiler.process(element.clauses, **kw)})"


@compiles(together, "sqlite")
def _sqlite_together(element: together, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_group_array(json({compiler.process(element.clauses, **kw)}))"
