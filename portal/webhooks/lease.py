"""The lease: one drain per webhook at a time, over all machines, by one row and the database's clock.

Its commits don't wait for the disk: a server that crashes may forget who held a webhook, and each claim asks anew.
"""

import secrets
import time
import uuid

from sqlalchemy import ColumnElement, or_, update

from ..extensions import commit_without_waiting, db, db_now
from ..pace import pace
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

    def take(self) -> bool:
        """Take the webhook, unless another drain holds it."""
        return self._hold(is_free())

    def keep(self) -> None:
        """Renew when it is time. Raises LeaseLost when another drain has taken over."""
        if time.monotonic() - self.renewed >= pace().lease_renewal and not self._hold(
            Webhook.lease_token == self.token
        ):
            raise LeaseLost

    def release(self) -> None:
        """Let the webhook go, unless it is another's already: whatever of ours has not begun by now never does."""
        self.ends = 0.0
        commit_without_waiting()
        db.session.execute(
            update(Webhook)
            .where(Webhook.id == self.webhook_id, Webhook.lease_token == self.token)
            .values(leased_until=None, lease_token=None)
        )
        db.session.commit()

    def lasts(self, seconds: float) -> bool:
        """Whether the lease surely holds for so long, by the local monotonic clock, which no one sets back."""
        return self.ends - time.monotonic() > seconds

    def _hold(self, condition: ColumnElement[bool]) -> bool:
        # Read before the statement: however long that takes, the lease is never believed to be longer than it is.
        now = time.monotonic()
        commit_without_waiting()
        held = db.session.execute(
            update(Webhook)
            .where(Webhook.id == self.webhook_id, condition)
            .values(leased_until=db_now(pace().lease), lease_token=self.token)
            .returning(Webhook.id)
        ).one_or_none()
        db.session.commit()
        if held:
            self.ends, self.renewed = now + pace().lease, now
        return held is not None
