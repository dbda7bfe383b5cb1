"""`among`: "one of these keys", and `each` of them, with the keys as one bound value, so that a statement is the same
for any number of them: SQLAlchemy renders it once, and PostgreSQL plans it once.
"""

import json
import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Dialect, TableValuedAlias, Text, bindparam, column
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Keys(TypeDecorator[Collection[Any]]):
    """Keys as an array, or as JSON where there are none."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(self.of) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Collection[Any] | None, dialect: Dialect) -> Any:
        keys = list(value or ())
        if dialect.name == "postgresql":
            return keys
        return json.dumps([key.hex if isinstance(key, uuid.UUID) else key for key in keys])


class _Among(FunctionElement[bool]):
    type = Boolean()
    inherit_cache = True
    name = "among"

    def self_group(self, against: Any = None) -> "_Among":
        """It is a condition as it stands: compared with 1, as SQLAlchemy would, no index of SQLite's is used."""
        return self


class _Each(FunctionElement[Any]):
    inherit_cache = True
    name = "each"


def among(column: Any, name: str) -> ColumnElement[bool]:
    """SQL: the column is one of the keys that are bound by this name when the statement is executed."""
    return _Among(column, bindparam(name, type_=_Keys(column.type)))


def one_of(column: Any, keys: Collection[Any]) -> ColumnElement[bool]:
    """SQL: the column is one of these keys."""
    return _Among(column, bindparam("keys", keys, type_=_Keys(column.type), unique=True))


def each(name: str, of: TypeEngine[Any]) -> TableValuedAlias:
    """SQL: a table of the keys that are bound by this name when the statement is executed, with one column, `value`."""
    return _Each(bindparam(name, type_=_Keys(of))).table_valued(column("value", of), name=name)


@compiles(_Each, "postgresql")
def _postgresql_each(element: _Each, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.clauses, **kw)}) AS value)"


@compiles(_Each, "sqlite")
def _sqlite_each(element: _Each, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kw)})"


@compiles(_Among, "postgresql")
def _postgresql_among(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = (compiler.process(part, **kw) for part in element.clauses)
    return f"({column} = ANY ({keys}))"


@compiles(_Among, "sqlite")
def _sqlite_among(element: _Among, compiler: SQLCompiler, **kw: Any) -> str:
    column, keys = (compiler.process(part, **kw) for part in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({keys})))"  # noqa: S608 - both are rendered by SQLAlchemy
