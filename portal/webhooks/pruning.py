"""What the log lets go of: bodies first, and the facts of what happened later. What is pending is never touched.

Each call is a slice: the caller commits, and goes on behind the event that it returns. The oldest go first, found by an
index that holds only what is left to take away.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, literal, or_, select, tuple_, update
from sqlalchemy.orm import InstrumentedAttribute

from ..extensions import UTCDateTime, commit_without_waiting, db, db_now
from ..pace import pace
from .log_models import Attempt, Mention, SearchWord
from .models import Delivery, Event, Status, Subject

DAY = 86_400
Edge = tuple[datetime, str]
"""The last event that was looked at."""
THIS_MENTION = delete(Mention).where(
    Mention.contact_id == bindparam("contact"),
    Mention.created_at == bindparam("at"),
    Mention.delivery_id == bindparam("delivery"),
)


def empty_bodies(count: int, after: Edge | None) -> Edge | None:
    """Empty the next old events' bodies, and those of the answers to them; None when no more are old enough."""
    age = DAY * pace().keep_bodies_days
    looked = _next(Event.has_body, age, count, after)
    chosen = _at_rest(looked, age)
    emptied = update(Event).where(Event.id.in_(chosen)).values(body=b"", has_body=False)
    db.session.execute(emptied, execution_options={"synchronize_session": False})
    theirs = select(Delivery.id).where(Delivery.event_id.in_(chosen))
    answers = update(Attempt).where(Attempt.delivery_id.in_(theirs), func.length(Attempt.response_body) > 0)
    db.session.execute(answers.values(response_body=b""), execution_options={"synchronize_session": False})
    return looked[-1] if looked else None


def forget_facts(count: int, after: Edge | None) -> Edge | None:
    """Take away the next old events with their deliveries and attempts; None when no more are old enough."""
    age = DAY * pace().keep_facts_days
    looked = _next(~Event.has_body, age, count, after)
    _forget(_unlocked(_at_rest(looked, age)))
    return looked[-1] if looked else None


def _next(
    which: ColumnElement[bool] | InstrumentedAttribute[bool], age: float, count: int, after: Edge | None
) -> list[Edge]:
    """The next old events, locked. Who is at work with one has it: it is left for the next time."""
    commit_without_waiting()  # what a crash undoes is done again
    behind = (
        tuple_(Event.created_at, Event.id) > tuple_(literal(after[0], UTCDateTime()), literal(after[1]))
        if after
        else None
    )
    old = select(Event.created_at, Event.id).where(which, Event.created_at < db_now(-age))
    old = old.where(behind) if behind is not None else old
    found = old.order_by(Event.created_at, Event.id).limit(count).with_for_update(skip_locked=True)
    return [(at, key) for at, key in db.session.execute(found)]


def _at_rest(looked: Sequence[Edge], age: float) -> Sequence[str]:
    """Those of the locked events of which no delivery waits, or was touched lately. Asked after the lock was got: what
    somebody has sent again until then is seen."""
    lately = or_(Delivery.status == Status.PENDING, Delivery.updated_at > db_now(-age))
    moves = exists().where(Delivery.event_id == Event.id, lately)
    keys = [key for _, key in looked]
    return db.session.scalars(select(Event.id).where(Event.id.in_(keys), ~moves)).all()


def _unlocked(keys: Sequence[str]) -> Sequence[str]:
    """Those of the events of which nobody holds a delivery; theirs are locked now. Never waits: no lock is crossed."""
    mine = Delivery.event_id.in_(keys)
    locked = select(Delivery.id).where(mine).with_for_update(skip_locked=True)
    free = set(db.session.scalars(locked))
    every = db.session.execute(select(Delivery.id, Delivery.event_id).where(mine))
    busy = {event_id for key, event_id in every if key not in free}
    return [key for key in keys if key not in busy]


def _forget(keys: Sequence[str]) -> None:
    """These events and all that hangs on them."""
    theirs = select(Delivery.id).where(Delivery.event_id.in_(keys))
    pages = select(Subject.contact_id, Delivery.created_at, Delivery.id).distinct()
    pages = pages.join(Delivery, Delivery.event_id == Subject.event_id).where(Subject.event_id.in_(keys))
    mentions = [{"contact": contact, "at": at, "delivery": one} for contact, at, one in db.session.execute(pages)]
    contacts = set(db.session.scalars(select(Subject.contact_id).where(Subject.event_id.in_(keys))))
    if mentions:
        db.session.connection().execute(THIS_MENTION, mentions)
    for gone in (
        delete(Attempt).where(Attempt.delivery_id.in_(theirs)),
        delete(Subject).where(Subject.event_id.in_(keys)),
        delete(Delivery).where(Delivery.event_id.in_(keys)),
        delete(Event).where(Event.id.in_(keys)),
        delete(SearchWord).where(SearchWord.contact_id.in_(contacts), ~_is_known()),
    ):
        db.session.execute(gone, execution_options={"synchronize_session": False})


def _is_known() -> ColumnElement[bool]:
    """SQL over SearchWord: the log still knows something of its contact."""
    return exists().where(Subject.contact_id == SearchWord.contact_id)
