"""How Alembic reaches the portal's database; `flask db` runs it inside the app."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from flask import current_app
from sqlalchemy import Connection, Enum

from portal.extensions import Base, UTCDateTime, db, is_sqlite


def plain(kind: str, item: object, _context: object) -> str | bool:
    """Write our own types as what the database sees, so that old migrations don't depend on today's code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


@contextmanager
def tables_may_be_copied(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by copying and dropping it, which foreign keys that point at it would forbid.

    They can't be switched off inside a transaction: hence the driver's own connection, which has none yet.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    yield
    dangling = driver.execute("PRAGMA foreign_key_check").fetchall()
    driver.execute("PRAGMA foreign_keys = ON")
    if dangling:
        raise RuntimeError(f"rows whose foreign key points nowhere: {dangling[:5]}")


def run(connection: Connection) -> None:
    """Run the migrations in one transaction each."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        render_item=plain,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


with db.engine.connect() as connection:
    if is_sqlite():
        with tables_may_be_copied(connection):
            run(connection)
    else:
        run(connection)
