"""Fills a database with a long log and a long queue, by statements of the database: a million rows in seconds."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Uuid, case, cast, func, insert, literal, null, select, text, type_coerce
from sqlalchemy.types import String

from portal.extensions import Base, db, is_sqlite, utcnow
from portal.webhooks.models import Delivery, Event, EventType, LaneEntry, Status, Subject, Trigger, Webhook


def fill(webhooks: Sequence[Webhook], log: int, waiting: int, contacts: int = 1000) -> None:
    """Add to the webhooks' log what succeeded, and to the last one's lanes what waits for the first of its contact."""
    _hurry()
    indexes = [index for model in (Event, Subject, Delivery) for index in model.__table__.indexes]  # type: ignore[attr-defined]
    for index in indexes:
        index.drop(db.session.connection())
    share, first = log // len(webhooks), 1
    _add_events("sent", webhooks[0].workspace_id, share, contacts)
    _add_events("waits", webhooks[0].workspace_id, waiting, contacts)
    for webhook in webhooks:
        _add_deliveries(webhook, "sent", first, share)
        first += share
    _add_deliveries(webhooks[-1], "waits", first, waiting, heads=contacts)
    _add_lanes(webhooks[-1], contacts)
    for index in indexes:
        index.create(db.session.connection())
    if not is_sqlite():
        db.session.execute(text(f"SELECT setval('delivery_seq', {first + waiting})"))
    db.session.execute(text("ANALYZE"))
    db.session.commit()


def _hurry() -> None:
    """No look at foreign keys, and room in memory for the keys: these rows are right, and nobody keeps them."""
    db.session.commit()
    pragmas = ["foreign_keys = OFF", "synchronous = OFF", "cache_size = -400000"]
    outside = [
        "COMMIT",
        *(f"PRAGMA {one}" for one in pragmas),
        "BEGIN IMMEDIATE",
    ]  # they work outside transactions only
    for statement in outside if is_sqlite() else ["SET session_replication_role = replica"]:
        db.session.connection().exec_driver_sql(statement)


def _add_events(name: str, workspace_id: uuid.UUID, count: int, contacts: int) -> None:
    values = {
        "id": _event_id(name, _numbers(count)),
        "workspace_id": workspace_id,
        "type": EventType.UPDATED,
        "body": b"{}",
        "actor": "Dana",
        "is_test": False,
        "created_at": utcnow(),
    }
    _insert(Event, values)
    number = _numbers(count)
    values = {
        "event_id": _event_id(name, number),
        "position": 0,
        "contact_id": _contact(number % contacts),
        "number": "1",
        "label": "Allen Ji",
        "changes": {},
    }
    _insert(Subject, values)


def _add_deliveries(webhook: Webhook, name: str, first: int, count: int, heads: int = 0) -> None:
    number, now, is_done = _numbers(count), utcnow(), not heads
    due_at = case((number < heads, literal(now, Delivery.due_at.type)), else_=null())
    values = {
        "id": func.lower(func.hex(func.randomblob(16))) if is_sqlite() else func.gen_random_uuid(),
        "workspace_id": webhook.workspace_id,
        "event_id": _event_id(name, number),
        "webhook_id": webhook.id,
        "status": Status.SUCCEEDED if is_done else Status.PENDING,
        "seq": number + first,
        "due_at": due_at,
        "trigger": Trigger.AUTOMATIC,
        "attempts": int(is_done),
        "step": 0,
        "created_at": now,
        "succeeded_at": now if is_done else None,
        "updated_at": now,
    }
    _insert(Delivery, values)


def _add_lanes(webhook: Webhook, contacts: int) -> None:
    waits = select(Delivery.webhook_id, _contact(Delivery.seq % contacts), Delivery.seq, Delivery.id)
    waits = waits.where(Delivery.webhook_id == webhook.id, Delivery.status == Status.PENDING)
    db.session.execute(insert(LaneEntry).from_select(["webhook_id", "contact_id", "seq", "delivery_id"], waits))


def _insert(model: type[Base], values: dict[str, Any]) -> None:
    columns = model.__table__.columns
    chosen = [
        value if isinstance(value, ColumnElement) else literal(value, columns[name].type).label(name)
        for name, value in values.items()
    ]
    db.session.execute(insert(model).from_select(list(values), select(*chosen), include_defaults=False))


def _numbers(count: int) -> ColumnElement[int]:
    """The numbers from 0 on, as the one column of a series."""
    start = select(literal(0).label("i")).cte(recursive=True)
    series = start.union_all(select(start.c.i + 1).where(start.c.i < count - 1))
    return series.c.i


def _event_id(name: str, number: ColumnElement[int]) -> ColumnElement[str]:
    return literal(f"msg_{name}_").concat(cast(number, String))


def _contact(lane: ColumnElement[int]) -> ColumnElement[Any]:
    """A contact's id that is made of a number below 100,000,000."""
    text_of = func.substr(cast(lane + 10**8, String), 2)
    made = literal("c" * 24, String()).concat(text_of)
    return type_coerce(made, Uuid()) if is_sqlite() else cast(made, Uuid())
