"""The lease: one drain per webhook at a time, over all machines, by one row and the database's clock.

Its commits don't wait for the disk: a server that crashes may forget who held a webhook, and each claim asks anew.
"""

import secrets
import time
import uuid
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, or_, update
from sqlalchemy.sql.dml import ReturningUpdate

from ..extensions import UTCDateTime, begin_without_waiting, db, db_now, without_waiting
from ..pace import pace, prepared
from .models import Webhook


class LeaseLost(Exception):  # noqa: N818 - an event, not an error
    """Another drain may hold the webhook now: start nothing, record only what was in flight."""


def is_free() -> ColumnElement[bool]:
    """SQL over Webhook: no drain holds it. One that ends later than any can is left by a clock that was set back."""
    until = Webhook.leased_until
    return or_(until.is_(None), until < db_now(), until > db_now(2 * pace().lease))


class Lease:
    """A drain's hold on its webhook. Every method is a short transaction of its own."""

    def __init__(self, webhook_id: uuid.UUID) -> None:
        self.webhook_id = webhook_id
        self.token = secrets.token_hex(16)
        self.ends = self.renewed = 0.0
        self.is_throttled = False

    def take(self) -> bool:
        """Take the webhook, unless another drain holds it."""
        return self._hold(_taken())

    def keep(self) -> None:
        """Renew when it is time. Raises LeaseLost when another drain has taken over."""
        if time.monotonic() - self.renewed >= pace().lease_renewal and not self._hold(_renewed()):
            raise LeaseLost

    def take_turn(self, until: datetime) -> float:
        """What goes now is the throttle's: the next may go at `until`, which lies so many seconds ahead.

        Raises LeaseLost when another drain has taken over.
        """
        begin_without_waiting()
        now: datetime | None = db.session.scalar(_turned(), self._mine() | {"until": until})
        db.session.commit()
        if now is None:
            raise LeaseLost
        return (until - now).total_seconds()

    def release(self) -> None:
        """Let the webhook go, unless it is another's already: whatever of ours has not begun by now never does."""
        self.ends = 0.0
        begin_without_waiting()
        db.session.scalar(_released(), self._mine())
        db.session.commit()

    def lasts(self, seconds: float) -> bool:
        """Whether the lease surely holds for so long, by the local monotonic clock, which no one sets back."""
        return self.ends - time.monotonic() > seconds

    def _hold(self, statement: ReturningUpdate[uuid.UUID, int | None, str]) -> bool:
        # Read before the statement: however long that takes, the lease is never believed to be longer than it is.
        now = time.monotonic()
        begin_without_waiting()
        held = db.session.execute(statement, self._mine()).one_or_none()
        db.session.commit()
        if held:
            self.ends, self.renewed, self.is_throttled = now + pace().lease, now, held.throttle is not None
        return held is not None

    def _mine(self) -> dict[str, object]:
        return {"it": self.webhook_id, "holder": self.token}


@prepared
def _taken() -> ReturningUpdate[uuid.UUID, int | None, str]:
    return _held(is_free())


@prepared
def _renewed() -> ReturningUpdate[uuid.UUID, int | None, str]:
    return _held(Webhook.lease_token == bindparam("holder"))


@prepared
def _turned() -> ReturningUpdate[datetime, str]:
    mine = (Webhook.id == bindparam("it"), Webhook.lease_token == bindparam("holder"))
    moved = update(Webhook).where(*mine).values(next_at=bindparam("until", type_=UTCDateTime()))
    return moved.returning(db_now(), without_waiting()).execution_options(synchronize_session=False)


@prepared
def _released() -> ReturningUpdate[str]:
    mine = (Webhook.id == bindparam("it"), Webhook.lease_token == bindparam("holder"))
    free = update(Webhook).where(*mine).values(leased_until=None, lease_token=None)
    return free.returning(without_waiting()).execution_options(synchronize_session=False)


def _held(condition: ColumnElement[bool]) -> ReturningUpdate[uuid.UUID, int | None, str]:
    new = {"leased_until": db_now(pace().lease), "lease_token": bindparam("holder")}
    chosen = update(Webhook).where(Webhook.id == bindparam("it"), condition).values(new)
    return chosen.returning(Webhook.id, Webhook.throttle, without_waiting()).execution_options(
        synchronize_session=False
    )
