"""What a webhook learns from answers: the ramp, the breaker with its probes, the pauses. All of it stands on its row.

Different deliveries that fail in a row open the breaker; one poisoned delivery cannot. While it is open one probe at a
time finds out whether the receiver is back, and the first good answer closes it.
"""

import uuid
from datetime import timedelta
from functools import reduce

from sqlalchemy import ColumnElement

from .. import audit
from ..extensions import db_now, utcnow
from ..pace import pace
from .models import PauseReason, Webhook
from .outbound import Failure, Result

EXACTNESS = timedelta(seconds=1)
"""To know the time of the last good answer better would cost a write for each, while all is well."""
TIMEOUTS = {Failure.TIMEOUT_CONNECT, Failure.TIMEOUT_TOTAL}


def is_open() -> ColumnElement[bool]:
    """SQL over Webhook: one probe at a time finds out whether the receiver is back."""
    return Webhook.probes > 0


def close(webhook: Webhook) -> None:
    """Forget all failures; without any the row stays untouched, and nothing looks at it when changes are written."""
    if not (webhook.failures or webhook.failed_ids or webhook.probes or webhook.failing_since or webhook.probe_at):
        return
    webhook.failures, webhook.failed_ids, webhook.probes = 0, [], 0
    webhook.failing_since, webhook.probe_at = None, None


def answers(webhook: Webhook, count: int = 1) -> None:
    """Good answers: each is one more step up the ramp, and the breaker is closed."""
    width = reduce(lambda width, _: pace().wider(width), range(count), webhook.width)
    if width != webhook.width:
        webhook.width = width
    now, before = utcnow(), webhook.answered_at
    if before is None or webhook.failing_since or webhook.alarm or now - before > EXACTNESS:
        webhook.answered_at = now
    close(webhook)


def fails(webhook: Webhook, delivery_id: uuid.UUID, result: Result, was_probe: bool) -> None:
    """A failed attempt: down the ramp; open the breaker or wait longer for the next probe; pause in the end."""
    now = utcnow()
    webhook.width, webhook.failures = 1, webhook.failures + 1
    webhook.failing_since = webhook.failing_since or now
    earlier = [key for key in webhook.failed_ids if key != str(delivery_id)]
    webhook.failed_ids = [*earlier, str(delivery_id)][-pace().break_after :]
    _set_probe(webhook, result, was_probe)
    if result.failure == Failure.GONE:
        webhook.pause(PauseReason.GONE)
        audit.note(audit.PORTAL, "paused, because its receiver answered 410 Gone", webhook)
    elif _only_fails(webhook):
        webhook.pause(PauseReason.FAILING)
        audit.note(audit.PORTAL, "paused, because it only failed for days", webhook)


def _only_fails(webhook: Webhook) -> bool:
    """Whether it has failed so often over so long a time, without one success, that it is paused."""
    since = utcnow() - timedelta(seconds=pace().pause_after)
    often = webhook.failures >= pace().pause_after_failures
    return often and webhook.failing_since is not None and webhook.failing_since < since


def _set_probe(webhook: Webhook, result: Result, was_probe: bool) -> None:
    opens_at = pace().break_after_timeouts if result.failure in TIMEOUTS else pace().break_after
    opens = not webhook.probes and len(webhook.failed_ids) >= opens_at
    # What was in flight when it opened says nothing new: only a probe doubles the time to the next one.
    if opens or (webhook.probes and was_probe):
        webhook.probes += 1
        webhook.probe_at = db_now(pace().probe_delay(webhook.probes))
    if result.retry_after is not None:
        webhook.probe_at = db_now(max(result.retry_after, pace().first_probe))
