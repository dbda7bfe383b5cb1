"""The throttle: at most so many deliveries a second or a minute to one webhook, over all workers.

The webhook's row says from when the next one may be sent. Whoever holds its lease moves that on before sending, so that
neither a hand-over nor a kill makes a burst.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_

from ..extensions import db_now, utcnow
from .models import Webhook

SECOND, MINUTE = 1, 60
UNITS = {SECOND: "second", MINUTE: "minute"}
MOST = 10_000
SLACK = timedelta(seconds=0.25)
"""So much that was missed is made up for: a wake-up or a hand-over takes its time, and should not slow what flows."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How many may be sent now, and from when what follows may."""

    begins: datetime
    interval: timedelta
    room: int

    def after(self, count: int) -> datetime:
        """When the next may be sent, after so many."""
        return self.begins + count * self.interval


def turn(webhook: Webhook, now: datetime) -> Turn:
    """What a throttled webhook may be sent `now`, by the database's clock."""
    interval = timedelta(seconds=webhook.throttle_seconds / (webhook.throttle or MOST))
    begins = max(webhook.next_at or now, now - SLACK)
    if begins > now + timedelta(seconds=2 * MINUTE):  # the clock was set back
        begins = now
    return Turn(begins, interval, 0 if begins > now else (now - begins) // interval + 1)


def has_turn() -> ColumnElement[bool]:
    """SQL over Webhook: its throttle, if it has one, lets something go."""
    at = Webhook.next_at
    return or_(at.is_(None), at <= db_now(), at > db_now(2 * MINUTE))


def words(webhook: Webhook) -> str:
    """ "10 a second"; empty without a throttle."""
    return f"{webhook.throttle:,} a {UNITS[webhook.throttle_seconds]}" if webhook.throttle else ""


def holds_back(webhook: Webhook, next_due: datetime | None) -> bool:
    """Whether the throttle is why something that is due, the first of it since `next_due`, was not sent yet."""
    free = webhook.is_active and webhook.probe_at is None and webhook.next_at is not None
    return bool(free and webhook.throttle and next_due and next_due <= utcnow())
