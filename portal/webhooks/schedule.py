"""When to try again: pure arithmetic, no clock and no database. Every number is a promise of the design."""

import random
from datetime import timedelta

SCHEDULE = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""Seconds before each attempt: 10 attempts over 75 h."""
JITTER = 0.1
MAX_WIDTH = 16
"""How many deliveries of one webhook are in flight at once, at most."""
BREAK_AFTER, BREAK_AFTER_TIMEOUTS = 3, 2
"""Failures in a row, of different deliveries, that open the breaker."""
FIRST_PROBE, LAST_PROBE = 5.0, 300.0
"""Seconds between probes while the breaker is open: doubling from the first to the last."""
POISON = timedelta(hours=1)
"""A delivery that fails for so long, while its webhook takes others, makes way for those behind it."""
GIVE_UP_FAILURES, GIVE_UP_SECONDS = 10, 5 * 86400
"""A webhook with so many failures over so long a time, and no success, is paused."""
LEASE_SECONDS, RENEW_SECONDS = 30.0, 5.0
SLICE_SECONDS, SLICE_DELIVERIES = 5.0, 500
"""After so much a drain hands over, so that no backlog starves the others."""


def retry_delay(step: int) -> float | None:
    """Seconds until the next attempt after `step` failed ones; None when the schedule has come to its end."""
    if step >= len(SCHEDULE):
        return None
    return SCHEDULE[step] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter needs no secrecy


def probe_delay(probe: int) -> float:
    """Seconds until the first, second, ... probe since the breaker opened."""
    return float(min(FIRST_PROBE * 2 ** min(probe - 1, 10), LAST_PROBE))


def wider(width: int) -> int:
    """The next step of the ramp, after a good answer."""
    return min(width * 2, MAX_WIDTH)
