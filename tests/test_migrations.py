"""Migrations make the tables that the models describe, on both databases, from empty and from the version before."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import text, update
from sqlalchemy.exc import DatabaseError

from portal import audit, cli, create_app
from portal.accounts.models import Workspace
from portal.audit import AuditEntry
from portal.contacts.field_models import CustomField, FieldType, ListWord
from portal.contacts.models import Contact
from portal.extensions import Base, db, utcnow
from tests.conftest import settings

pytestmark = pytest.mark.both

CONTACT = "c" * 32
BODY = b'{"event":"ContactCreated","contacts":[{"id":"%s","firstName":"Allen","email":"allen@acme.example"}]}'
OF_BEFORE = (
    "INSERT INTO event (id, workspace_id, type, body, actor, is_test, created_at)"
    " VALUES ('msg_1', :a, 'ContactCreated', :body, 'Dana', false, :now)",
    f"INSERT INTO subject (event_id, position, contact_id, number, label, changes)"
    f" VALUES ('msg_1', 0, '{CONTACT}', '1001', 'Allen Ji', '{{}}')",
    f"INSERT INTO delivery (id, workspace_id, event_id, webhook_id, status, seq, trigger, attempts, step, created_at,"
    f" updated_at) VALUES ('{CONTACT}', :a, 'msg_1', :webhook, 'pending', 1, 'automatic', 0, 0, :now, :now)",
)
"""A delivery about a contact that was deleted since."""
PRIYA = (
    "INSERT INTO contact (id, workspace_id, contact_id, subscribe_email, subscribe_sms, subscribe_whatsapp,"
    " created_time, custom_fields, changed_at) VALUES (:id, :a, :number, true, true, true, :now, :carried, :now)"
)
"""A contact with custom fields as they were once: a list of names and values."""


@pytest.fixture
def empty(fresh_database_url: str, tmp_path: Path) -> Iterator[None]:
    """An app on a database without tables, and without tables afterwards."""
    app = create_app(settings(fresh_database_url, "redis://127.0.0.1:1", tmp_path))
    cli.init_app(app)
    with app.app_context():
        yield
        db.session.remove()
        downgrade(revision="base")
        assert tables() == {"alembic_version"}
        db.engine.dispose()


def tables() -> set[str]:
    with db.engine.connect() as connection:
        return set(db.inspect(connection).get_table_names())


def differences() -> list[object]:
    """What the models describe and the database does not have, and the other way round."""
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found: list[object] = compare_metadata(context, Base.metadata)
        return found


@pytest.mark.usefixtures("empty")
def test_from_empty_they_make_what_the_models_describe() -> None:
    upgrade()
    assert differences() == []


@pytest.mark.usefixtures("empty")
def test_entries_of_the_audit_log_are_kept_from_being_changed_after_all_of_them() -> None:
    upgrade()
    space = Workspace(name="Harbour Support")
    db.session.add(space)
    db.session.flush()
    audit.note("Dana", "paused", space)
    db.session.commit()
    with pytest.raises(DatabaseError, match=r"P0001|SQLITE_CONSTRAINT_TRIGGER"):
        db.session.execute(update(AuditEntry).values(actor="Nobody"))
    db.session.rollback()


@pytest.mark.usefixtures("empty")
def test_from_the_version_before_they_keep_what_is_there() -> None:
    upgrade(revision="0001")
    keys = {"a": uuid.uuid4().hex, "b": uuid.uuid4().hex, "webhook": uuid.uuid4().hex, "now": utcnow()}
    with db.engine.begin() as connection:
        for sql in (
            "INSERT INTO workspace (id, name, created_at) VALUES (:a, 'Harbour Support', :now), (:b, 'Other', :now)",
            "INSERT INTO webhook (id, workspace_id, url, event_types, secret, state, created_at, created_by, width,"
            " failures, probe_at) "
            "VALUES (:webhook, :a, 'https://a.example', '[]', 'x', 'active', :now, 'Dana', 1, 4, :now)",
        ):
            connection.execute(text(sql), keys)
        for sql in OF_BEFORE:
            connection.execute(text(sql), {**keys, "body": BODY % str(uuid.UUID(CONTACT)).encode()})
    carried = {"d" * 32: '[{"name": "Size", "value": "L"}]', "e" * 32: "[]"}
    with db.engine.begin() as connection:
        for key, fields in carried.items():
            connection.execute(text(PRIYA), {**keys, "id": key, "number": key, "carried": fields})
    upgrade()
    assert differences() == []
    with db.session() as session:
        [size] = session.scalars(db.select(CustomField))
        values = session.scalars(db.select(Contact.custom_fields).order_by(Contact.contact_id)).all()
        stages = session.scalars(db.select(ListWord.name).where(ListWord.is_default).order_by(ListWord.name)).all()
    assert (size.name, size.type, size.workspace_id.hex) == ("Size", FieldType.TEXT, keys["a"])
    assert values == [{str(size.id): "L"}, {}]
    assert stages == ["Contact", "Contact", "Medium", "Medium"]
    with db.engine.connect() as connection:
        [kind] = connection.scalars(text("SELECT event_type FROM delivery"))
        mentioned = connection.scalar(text("SELECT count(*) FROM mention WHERE contact_id = :c"), {"c": CONTACT})
        known = set(connection.scalars(text("SELECT word FROM search_word")))
    assert (kind, mentioned) == ("ContactCreated", 1)
    assert {b"allen", b"ji", b"allen@acme.example", b"1001"} <= {bytes(word) for word in known}
    with db.engine.connect() as connection:
        spaces = connection.execute(text("SELECT name, sandbox_mode FROM workspace ORDER BY name")).all()
        tokens = set(connection.scalars(text("SELECT sandbox_token FROM workspace")))
        owned = "SELECT name, probes FROM workspace JOIN webhook ON webhook.workspace_id = workspace.id"
        owner = connection.execute(text(owned)).one()
    assert [tuple(row) for row in spaces] == [("Harbour Support", "ok"), ("Other", "ok")]
    assert len(tokens) == 2
    assert tuple(owner) == ("Harbour Support", 1)  # an open breaker stays open
