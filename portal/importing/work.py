"""The dry run and the run, in slices: each is a transaction that moves the cursor on the import's row along with what
it did. Each row is done once, whatever dies. What it will do is made ready before it begins, while nothing is locked:
others who save wait for some hundredths of a second at most."""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from rq.timeouts import BaseTimeoutException
from sqlalchemy import delete, exists, insert, select

from .. import jobs
from ..contacts import many
from ..contacts.drafting import Ahead, drafted_ahead
from ..extensions import begin_reading, db, is_sqlite, utcnow
from ..pace import pace
from ..web import AWAY
from ..webhooks.batches import largest_group
from ..webhooks.publisher import ring_after_commit
from ..webhooks.tasks import computing
from . import storing
from .matching import TAKEN, Known
from .models import Import, ImportRefusal, Stage
from .planning import Plan, Planner, still_holds
from .reading import Record, Unreadable

MOST_ROWS = 199_999
HELD_SECONDS, ON_SQLITE = 0.2, 0.04
"""For how long a slice may lock: the next one has as many rows as that allows. SQLite lets only one write at a time."""
ABANDONED_AFTER, REFUSED_KEPT = timedelta(days=7), timedelta(days=30)
"""A file that was never imported is kept for so long, and refused rows after the end of their import."""
FEWEST, FIRST_SLICE, LARGEST_SLICE = 20, 50, 1000
"""However long it takes, a slice has so many rows, and as many as the webhook takes in one request that takes most: a
request costs more than its contacts, the worker, the receiver, and so those who save."""
BREATH = 0.01
"""Between two slices, so that those who wait for SQLite's one write lock get it."""
FEWER = 8
"""A slice that fails is tried again with so many times fewer rows, until its first row fails alone."""
PASSING = (*AWAY, BaseTimeoutException)
"""Failures that say nothing about the file: the sweeper rings again."""

log = logging.getLogger("portal.importing")


@dataclass(slots=True)
class Slice:
    """Rows that follow each other, and where they begin."""

    stage: Stage
    place: int
    rows: Sequence[Record]
    problem: str = ""
    decided: tuple[Plan, Known] | None = None
    """What is to be done with them, as things were while nothing was locked."""
    ahead: Ahead | None = None
    """The contacts that the run will make of them."""


def unfinished() -> list[uuid.UUID]:
    """The imports that workers have something to do for."""
    return list(db.session.scalars(select(Import.id).where(Import.stage.in_([Stage.CHECKING, Stage.RUNNING]))))


def work(import_id: str) -> None:
    """Go on with an import, and hand over after a while. The RQ job behind its bell."""
    key, ends = uuid.UUID(import_id), time.monotonic() + pace().slice
    jobs.bells().answered(key)
    group = _group(key)
    rows = whole(FIRST_SLICE, group)
    while rows := _go_on(key, rows, group):
        if time.monotonic() > ends or jobs.stopping.is_set():
            jobs.bells().ring(key, jobs.IMPORT)
            return
        time.sleep(BREATH)


def whole(rows: int, group: int) -> int:
    """As many of these rows as fill groups of so many contacts, and half of one at least."""
    return rows - rows % group if rows > group else max(rows, group // 2)


def go_on(key: uuid.UUID, most: int = LARGEST_SLICE) -> float | None:
    """Do one slice, and return for how many seconds it locked. None when there is nothing more for this worker to do:
    not while another is at it."""
    with computing:
        coming = _made_ready(key, most)
    if coming is None:
        return None
    with computing:
        return _done(key, coming, most)


def _made_ready(key: uuid.UUID, most: int) -> Slice | None:
    begin_reading()
    made = db.session.get(Import, key, populate_existing=True)
    coming = _next(made, most) if made and made.stage.is_work else None
    db.session.expunge_all()  # first, so that what was read can be read on
    db.session.rollback()
    return coming


def _done(key: uuid.UUID, coming: Slice, most: int) -> float | None:
    query = select(Import).where(Import.id == key).with_for_update(skip_locked=True)
    made, begun = db.session.scalars(query).one_or_none(), time.monotonic()
    if made is None or (made.stage, made.place) != (coming.stage, coming.place):
        db.session.rollback()
        return None
    _do(made, coming, most)
    more = made.stage.is_work
    db.session.commit()
    db.session.expunge_all()  # nothing of a slice is kept for the next one
    return time.monotonic() - begun if more else None


def begin(made: Import, stage: Stage) -> None:
    """Let workers begin at the first row, after the commit."""
    start_over(made, stage)
    ring_after_commit(made.id, jobs.IMPORT)


def start_over(made: Import, stage: Stage) -> None:
    """Back in front of the first row; what a dry run found is kept for the run alone."""
    made.stage, made.place, made.row, made.counts, made.problem = stage, 0, 0, {}, None
    db.session.execute(delete(ImportRefusal).where(ImportRefusal.import_id == made.id))
    if stage != Stage.RUNNING:
        made.forecast = None
        storing.forget_keys(made)


def stop(made: Import) -> None:
    """What is done is done; the file is taken away."""
    db.session.refresh(made, with_for_update=True)
    if not made.stage.is_over:
        made.stage, made.finished_at = Stage.STOPPED, utcnow()
        storing.forget(made)


def stop_abandoned(_count: int, _edge: object) -> bool | None:
    """Throw away one file that nobody came back to; None when there is none."""
    left = Import.stage.in_([Stage.MAPPING, Stage.CHECKED]), Import.created_at < utcnow() - ABANDONED_AFTER
    made = db.session.scalars(select(Import).where(*left).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if made:
        stop(made)
    return True if made else None


def forget_refused(count: int, _edge: object) -> bool | None:
    """Take away so many refused rows that nobody will mend any more; None when there are none."""
    has_some = exists().where(ImportRefusal.import_id == Import.id)
    old = select(Import.id).where(Import.finished_at < utcnow() - REFUSED_KEPT, has_some).limit(1)
    key = db.session.scalar(old)
    mine = ImportRefusal.import_id == key
    rows = db.session.scalars(select(ImportRefusal.row).where(mine).order_by(ImportRefusal.row).limit(count)).all()
    if rows:
        gone = delete(ImportRefusal).where(mine, ImportRefusal.row <= rows[-1])
        db.session.execute(gone.execution_options(synchronize_session=False))
    return True if rows else None


def _group(key: uuid.UUID) -> int:
    """How many contacts are told in one request at most, for as long as this worker is at it."""
    begin_reading()
    made = db.session.get(Import, key)
    group = largest_group(made.workspace_id) if made else 1
    db.session.rollback()
    return group


def _go_on(key: uuid.UUID, rows: int, group: int) -> int:
    """Do a slice. How many rows the next one shall have; 0 when there is nothing more for this worker to do."""
    try:
        held = go_on(key, rows)
    except PASSING:
        raise
    except Exception:  # whatever it is: it would fail for ever, and nobody would hear of it
        log.exception("A slice of the import %s failed", key)
        db.session.rollback()
        return max(1, rows // FEWER) if rows > 1 else _give_up(key)
    if held is None:
        return 0
    allowed = int(rows * min(2, (ON_SQLITE if is_sqlite() else HELD_SECONDS) / held))
    return whole(max(FEWEST, min(LARGEST_SLICE, allowed)), group)


def _give_up(key: uuid.UUID) -> int:
    """End it at the row behind the cursor, which fails for a reason that nobody foresaw."""
    made = db.session.get_one(Import, key, with_for_update=True, populate_existing=True)
    problem = f"Row {made.row + 1:,} can’t be worked on; why stands in the portal’s own log. Take it out of the file."
    if made.stage == Stage.CHECKING:
        _refuse(made, problem)
    elif made.stage == Stage.RUNNING:
        stop(made)
        made.problem = problem
    db.session.commit()
    return 0


def _next(made: Import, most: int) -> Slice:
    """Read the rows behind the cursor, and make ready what is to be done with them."""
    try:
        rows = list(islice(storing.rows(made), most))
    except Unreadable as problem:
        return Slice(made.stage, made.place, [], str(problem))
    coming = Slice(made.stage, made.place, rows)
    if data := _data(made, rows):
        coming.decided = plan, _ = Planner(made).plan(data, locks=False)
        if made.stage == Stage.RUNNING and plan.create:
            coming.ahead = drafted_ahead(made.workspace_id, [wanted for _, wanted in plan.create])
    return coming


def _do(made: Import, coming: Slice, most: int) -> None:
    """Write down what the slice does, and move the cursor; without more rows this stage is over."""
    if coming.problem:
        _refuse(made, coming.problem)
        return
    if coming.decided:
        plan, known = coming.decided
        if made.stage == Stage.CHECKING:
            known.write()
        else:
            plan = _run(made, coming, plan)
        _count(made, plan)
    if coming.rows:
        made.place, made.row = coming.rows[-1].end, coming.rows[-1].row
    if sum(made.counts.values()) > MOST_ROWS:
        _refuse(made, f"The file has more than {MOST_ROWS:,} rows. Split it into several.")
    elif len(coming.rows) < most:
        _end(made)


def _data(made: Import, rows: Sequence[Record]) -> list[Record]:
    """Rows that say something, without the one that names the columns."""
    return [row for row in rows if row.row > made.header_row and not row.is_blank]


def _run(made: Import, coming: Slice, plan: Plan) -> Plan:
    """Carry the plan out, or another one if somebody else was faster; returns what was done."""
    if still_holds(made.workspace_id, plan):
        _change(made, plan, coming.ahead)
    else:
        plan, _ = Planner(made).plan(_data(made, coming.rows), locks=True)
        _change(made, plan)
    return plan


def _change(made: Import, plan: Plan, ahead: Ahead | None = None) -> None:
    """Write it to the contacts, and count what really differed; what others did to them in the same moment is told like
    any other refusal."""
    values = {key: wanted for _, key, wanted in plan.change}
    if values:
        done = many.update_many(made.workspace_id, list(values), lambda contact: values[contact.id], made.actor)
        changed = set(done.changed)
        plan.unchanged += len(plan.change) - len(changed)
        plan.change = [one for one in plan.change if one[1] in changed]
    if plan.create:
        there = many.create_many(made.workspace_id, [wanted for _, wanted in plan.create], made.actor, ahead)
        taken = [row for (row, _), contact in zip(plan.create, there, strict=True) if contact is None]
        plan.create = [one for one in plan.create if one[0] not in taken]
        plan.refused += [(row, TAKEN) for row in taken]


def _count(made: Import, plan: Plan) -> None:
    made.counts = dict(Counter(made.counts) + Counter(plan.counts))
    rows = [{"import_id": made.id, "row": row.row, "reason": why, "cells": row.cells} for row, why in plan.refused]
    if rows:
        db.session.execute(insert(ImportRefusal), rows)


def _refuse(made: Import, problem: str) -> None:
    """Nothing of the file can be imported. A run never comes here: its dry run did."""
    made.problem, made.stage, made.forecast = problem, Stage.CHECKED, made.counts


def _end(made: Import) -> None:
    if made.stage == Stage.CHECKING:
        made.stage, made.forecast = Stage.CHECKED, made.counts
    else:
        made.stage, made.finished_at = Stage.DONE, utcnow()
        storing.forget(made)


jobs.in_slices(jobs.IMPORT, unfinished)
