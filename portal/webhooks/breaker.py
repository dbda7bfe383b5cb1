"""What a webhook learns from answers: the ramp, the breaker with its probes, the pauses. All of it stands on its row.

Different deliveries that fail in a row open the breaker; one poisoned delivery cannot. While it is open one probe at a
time finds out whether the receiver is back, and the first good answer closes it.
"""

import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement

from ..extensions import db_now, utcnow
from .models import PauseReason, Webhook
from .outbound import Failure, Result
from .schedule import (
    BREAK_AFTER,
    BREAK_AFTER_TIMEOUTS,
    FIRST_PROBE,
    GIVE_UP_FAILURES,
    GIVE_UP_SECONDS,
    probe_delay,
    wider,
)

TIMEOUTS = {Failure.TIMEOUT_CONNECT, Failure.TIMEOUT_TOTAL}


def is_open() -> ColumnElement[bool]:
    """SQL over Webhook: one probe at a time finds out whether the receiver is back."""
    return Webhook.probes > 0


def close(webhook: Webhook) -> None:
    """Forget all failures."""
    webhook.failures, webhook.failed_ids, webhook.probes = 0, [], 0
    webhook.failing_since, webhook.probe_at = None, None


def answers(webhook: Webhook) -> None:
    """A good answer: one more step up the ramp, and the breaker is closed."""
    webhook.width = wider(webhook.width)
    webhook.answered_at = utcnow()
    close(webhook)


def fails(webhook: Webhook, delivery_id: uuid.UUID, result: Result, was_probe: bool) -> None:
    """A failed attempt: down the ramp; open the breaker or wait longer for the next probe; pause in the end."""
    now = utcnow()
    webhook.width, webhook.failures = 1, webhook.failures + 1
    webhook.failing_since = webhook.failing_since or now
    earlier = [key for key in webhook.failed_ids if key != str(delivery_id)]
    webhook.failed_ids = [*earlier, str(delivery_id)][-BREAK_AFTER:]
    _set_probe(webhook, result, was_probe)
    if result.failure == Failure.GONE:
        webhook.pause(PauseReason.GONE)
    elif webhook.failures >= GIVE_UP_FAILURES and now - webhook.failing_since > timedelta(seconds=GIVE_UP_SECONDS):
        webhook.pause(PauseReason.FAILING)


def _set_probe(webhook: Webhook, result: Result, was_probe: bool) -> None:
    opens_at = BREAK_AFTER_TIMEOUTS if result.failure in TIMEOUTS else BREAK_AFTER
    opens = not webhook.probes and len(webhook.failed_ids) >= opens_at
    # What was in flight when it opened says nothing new: only a probe doubles the time to the next one.
    if opens or (webhook.probes and was_probe):
        webhook.probes += 1
        webhook.probe_at = db_now(probe_delay(webhook.probes))
    if result.retry_after is not None:
        webhook.probe_at = db_now(max(result.retry_after, FIRST_PROBE))
