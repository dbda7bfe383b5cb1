"""Lanes: the order of one contact at one webhook.

All lanes share one total order, `seq`: deliveries that sit in several lanes can't block each other in a circle. One
behind another has no due time and is never scanned; whoever ends the one in front gives it one.
"""

import uuid
from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, exists, func, select, union, update
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.orm import aliased, lazyload

from ..extensions import Base, db, db_now, is_sqlite
from ..pace import pace
from .models import Delivery, LaneEntry, Status

SEQ = DatabaseSequence("delivery_seq", metadata=Base.metadata)


def next_seq() -> int:
    """The next place in the total order. Taken under the lock of the contacts, so that it agrees with the commits."""
    # SQLite has no sequences, but it has a single writer: nobody else can take the same number.
    query = select(func.coalesce(func.max(Delivery.seq), 0) + 1) if is_sqlite() else select(SEQ.next_value())
    return int(db.session.scalar(query) or 0)


def enter(delivery: Delivery, contacts: Sequence[uuid.UUID]) -> None:
    """Put a pending delivery at the tail of its contacts' lanes; due now when none is in front of it."""
    waits = _lock_ends(delivery.webhook_id, contacts)
    delivery.seq = next_seq()
    delivery.due_at = None if waits else db_now()
    db.session.add(delivery)
    db.session.flush()
    db.session.add_all(
        LaneEntry(webhook_id=delivery.webhook_id, contact_id=contact, seq=delivery.seq, delivery_id=delivery.id)
        for contact in dict.fromkeys(contacts)
    )


def is_blocking(delivery: Delivery) -> bool:
    """Whether others wait behind the delivery in one of its lanes."""
    mine, behind = aliased(LaneEntry), aliased(LaneEntry)
    query = select(mine.delivery_id).where(
        mine.delivery_id == delivery.id,
        behind.webhook_id == mine.webhook_id,
        behind.contact_id == mine.contact_id,
        behind.seq > mine.seq,
    )
    return db.session.scalar(query.limit(1)) is not None


def leave(ended: Sequence[Delivery]) -> None:
    """Take ended deliveries of one webhook out of their lanes; those that thereby become heads get their due time."""
    keys = [delivery.id for delivery in ended]
    gone = delete(LaneEntry).where(LaneEntry.delivery_id.in_(keys)).returning(LaneEntry.contact_id)
    contacts = set(db.session.scalars(gone)) if keys else set()
    if not contacts:
        return
    firsts = (
        select(func.min(LaneEntry.seq))
        .where(LaneEntry.webhook_id == ended[0].webhook_id, LaneEntry.contact_id.in_(contacts))
        .group_by(LaneEntry.contact_id)
    )
    db.session.execute(
        update(Delivery)
        .where(Delivery.seq.in_(firsts), Delivery.status == Status.PENDING, Delivery.due_at.is_(None), is_head())
        .values(due_at=db_now())
        .execution_options(synchronize_session=False)
    )


def mend() -> int:
    """Give a due time to heads that have none; returns how many. There are none unless something went wrong."""
    firsts = select(func.min(LaneEntry.seq)).group_by(LaneEntry.webhook_id, LaneEntry.contact_id)
    stranded = (Delivery.seq.in_(firsts), Delivery.status == Status.PENDING, Delivery.due_at.is_(None), is_head())
    found = update(Delivery).where(*stranded).values(due_at=db_now()).returning(Delivery.id)
    return len(db.session.scalars(found.execution_options(synchronize_session=False)).all())


def is_head() -> ColumnElement[bool]:
    """SQL: nothing stands in front of the delivery in any of its lanes."""
    mine, ahead = aliased(LaneEntry), aliased(LaneEntry)
    return ~exists().where(
        mine.delivery_id == Delivery.id,
        ahead.webhook_id == mine.webhook_id,
        ahead.contact_id == mine.contact_id,
        ahead.seq < Delivery.seq,  # mine.seq is the same, but lets PostgreSQL read all lanes for one answer
    )


def _lock_ends(webhook_id: uuid.UUID, contacts: Sequence[uuid.UUID]) -> bool:
    """Lock the first and last delivery of each lane; True when one of them is still pending.

    With the lock, a worker that ends it right now either ended it before (then it is not pending) or will see the
    newcomer: none is stranded. Locks go in the order of `seq`, as everywhere, so that they can't meet crosswise.
    """
    lane = (LaneEntry.webhook_id == webhook_id, LaneEntry.contact_id.in_(contacts))
    first, last = (
        select(end(LaneEntry.seq)).where(*lane).group_by(LaneEntry.contact_id) for end in (func.min, func.max)
    )
    query = select(Delivery).where(Delivery.seq.in_(union(first, last))).order_by(Delivery.seq).options(lazyload("*"))
    locked = db.session.scalars(query.with_for_update(of=Delivery), execution_options={"populate_existing": True})
    pending = [delivery for delivery in locked if delivery.status == Status.PENDING]
    for delivery in pending:
        _hasten(delivery)
    return bool(pending)


def _hasten(delivery: Delivery) -> None:
    """Somebody waits behind a failing delivery now: its next try comes when it may have to make way."""
    if delivery.failing_since and delivery.due_at and delivery.last_attempt_at:
        decision = delivery.failing_since + pace().poison
        if delivery.last_attempt_at < decision < delivery.due_at:
            delivery.due_at = decision
