"""A workspace with a row in every table and a word of its own in every field, made from the models themselves."""

import hashlib
import sqlite3
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

from flask import current_app
from sqlalchemy import (
    Boolean,
    Column,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Uuid,
    delete,
    insert,
    select,
    text,
)

from portal.accounts import invitations, passwords
from portal.accounts import service as accounts
from portal.accounts.models import Membership, Role, Session, User, Workspace
from portal.contacts.models import Avatar
from portal.extensions import Base, UTCDateTime, db, utcnow
from portal.importing.models import Stage
from portal.sealing import seal
from portal.webhooks import signing
from portal.webhooks.models import EventType, State, Status, Trigger
from tests.conftest import PASSWORD, Person, numbers

PEOPLE = {"workspace", "user_account", "membership", "user_session"}
"""Made by signing up."""
RECOVERY_CODE = "0-abcde-fghjk"
"""One that works once for whose world it is: they log in in two steps."""
OTHERS = {"worker_beat", "lane_entry", "letter"}
"""Without a workspace, and without a word of anybody's."""

World = dict[str, Any]
"""What can be named in an address, by its kind."""

SHAPES: dict[str, Callable[[str], Any]] = {
    "audit_entry.changes": lambda word: {"URL": [word, word]},
    "audit_entry.subject_id": lambda word: uuid.uuid4(),
    "attempt.failure": lambda word: None,
    "attempt.phases": lambda word: {},
    "attempt.request_headers": lambda word: [["x-a", word]],
    "attempt.response_headers": lambda word: [["x-b", word]],
    "attempt.status": lambda word: 200,
    "contact.custom_fields": lambda word: {"gone": word},
    "contact_import.columns": lambda word: [["email", "overwrite"]],
    "contact_import.counts": lambda word: {"new": 1},
    "contact_import.delimiter": lambda word: ",",
    "contact_import.encoding": lambda word: "utf-8",
    "contact_import.forecast": lambda word: {"new": 1},
    "contact_import.header_row": lambda word: 0,
    "contact_import.headers": lambda word: [word],
    "contact_import.match": lambda word: ["email"],
    "contact_import.place": lambda word: 0,
    "contact_import.problem": lambda word: None,
    "contact_import.samples": lambda word: [[word]],
    "contact_import.stage": lambda word: Stage.CHECKED,
    "contact_import.tags": lambda word: [word],
    "contact_import_chunk.position": lambda word: 0,
    "contact_import_refusal.cells": lambda word: [word],
    "custom_field.is_required": lambda word: False,
    "custom_field.length": lambda word: None,
    "custom_field.options": lambda word: [word],
    "avatar.contact_id": lambda word: uuid.uuid4(),
    "avatar.data": lambda word: b"a picture",
    "avatar.kind": lambda word: "image/png",
    "avatar.token": lambda word: f"{'t' * 36}{next(numbers):07}",
    "bulk.filters": lambda word: {},
    "bulk.finished_at": lambda word: None,
    "bulk.skipped": lambda word: {"newer": 1},
    "contact_bulk.kind": lambda word: "delete",
    "contact_bulk.finished_at": lambda word: None,
    "contact_bulk.chosen": lambda word: [],
    "contact_bulk.matching": lambda word: [["q", word]],
    "contact_bulk.change": lambda word: {},
    "contact_bulk.after_id": lambda word: None,
    "contact_bulk.deletion_id": lambda word: None,
    "trashed_contact.deletion_id": lambda word: None,
    "contact_bulk.skipped": lambda word: {"gone": 1},
    "contact_view.address": lambda word: [["q", word]],
    "contact_view.columns": lambda word: ["name", "notes"],
    "trashed_contact.facts": lambda word: {"first_name": word, "id": str(uuid.uuid4())},
    "trashed_contact.tags": lambda word: [],
    "trashed_contact.id": lambda word: uuid.uuid4(),
    "bulk.webhooks": lambda word: [],
    "erasure.after_id": lambda word: "",
    "erasure.skipped": lambda word: {},
    "erasure.finished_at": lambda word: utcnow(),
    "event.erased_at": lambda word: None,
    "delivery.last_failure": lambda word: None,
    "delivery.status": lambda word: Status.SUCCEEDED,
    "delivery.trigger": lambda word: Trigger.AUTOMATIC,
    "event.is_test": lambda word: False,
    "hand_over.finished_at": lambda word: None,
    "hand_over.skipped": lambda word: {},
    "invitation.created_by": lambda word: "Somebody",
    "invitation.email": lambda word: "",
    "invitation.expires_at": lambda word: utcnow() + timedelta(days=7),
    "recovery_code.code_hash": lambda word: passwords.hashed(RECOVERY_CODE.replace("-", "")),
    "recovery_code.number": lambda word: 0,
    "recovery_code.used_at": lambda word: None,
    "reset_link.expires_at": lambda word: utcnow() + timedelta(hours=1),
    "reset_link.used_at": lambda word: None,
    "second_factor.last_step": lambda word: 0,
    "second_factor.secret": lambda word: seal("JBSWY3DPEHPK3PXP"),
    "list_word.is_default": lambda word: False,
    "invitation.token_hash": lambda word: uuid.uuid4().hex,
    "sandbox_request.headers": lambda word: [["x-c", word]],
    "subject.changes": lambda word: {"firstName": [word, word]},
    "tag.color": lambda word: "#ABCDEF",
    "webhook.contacts_per_request": lambda word: 1,
    "webhook.alarm": lambda word: 0,
    "webhook.event_types": lambda word: [EventType.CREATED],
    "webhook.failed_ids": lambda word: [str(uuid.uuid4())],
    "webhook.headers": lambda word: signing.seal_headers({"x-d": word}),
    "webhook.old_secret": lambda word: None,
    "webhook.probe_at": lambda word: None,
    "webhook.secret": lambda word: signing.seal(signing.new_secret()),
    "webhook.throttle_seconds": lambda word: 1,
    "webhook.state": lambda word: State.ACTIVE,
    "webhook.throttle": lambda word: 5,
    "webhook.url": lambda word: f"https://{word}.example/hook",
}
"""What is more than a word, by table and column."""


def plant(person: Person, sign: str) -> World:
    """Fill the person's workspace. Each word begins with `sign` and says which table and column it stands in."""
    made: World = {"workspace": person.workspace_id, "user_account": person.user_id, "schema": "ContactCreated"}
    made["contact"] = uuid.uuid4()  # some tables name it before it is there
    for table in Base.metadata.sorted_tables:
        if table.name not in PEOPLE | OTHERS:
            row = {column.name: _value(table, column, made, sign) for column in table.columns}
            db.session.execute(insert(table).values(row))
            made[table.name] = row.get("id")
    for kind, deactivated_at in {"member": None, "former": utcnow()}.items():
        made[kind] = _colleague(person, sign, deactivated_at)
    space, user = db.session.get_one(Workspace, person.workspace_id), db.session.get_one(User, person.user_id)
    with current_app.test_request_context():
        made["invited"] = invitations.invite(space, Role.AGENT, "", user).rpartition("/")[2]
    made["avatar"] = db.session.scalar(select(Avatar.token).where(Avatar.workspace_id == person.workspace_id))
    made["sandbox"], made["user_session"] = space.sandbox_token, _other_browser(person)
    db.session.commit()
    return made


def _colleague(person: Person, sign: str, deactivated_at: datetime | None) -> uuid.UUID:
    """Somebody else in the workspace."""
    user = accounts.create_user(f"{sign}user_account.name", f"{sign}{next(numbers)}@example.com", PASSWORD)
    where = {"workspace_id": person.workspace_id, "user_id": user.id, "deactivated_at": deactivated_at}
    db.session.add(Membership(role=Role.AGENT, **where))
    return user.id


def _other_browser(person: Person) -> uuid.UUID:
    """Where the person is signed in, too."""
    made = Session(
        token_hash=uuid.uuid4().hex, workspace_id=person.workspace_id, user_id=person.user_id, id=uuid.uuid4()
    )
    made.browser, made.network = "Firefox on Linux", "203.0.113.0/24"
    db.session.add(made)
    return made.id


def all_rows() -> list[tuple[Any, ...]]:
    """Every row of the database."""
    db.session.rollback()
    return [(table.name, *row) for table in Base.metadata.sorted_tables for row in db.session.execute(_ordered(table))]


def keeping() -> Callable[[], None]:
    """What puts the database back to how it is now, also where its own triggers forbid that."""
    if db.engine.dialect.name == "postgresql":
        rows = all_rows()
        return lambda: _put_back(rows)
    kept = sqlite3.connect(":memory:")
    _copy(kept, into_it=True)
    return lambda: _copy(kept, into_it=False)


def _put_back(rows: list[tuple[Any, ...]]) -> None:
    """Make PostgreSQL hold these rows and no others."""
    db.session.rollback()
    db.session.execute(text("SET LOCAL session_replication_role = replica"))  # no triggers
    for table in Base.metadata.sorted_tables:
        db.session.execute(delete(table))
        names = [column.name for column in table.columns]
        if mine := [dict(zip(names, row, strict=True)) for name, *row in rows if name == table.name]:
            db.session.execute(insert(table), mine)
    db.session.commit()


def _copy(kept: sqlite3.Connection, into_it: bool) -> None:
    """Copy SQLite's pages there, or back."""
    db.session.rollback()
    connection = db.engine.raw_connection()
    real = cast(sqlite3.Connection, connection.driver_connection)
    source, target = (real, kept) if into_it else (kept, real)
    source.backup(target)
    connection.close()


def rows_of(person: Person) -> list[tuple[Any, ...]]:
    """Every row that belongs to the person's workspace: it, or what it hangs on, holds an id of the workspace's."""
    db.session.rollback()
    ids: set[Any] = {person.workspace_id, person.user_id}
    found = []
    for table in Base.metadata.sorted_tables:
        keys = [column.name for column in table.primary_key]
        for row in db.session.execute(_ordered(table)).mappings():
            if any(value in ids for value in row.values() if isinstance(value, str | uuid.UUID)):
                ids.update(row[key] for key in keys if not isinstance(row[key], int))
                found.append((table.name, *row.values()))
    return found


def _ordered(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key)


def _value(table: Table, column: Column[Any], made: World, sign: str) -> Any:
    """What stands in that column: a shape, an id of what was made before, or by its type."""
    place = f"{table.name}.{column.name}"
    if place in SHAPES:
        return SHAPES[place](sign + place)
    if place == "contact.id":
        return made["contact"]
    if place == "contact.owner":
        return str(made["user_account"])
    if place == "reset_link.token_hash":
        made["reset"] = f"{sign}reset{next(numbers)}"
        return hashlib.sha256(made["reset"].encode()).hexdigest()
    if column.foreign_keys:
        return made[next(iter(column.foreign_keys)).column.table.name]
    if isinstance(column.type, Uuid):
        return uuid.uuid4() if column.primary_key else made.get("contact", uuid.uuid4())
    if place == "event.id":
        return f"msg_{sign}{next(numbers)}"
    return _plain(column, sign + place)


def _plain(column: Column[Any], word: str) -> Any:
    if isinstance(column.type, Enum):
        return column.type.python_type(column.type.enums[0])
    if isinstance(column.type, String):
        assert len(word) <= (column.type.length or len(word)), f"{word} is too long for its column"
        return word
    values = {LargeBinary: word.encode(), UTCDateTime: utcnow(), Boolean: True, Float: 1.0, Integer: next(numbers)}
    return next(value for kind, value in values.items() if isinstance(column.type, kind))
