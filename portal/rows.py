"""Many rows as one value: `given` for statements that write them all, `together` for those that read them along."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Dialect, Text, bindparam, cast, column, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeDecorator, TypeEngine

ROWS = "rows"


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
