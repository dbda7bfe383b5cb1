"""Writing down what came of attempts.

PostgreSQL does all of a batch in one statement: what it is asked one after the other, it answers one after the other,
and each question and answer takes longer than the work. SQLite, in this process, is asked by the row.
"""

import uuid
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Table, Update, bindparam, case, func, insert, select, update

from ..among import among
from ..extensions import UTCDateTime, db, is_sqlite, utcnow
from ..ids import new_id
from ..pace import prepared
from ..rows import ROWS, given
from . import lanes, letters
from .letters import Letter
from .log_models import Attempt
from .models import Delivery, Status, Trigger
from .outbound import Result

Answers = Sequence[tuple[Letter, Result]]
"""Of one webhook."""
ATTEMPT, DELIVERY = cast(Table, Attempt.__table__), cast(Table, Delivery.__table__)
LOG = insert(ATTEMPT)
USED = ("delivery_id", "number", "trigger", "started_at", "duration_ms", "status")
"""What a delivery remembers of its last attempt, and by what it is found."""


def log(answers: Answers) -> None:
    """A row for each attempt."""
    db.session.connection().execute(LOG, _rows(answers))


def take(webhook_id: uuid.UUID, answers: Answers) -> None:
    """They were taken: log it, end their deliveries, and let those behind them move up.

    The caller knows that they were pending, and holds their locks.
    """
    keys, rows, now = [letter.delivery_id for letter, _ in answers], _rows(answers), utcnow()
    if is_sqlite():
        db.session.connection().execute(LOG, rows)
        used = [{"now": now, **{f"of_{name}": row[name] for name in USED}} for row in rows]
        db.session.connection().execute(_taken_by_row(), used)
        lanes.leave(webhook_id, keys)
    else:
        db.session.flush()
        db.session.connection().execute(_taken(), {ROWS: rows, "keys": keys, "of": webhook_id, "now": now})


def _rows(answers: Answers) -> list[dict[str, Any]]:
    return [{"id": new_id(), **letters.attempt(letter, result)} for letter, result in answers]


@prepared
def _taken_by_row() -> Update:
    return _ended({name: bindparam(f"of_{name}", type_=ATTEMPT.c[name].type) for name in USED})


@prepared
def _taken() -> Update:
    rows = select(given(**{one.name: one.type for one in ATTEMPT.columns})).cte("given_once")
    logged = insert(ATTEMPT).from_select(list(rows.c.keys()), select(rows)).cte("logged")
    # By the keys as well: how many rows are given, PostgreSQL does not know, and reads many more deliveries for them.
    ended = _ended(rows.c).where(among(DELIVERY.c.id, "keys"))
    return lanes.leaving().add_cte(logged, ended.cte("ended"))


def _ended(attempt: Any) -> Update:
    """The deliveries of these attempts, all of them taken."""
    now = bindparam("now", type_=UTCDateTime())
    new = {
        "status": Status.SUCCEEDED,
        "due_at": None,
        "trigger": Trigger.AUTOMATIC,
        "succeeded_at": func.coalesce(Delivery.succeeded_at, now),
        "attempts": case((Delivery.attempts > attempt["number"], Delivery.attempts), else_=attempt["number"]),
        "last_attempt_at": attempt["started_at"],
        "last_trigger": attempt["trigger"],
        "last_status": attempt["status"],
        "last_failure": None,
        "last_duration_ms": attempt["duration_ms"],
        "updated_at": now,
    }
    return update(DELIVERY).where(DELIVERY.c.id == attempt["delivery_id"]).values(new)
