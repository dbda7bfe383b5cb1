"""How Alembic reaches the portal's database; `flask db` runs it inside the app."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection, Enum

from portal.extensions import Base, UTCDateTime, db


def plain(kind: str, item: object, _context: object) -> str | bool:
    """Write our own types as what the database sees, so that old migrations don't depend on today's code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


def run(connection: Connection) -> None:
    """Run the migrations in one transaction each; SQLite alters a table by copying it."""
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
    run(connection)
