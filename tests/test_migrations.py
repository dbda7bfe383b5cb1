"""Migrations make the tables that the models describe, on both databases, from empty."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade

from portal import create_app
from portal.extensions import Base, db
from tests.conftest import settings


def test_from_empty_they_make_what_the_models_describe(fresh_database_url: str, tmp_path: Path) -> None:
    app = create_app(settings(fresh_database_url, "redis://127.0.0.1:1", tmp_path))
    with app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        downgrade(revision="base")
        with db.engine.connect() as connection:
            left = set(db.inspect(connection).get_table_names())
        assert left == {"alembic_version"}
        db.engine.dispose()
