"""The database and Flask's other extensions, made once and bound in `create_app`; date-times that are always UTC."""

import math
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import psycopg
from argon2 import PasswordHasher
from flask import current_app, has_request_context, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Connection, DateTime, Dialect, Engine, Enum, Float, MetaData, String, event, literal, text
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry, Pool
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from . import sqlite_writes

READING, WRITING, UNSYNCED = "portal_reading", "portal_writing", "portal_unsynced"
LEFT, IDLE_SECONDS = "portal_left", 1.0
"""When a connection was last used; after so long it is looked at before it is used again."""
WITHOUT_WAITING = text("SET LOCAL synchronous_commit TO OFF")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class UTCDateTime(TypeDecorator[datetime]):
    """A date-time that is UTC in the database and aware in Python; naive ones are refused: nobody knows their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive date-time: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


def moment(text: str) -> datetime:
    """A time with its zone, as an address names a place in a list. Raises ValueError when no row can have it."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None or not 1 < found.year < 9999:
        raise ValueError(text)
    return found.astimezone(UTC)


class db_now(FunctionElement[datetime]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, `seconds` from now: the one clock that all processes and machines share."""

    type = UTCDateTime()
    inherit_cache = True
    name = "db_now"

    def __init__(self, seconds: Any = 0) -> None:
        super().__init__(seconds if hasattr(seconds, "__clause_element__") else literal(float(seconds), Float))


@compiles(db_now, "sqlite")
def _sqlite_now(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds')"


@compiles(db_now, "postgresql")
def _postgresql_now(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    # Not now(), the time at which the transaction began; not clock_timestamp(), for which no index can be used.
    return f"(statement_timestamp() + ({compiler.process(element.clauses, **kw)}) * interval '1 second')"


class without_waiting(FunctionElement[str]):  # noqa: N801 - reads as the SQL function that it is
    """In RETURNING: what `commit_without_waiting` does, without a question of its own."""

    type = String()
    inherit_cache = True
    name = "without_waiting"


@compiles(without_waiting, "sqlite")
def _sqlite_without_waiting(_element: without_waiting, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "''"


@compiles(without_waiting, "postgresql")
def _postgresql_without_waiting(_element: without_waiting, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "set_config('synchronous_commit', 'off', true)"


def utcnow() -> datetime:
    """The local clock as an aware UTC date-time, for what people read; leases and schedules use `db_now`."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables: constraints have names, so that migrations can change them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UTCDateTime(),
        # Their values as plain text: a new word needs no change of a database type.
        StrEnum: Enum(StrEnum, native_enum=False, length=20, values_callable=lambda words: [w.value for w in words]),
    }


@event.listens_for(Engine, "do_connect")
def _choose_class(dialect: Dialect, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
    if dialect.name == "sqlite":
        options["factory"] = sqlite_writes.Connection


@event.listens_for(Engine, "connect")
def _prepare(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite_writes.Connection):
        connection.prepare()


@event.listens_for(Pool, "checkin")
def _note_when(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[LEFT] = time.monotonic()


@event.listens_for(Pool, "checkout")
def _look_whether_it_stands(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """What a server closed when it was restarted is found out before it is used. What was used a moment ago is not
    looked at: that would be one more question for each transaction."""
    idle = time.monotonic() - record.info.get(LEFT, math.inf)
    if isinstance(connection, psycopg.Connection) and idle > IDLE_SECONDS:
        try:
            connection.autocommit = True
            connection.execute(";")
            connection.autocommit = False
        except psycopg.Error as error:
            raise DisconnectionError from error


@event.listens_for(Engine, "handle_error")
def _say_nothing_of_rows(context: ExceptionContext) -> None:
    """Leave of a database's error its class and code: its text quotes what was to be saved, and tracebacks go to logs
    and to Redis. That there is no connection is told in full: then no row was spoken of."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", "")
    if wrapped is None or (not code and isinstance(error, psycopg.OperationalError)):
        return
    error.args = (code,)
    wrapped.args = (f"({type(error).__module__}.{type(error).__name__}) {code}",)


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: Connection) -> None:
    """Take SQLite's one write lock before the first read, unless this is a request or a transaction that only reads.

    A transaction that reads first and then writes fails at once when another one wrote in between.
    """
    if connection.dialect.name == "sqlite":
        options = connection.get_execution_options()
        looking = has_request_context() and request.method in SAFE_METHODS and not options.get(WRITING, False)
        reading = looking or options.get(READING, False)
        if reading:
            connection.exec_driver_sql("BEGIN")
        else:
            _begin_writing(connection)


def _begin_writing(connection: Connection) -> None:
    """Take the write lock; a request goes before work that nobody waits for."""
    sqlite = cast(sqlite_writes.Connection, connection.connection.driver_connection)
    is_synced = not connection.get_execution_options().get(UNSYNCED, False)
    if sqlite.begin_writing(is_awaited=has_request_context(), is_synced=is_synced):
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, so that SQLAlchemy says what is wrong


# Models derive from Base and not from db.Model, which is not typed; both share the metadata.
db = SQLAlchemy(metadata=Base.metadata)
csrf = CSRFProtect()
login = LoginManager()
# It would write into the cookie of whoever is not logged in, with each answer: one that is late would undo a log-in.
login.session_protection = None
limiter = Limiter(get_remote_address, headers_enabled=False, in_memory_fallback_enabled=True, swallow_errors=True)
hasher = PasswordHasher()  # argon2id with the library's current parameters


def begin_reading() -> None:
    """Begin a transaction that only reads, where one would write: on SQLite it leaves the one write lock to others."""
    db.session.connection(execution_options={READING: True})


def begin_writing() -> None:
    """Begin a new transaction, that writes although the request only looks."""
    db.session.rollback()
    db.session.connection(execution_options={WRITING: True})


def commit_without_waiting() -> None:
    """Let the commit of this transaction not wait for PostgreSQL's disk: a crash of the server may undo it."""
    if not is_sqlite():
        db.session.execute(WITHOUT_WAITING)


def begin_without_waiting() -> None:
    """The same for SQLite, which is told when a transaction begins; one that has begun is left as it is."""
    if is_sqlite() and not db.session().in_transaction():
        db.session.connection(execution_options={UNSYNCED: True})


def settle() -> None:
    """Return when all that anybody committed before is on SQLite's disk; PostgreSQL shows nothing before."""
    if is_sqlite():
        cast(sqlite_writes.Connection, db.session.connection().connection.driver_connection).settle()


def is_sqlite() -> bool:
    """Whether the running app stores its rows in SQLite."""
    return str(current_app.config["SQLALCHEMY_DATABASE_URI"]).startswith("sqlite")
