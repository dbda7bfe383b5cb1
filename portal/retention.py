"""Retention: what is kept for how long, and the work that takes away what is older, in slices that hold nobody up."""

import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select

from . import jobs
from .accounts import sessions
from .accounts.models import Session, Workspace
from .accounts.people_models import Invitation
from .accounts.proof_models import ResetLink
from .audit import AuditEntry
from .contacts import trash
from .contacts.handing_models import HandOver
from .contacts.list_models import ContactBulk
from .extensions import commit_without_waiting, db, db_now
from .importing import work as importing
from .mail import Letter
from .pace import pace
from .privacy.models import Erasure
from .sandbox.models import SandboxRequest
from .webhooks import pruning
from .webhooks.worker_models import Bulk, WorkerBeat

FIRST, MOST = 50, 500
"""Rows of the first slice, and of any."""
SLICE_SECONDS = 0.03
"""What a slice should take: whoever waits for what it locks, on SQLite every writer, waits no longer than that."""
DAY = 86_400
"""In seconds. A worker process that was silent for so long does not come back."""
INVITATION_DAYS = 7
"""So long administrators see that an invitation expired."""
SUBJECT = uuid.UUID(int=1)
"""The bell for going on is not the sweeper's, which rings once a minute."""

Slice = Callable[[int, Any], Any]
"""Takes away some of what is too old, behind where the one before ended; returns where it ended, None at the end."""


def work(_: str) -> None:
    """Take away what is too old, and hand over after a while. The RQ job behind its bell."""
    ends = time.monotonic() + pace().slice
    jobs.bells().answered(SUBJECT)
    for took in slices():
        if jobs.stopping.is_set() or time.monotonic() > ends:
            jobs.bells().ring(SUBJECT, jobs.PRUNE)
            return
        jobs.stopping.wait(took)  # others get as much of the database's time


def slices() -> Iterable[float]:
    """Each a transaction of its own; yields the seconds that it took."""
    of_imports = importing.stop_abandoned, importing.forget_refused
    for step in (pruning.empty_bodies, pruning.forget_facts, *of_imports, *_finished_work(), *_plain_tables()):
        count, edge = FIRST, None
        while True:
            began = time.monotonic()
            edge = step(count, edge)
            db.session.commit()
            if edge is None:
                break
            took = time.monotonic() - began
            count = fitting(count, took)
            yield took


def fitting(count: int, took: float) -> int:
    """How many rows the next slice may have after one of `count` rows took so many seconds."""
    return max(1, min(MOST, 2 * count, int(count * SLICE_SECONDS / max(took, 0.0001))))


def _finished_work() -> Iterable[Slice]:
    """Of work on many rows that it was done. What deleted contacts is needed as long as they can be restored."""
    days = pace().keep_facts_days
    for model, kept in {Bulk: days, ContactBulk: max(days, trash.KEPT.days), HandOver: days, Erasure: days}.items():
        yield _of(model, model.created_at, kept, model.finished_at.is_not(None))


def _plain_tables() -> Iterable[Slice]:
    numbers = pace()
    yield _of(AuditEntry, AuditEntry.at, numbers.keep_audit_days)
    yield _of(SandboxRequest, SandboxRequest.received_at, numbers.keep_bodies_days)
    yield _older(Session, Session.token_hash, Session.created_at < db_now(-sessions.LIFE.total_seconds()))
    yield _older(Invitation, Invitation.id, Invitation.expires_at < db_now(-DAY * INVITATION_DAYS))
    useless = or_(ResetLink.used_at.is_not(None), ResetLink.expires_at < db_now())
    yield _older(ResetLink, ResetLink.token_hash, useless)
    yield _older(Letter, Letter.id, Letter.created_at < db_now(-DAY * numbers.keep_letters_days))
    yield _older(WorkerBeat, WorkerBeat.name, WorkerBeat.beaten_at < db_now(-DAY))


def _of(model: Any, at: Any, days: int, *conditions: ColumnElement[bool]) -> Slice:
    """Rows of workspaces, which are found by workspace and time."""
    return _older(model, model.id, model.workspace_id.in_(select(Workspace.id)), at < db_now(-DAY * days), *conditions)


def _older(model: Any, key: Any, *conditions: ColumnElement[bool]) -> Slice:
    def take_away(count: int, _: datetime | None) -> bool | None:
        commit_without_waiting()
        keys = db.session.scalars(select(key).where(*conditions).limit(count)).all()
        gone = delete(model).where(key.in_(keys)).execution_options(synchronize_session=False)
        db.session.execute(gone)
        return True if len(keys) == count else None

    return take_away
