"""Many rows as one value: `insert_many` and `given` for statements that write them all, `together` for those that read
them along."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, Dialect, Result, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeDecorator, TypeEngine

from .extensions import db, is_sqlite

ROWS = "rows"
Insert = postgresql.Insert | sqlite.Insert


class _Rows(TypeDecorator[Sequence[Mapping[str, Any]]]):
    """Rows as JSON, with values as PostgreSQL reads them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[Mapping[str, Any]] | None, dialect: Dialect) -> str:
        return json.dumps(value, default=_text)


def given(**types: TypeEngine[Any]) -> TableValuedAlias:
    """PostgreSQL: a table of these columns, whose rows are bound as `rows` when the statement is executed."""
    bound = cast(bindparam(ROWS, type_=_Rows()), JSON)
    columns = [column(name, kind) for name, kind in types.items()]
    return func.json_to_recordset(bound).table_valued(*columns).render_derived("given", with_types=True)


def insert_many(
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    refine: Callable[[Insert], Insert | ReturningInsert[Any]] = lambda new: new,
    **computed: ColumnElement[Any],
) -> Result[Any] | None:
    """Insert rows that all say the same columns, and the same `computed` by SQL, with one statement; `refine` adds to
    it what shall happen to rows that are there, or what is returned. PostgreSQL gets all rows as one value: to hand
    over thousands one by one takes several times as long as to write them."""
    if not rows:
        return None
    if is_sqlite():
        return db.session.execute(refine(sqlite.insert(table).values(computed)), rows)
    names = list(rows[0])
    chosen = select(given(**{name: table.c[name].type for name in names}), *computed.values())
    new = postgresql.insert(table).from_select([*names, *computed], chosen)
    return db.session.execute(refine(new), {ROWS: rows})


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
