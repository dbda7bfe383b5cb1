"""Fills a database with a long log and a long queue, by statements of the database: a million rows in seconds."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    Uuid,
    case,
    cast,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.types import String

from portal.extensions import Base, db, is_sqlite, utcnow
from portal.webhooks import words
from portal.webhooks.log_models import Attempt, Mention, SearchWord
from portal.webhooks.models import (
    MOST_CONTACTS,
    Delivery,
    Event,
    EventType,
    LaneEntry,
    Status,
    Subject,
    Trigger,
    Webhook,
)

FAMILIES = 50
"""Names that the contacts of a varied log share."""
TAKEN = {"takes_from": 1, "takes_to": MOST_CONTACTS}
"""Events of one contact are for all webhooks."""


def fill(webhooks: Sequence[Webhook], log: int, waiting: int, contacts: int = 1000, analyze: bool = True) -> None:
    """Add to the webhooks' log what succeeded, and to the last one's lanes what waits for the first of its contact."""
    hurry()
    indexes = [index for model in (Event, Subject, Delivery) for index in model.__table__.indexes]  # type: ignore[attr-defined]
    for index in indexes:
        index.drop(db.session.connection())
    share, first = log // len(webhooks), 1 + (db.session.scalar(select(func.max(Delivery.seq))) or 0)
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
    if analyze:
        db.session.execute(text("ANALYZE"))
    db.session.commit()


def fill_log(webhooks: Sequence[Webhook], count: int, analyze: bool = True) -> None:
    """A log with some of everything, a delivery a second up to now; what is rare is there 100 times in any log.

    So is each contact. The name of contact n is "Person n Family m"; each is known by the words of that.
    """
    contacts = count // 100
    hurry()
    indexes = [index for model in (Event, Subject, Delivery) for index in model.__table__.indexes]  # type: ignore[attr-defined]
    for index in indexes:
        index.drop(db.session.connection())
    _add_known(webhooks[0].workspace_id, contacts)
    for position, webhook in enumerate(webhooks):
        _add_varied(
            webhook, count // len(webhooks), _numbers(count // len(webhooks)) * len(webhooks) + position, contacts
        )
    mentioned = select(Subject.contact_id, Delivery.created_at, Delivery.id)
    mentioned = mentioned.join(Delivery, Delivery.event_id == Subject.event_id).order_by(Subject.contact_id)
    db.session.execute(insert(Mention).from_select(["contact_id", "created_at", "delivery_id"], mentioned))
    for index in indexes:
        index.create(db.session.connection())
    if analyze:
        db.session.execute(text("ANALYZE"))
    db.session.commit()
    if not is_sqlite():  # as autovacuum does in time: without, no index alone can answer
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))


def fill_attempts(webhook: Webhook, count: int) -> None:
    """Attempts of the webhook, spread evenly over the last 24 h; one in a hundred failed."""
    hurry()
    number = _numbers(count)
    failed = number % 100 == 7
    ago = cast(number * literal(86_400 / count, Float), Integer)
    values = {
        "id": _new_id(),
        "delivery_id": uuid.uuid4(),
        "webhook_id": webhook.id,
        "number": 1,
        "trigger": Trigger.AUTOMATIC,
        "started_at": _seconds_ago(ago),
        "duration_ms": cast(number % 500, Float),
        "url": webhook.url,
        "request_headers": [["webhook-signature", "v1," + "s" * 44]] * 8,
        "status": case((failed, 500), else_=200),
        "reason": "OK",
        "failure": case((failed, "http_error"), else_=null()),
        "response_headers": [["server", "envoy"]] * 8,
        "response_body": b"received",
        "response_length": 8,
        "remote": "192.0.2.1",
        "phases": {"dns": 4.0, "connect": 38.0, "tls": 41.0, "first_byte": 40.0, "body": 2.0},
    }
    _insert(Attempt, values)
    db.session.execute(text("ANALYZE"))
    db.session.commit()


def _add_known(workspace_id: uuid.UUID, contacts: int) -> None:
    """The words by which the contacts are found."""
    for start in range(0, contacts, 1000):
        rows = [
            {"workspace_id": workspace_id, "contact_id": uuid.UUID(f"{'c' * 24}{n:08}"), "word": word}
            for n in range(start, min(start + 1000, contacts))
            for word in words.folded([f"Person{n} Family{n % FAMILIES}", f"person{n}@mail.example", f"{n + 100_000}"])
        ]
        db.session.execute(insert(SearchWord), rows)


def _add_varied(webhook: Webhook, count: int, number: ColumnElement[int], contacts: int) -> None:
    """The webhook's share of a varied log; every event is told to one webhook."""

    def rare(which: int) -> ColumnElement[bool]:
        return number % contacts == which

    then, named = _seconds_ago(number), _contact(number % contacts)
    kind = case((rare(3), "ContactDeleted"), (number % 20 == 2, "ContactCreated"), else_="ContactUpdated")
    name = literal("Person").concat(cast(number % contacts, String)).concat(" Family")
    name = name.concat(cast(number % contacts % FAMILIES, String))
    event = {"id": _event_id("log", number), "workspace_id": webhook.workspace_id, "created_at": then}
    _insert(Event, {**event, "type": kind, "body": b"{}", "has_body": True, **TAKEN, "actor": "Dana", "is_test": False})
    subject = {"event_id": _event_id("log", number), "position": 0, "contact_id": named, "label": name, "changes": {}}
    _insert(Subject, {**subject, "number": cast(number % contacts + 100_000, String)})
    waits, fails = number < 100, number % 100 == 7
    values = {
        "id": _new_id(),
        "workspace_id": webhook.workspace_id,
        "event_id": _event_id("log", number),
        "webhook_id": webhook.id,
        "event_type": kind,
        "status": case((waits, "pending"), (or_(fails, rare(15), rare(25)), "failed"), else_="succeeded"),
        "seq": 10**9 - number,
        "due_at": null(),
        "trigger": Trigger.AUTOMATIC,
        "attempts": case((waits, 0), (fails, 10), (number % 100 == 1, 3), else_=1),
        "step": 0,
        "created_at": then,
        "succeeded_at": null(),
        "last_status": case((waits, null()), (rare(15), null()), (rare(25), 404), (fails, 500), else_=200),
        "last_failure": case(
            (waits, null()), (rare(15), "tls_expired"), (or_(rare(25), fails), "http_error"), else_=null()
        ),
        "last_duration_ms": case((waits, null()), (rare(35), 6000.0), else_=80.0),
        "last_trigger": case((waits, null()), (rare(45), "manual"), else_="automatic"),
        "updated_at": then,
    }
    _insert(Delivery, values)


def _seconds_ago(number: ColumnElement[int]) -> ColumnElement[Any]:
    now = int(utcnow().timestamp())
    if is_sqlite():
        return type_coerce(
            func.strftime("%Y-%m-%d %H:%M:%S.000000", now - number, "unixepoch"), Delivery.created_at.type
        )
    return func.to_timestamp(now - number)


def hurry() -> None:
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
        "has_body": True,
        **TAKEN,
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
        "id": _new_id(),
        "workspace_id": webhook.workspace_id,
        "event_id": _event_id(name, number),
        "webhook_id": webhook.id,
        "event_type": EventType.UPDATED,
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


def _new_id() -> ColumnElement[Any]:
    return func.lower(func.hex(func.randomblob(16))) if is_sqlite() else func.gen_random_uuid()


def _event_id(name: str, number: ColumnElement[int]) -> ColumnElement[str]:
    return literal(f"msg_{name}_").concat(cast(number, String))


def _contact(lane: ColumnElement[int]) -> ColumnElement[Any]:
    """A contact's id that is made of a number below 100,000,000."""
    text_of = func.substr(cast(lane + 10**8, String), 2)
    made = literal("c" * 24, String()).concat(text_of)
    return type_coerce(made, Uuid()) if is_sqlite() else cast(made, Uuid())
