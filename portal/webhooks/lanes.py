"""Lanes: the order of one contact at one webhook.

All lanes share one total order, `seq`: deliveries that sit in several lanes can't block each other in a circle. One
behind another has no due time and is never scanned; whoever ends the one in front gives it one.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Table,
    Update,
    bindparam,
    case,
    delete,
    false,
    func,
    select,
    true,
    update,
)
from sqlalchemy import Sequence as DatabaseSequence
from sqlalchemy.orm import aliased, lazyload
from sqlalchemy.sql.dml import ReturningDelete

from ..among import among, each
from ..extensions import Base, db, db_now, is_sqlite
from ..pace import pace, prepared
from ..rows import insert_many
from .models import Delivery, LaneEntry, Status

Lane = tuple[uuid.UUID, uuid.UUID]
"""A webhook and a contact."""
# Made once: SQLAlchemy adapts every column of a new alias again, which costs more than the statement takes.
_mine, OTHER = aliased(LaneEntry), aliased(LaneEntry)
_SAME = (OTHER.webhook_id == _mine.webhook_id, OTHER.contact_id == _mine.contact_id)
SEQ = DatabaseSequence("delivery_seq", metadata=Base.metadata)
NEXT = select(SEQ.next_value()).select_from(func.generate_series(1, bindparam("count", type_=Integer)))
ENTRY, DELIVERY = cast(Table, LaneEntry.__table__), cast(Table, Delivery.__table__)


def next_seqs(count: int) -> list[int]:
    """The next places in the total order. Taken under the lock of the contacts, so that it agrees with the commits."""
    if is_sqlite():  # it has no sequences, but a single writer: nobody else can take the same numbers
        last = db.session.scalar(select(func.max(Delivery.seq))) or 0
        return list(range(last + 1, last + 1 + count))
    return sorted(db.session.scalars(NEXT, {"count": count}))


def enter(newcomers: Mapping[Delivery, Sequence[uuid.UUID]]) -> None:
    """Put pending deliveries at the tails of their contacts' lanes, in this order; due now when none is in front."""
    occupied = _lock_ends({(one.webhook_id, contact) for one, contacts in newcomers.items() for contact in contacts})
    for delivery, seq in zip(newcomers, next_seqs(len(newcomers)), strict=True):
        mine = {(delivery.webhook_id, contact) for contact in newcomers[delivery]}
        delivery.seq = seq
        delivery.due_at = db_now() if occupied.isdisjoint(mine) else None
        occupied |= mine
    db.session.add_all(newcomers)
    db.session.flush()
    entries = [
        {"webhook_id": one.webhook_id, "contact_id": contact, "seq": one.seq, "delivery_id": one.id}
        for one, contacts in newcomers.items()
        for contact in dict.fromkeys(contacts)
    ]
    insert_many(ENTRY, entries)


def enter_many(newcomers: Sequence[tuple[dict[str, Any], Sequence[uuid.UUID]]]) -> None:
    """The same for new deliveries as rows, each with its contacts: written by three statements, however many."""
    occupied = _lock_ends({(row["webhook_id"], contact) for row, contacts in newcomers for contact in contacts})
    due: list[dict[str, Any]] = []
    behind: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    for (row, contacts), seq in zip(newcomers, next_seqs(len(newcomers)), strict=True):
        mine = {(row["webhook_id"], contact) for contact in contacts}
        (due if occupied.isdisjoint(mine) else behind).append({**row, "seq": seq})
        occupied |= mine
        entries += [
            {"webhook_id": row["webhook_id"], "contact_id": contact, "seq": seq, "delivery_id": row["id"]}
            for contact in dict.fromkeys(contacts)
        ]
    insert_many(DELIVERY, due, due_at=db_now())
    insert_many(DELIVERY, behind)
    insert_many(ENTRY, entries)


def is_blocking(delivery: Delivery) -> bool:
    """Whether others wait behind the delivery in one of its lanes."""
    return db.session.scalar(_behind(), {"front": delivery.id}) is not None


def ahead_of(delivery: Delivery) -> tuple[int, Delivery | None]:
    """How many deliveries stand in front of it in its lanes, and which of them is tried first."""
    mine, ahead = aliased(LaneEntry), aliased(LaneEntry)
    query = select(func.count(ahead.seq.distinct()), func.min(ahead.seq)).where(
        mine.delivery_id == delivery.id,
        ahead.webhook_id == mine.webhook_id,
        ahead.contact_id == mine.contact_id,
        ahead.seq < mine.seq,
    )
    count, first = db.session.execute(query).one()
    return count, db.session.scalar(select(Delivery).where(Delivery.seq == first)) if count else None


def leave(webhook_id: uuid.UUID, ended: Sequence[uuid.UUID]) -> None:
    """Take ended deliveries of one webhook out of their lanes; those that thereby become heads get their due time."""
    db.session.flush()
    here = db.session.connection()  # not the session: what it does for objects is in vain here, and takes as long
    contacts = set(here.scalars(_taken_out(), {"keys": ended})) if ended else set()
    if contacts:
        here.execute(_moved_up(), {"of": webhook_id, "contacts": contacts})


def mend() -> int:
    """Give a due time to heads that have none; returns how many. There are none unless something went wrong."""
    firsts = select(func.min(LaneEntry.seq)).group_by(LaneEntry.webhook_id, LaneEntry.contact_id)
    return len(db.session.scalars(_due_now(firsts).returning(Delivery.id)).all())


def is_head(*others: ColumnElement[bool]) -> ColumnElement[bool]:
    """SQL: nothing stands in front of the delivery in any of its lanes, or nothing of what `others` say over OTHER."""
    # As a value, and with a minimum, for both of which PostgreSQL looks into an index, delivery by delivery. Asked by
    # EXISTS it may join all lanes: what it knows of a table that is mostly empty says nothing of a backlog.
    # Not "is null", which it believes of one in 200: for 16 that may be sent it would read all that is due.
    first = select(func.min(OTHER.seq)).where(*_SAME, *others).correlate(_mine).scalar_subquery()
    behind = select(false()).where(_mine.delivery_id == Delivery.id, first < Delivery.seq)
    return func.coalesce(behind.correlate(Delivery).limit(1).scalar_subquery(), true())


def leaving() -> Update:
    """What `leave` does, as one statement for PostgreSQL, with the ended as `keys` and their webhook as `of`.

    It sees the lanes as they were before it: what leaves them is left out by name.
    """
    gone = _taken_out().cte("gone")
    theirs = (LaneEntry.webhook_id == bindparam("of"), LaneEntry.contact_id == gone.c.contact_id)
    stays = ~among(LaneEntry.delivery_id, "keys")
    firsts = select(select(func.min(LaneEntry.seq)).where(*theirs, stays).correlate(gone).scalar_subquery())
    return _due_now(firsts.select_from(gone), ~among(OTHER.delivery_id, "keys"))


@prepared
def _behind() -> Select[uuid.UUID]:
    """Anything behind a delivery in one of its lanes."""
    last = select(func.max(OTHER.seq)).where(*_SAME).correlate(_mine).scalar_subquery()
    return select(_mine.delivery_id).where(_mine.delivery_id == bindparam("front"), last > _mine.seq).limit(1)


@prepared
def _taken_out() -> ReturningDelete[uuid.UUID]:
    """No more entries of these deliveries; returns whose lanes they were in."""
    entries = delete(ENTRY).where(among(LaneEntry.delivery_id, "keys"))
    return entries.returning(LaneEntry.contact_id)


@prepared
def _moved_up() -> Update:
    """The heads of these contacts' lanes at one webhook get their due time."""
    mine = (LaneEntry.webhook_id == bindparam("of"), among(LaneEntry.contact_id, "contacts"))
    firsts = select(func.min(LaneEntry.seq)).where(*mine).group_by(LaneEntry.contact_id)
    return _due_now(firsts)


def _due_now(firsts: Select[int], *others: ColumnElement[bool]) -> Update:
    # Said so that no index finds it: PostgreSQL would look at all that waits to be due, and not at the firsts alone.
    waits = case((Delivery.due_at.is_(None), Delivery.status)) == Status.PENDING
    stranded = (Delivery.seq.in_(firsts), waits, is_head(*others))
    # SQLAlchemy forgets what a column gets at each update when the update has others in its CTEs.
    return update(DELIVERY).where(*stranded).values(due_at=db_now(), updated_at=db_now())


@prepared
def _ends() -> Select[uuid.UUID, uuid.UUID, int, int]:
    """The places of the first and the last delivery of each lane of these contacts at these webhooks that has any."""
    # Each a value: see `is_head`.
    webhooks, contacts = each("webhooks", ENTRY.c.webhook_id.type), each("contacts", ENTRY.c.contact_id.type)
    lane = (OTHER.webhook_id == webhooks.c.value, OTHER.contact_id == contacts.c.value)
    first, last = (select(end(OTHER.seq)).where(*lane).scalar_subquery() for end in (func.min, func.max))
    ends = select(webhooks.c.value, contacts.c.value, first, last)
    return ends.select_from(webhooks.join(contacts, true())).where(first.is_not(None))


@prepared
def _standing() -> Select[Delivery]:
    """Deliveries at these places, locked."""
    there = select(Delivery).where(among(Delivery.seq, "seqs")).order_by(Delivery.seq).options(lazyload("*"))
    return there.with_for_update(of=Delivery).execution_options(populate_existing=True)


def _lock_ends(lanes: Collection[Lane]) -> set[Lane]:
    """Lock the first and last delivery of each lane; returns the lanes in which one of them is still pending.

    With the lock, a worker that ends it right now either ended it before (then it is not pending) or will see the
    newcomer: none is stranded. Locks go in the order of `seq`, as everywhere, so that they can't meet crosswise.
    """
    theirs = {
        "webhooks": list({webhook for webhook, _ in lanes}),
        "contacts": list({contact for _, contact in lanes}),
    }
    at: defaultdict[int, set[Lane]] = defaultdict(set)
    for webhook_id, contact_id, *ends in db.session.connection().execute(_ends(), theirs):
        for seq in ends:
            at[seq].add((webhook_id, contact_id))
    occupied = set()
    for delivery in db.session.scalars(_standing(), {"seqs": list(at)}) if at else ():
        if delivery.status == Status.PENDING:
            occupied |= at[delivery.seq]
            _hasten(delivery)
    return occupied


def _hasten(delivery: Delivery) -> None:
    """Somebody waits behind a failing delivery now: its next try comes when it may have to make way."""
    if delivery.failing_since and delivery.due_at and delivery.last_attempt_at:
        decision = delivery.failing_since + pace().poison
        if delivery.last_attempt_at < decision < delivery.due_at:
            delivery.due_at = decision
