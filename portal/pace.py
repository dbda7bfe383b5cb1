"""The numbers by which deliveries are made: when to try again, how many at once, when to give up. Pure arithmetic.

Each is a promise of the guide; each can be set by an environment variable, `PORTAL_` and its name in capitals.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import lru_cache, wraps
from typing import Any, Self, TypeVar, TypeVarTuple

from flask import current_app

Parts = TypeVarTuple("Parts")
Statement = TypeVar("Statement")


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Pace:
    """Every number of the engine, its default and its meaning. Times are in seconds, unless they say days."""

    retry_schedule: tuple[float, ...] = _setting(
        (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
        "Before each attempt of a delivery; after the last one it is failed.",
    )
    retry_jitter: float = _setting(0.1, "Each of these varies by so much of itself.")
    send_timeout: float = _setting(15.0, "What one attempt may take, from the look-up of the name to the last byte.")
    connect_timeout: float = _setting(5.0, "What its look-up may take, and its connection.")
    max_width: int = _setting(16, "Deliveries of one webhook that are in flight at once, at most.")
    break_after: int = _setting(3, "Different deliveries that fail in a row before only probes are sent.")
    break_after_timeouts: int = _setting(2, "The same, when the last of them ran into a time limit.")
    first_probe: float = _setting(5.0, "Until the first probe; each further one waits twice as long ...")
    last_probe: float = _setting(300.0, "... but never longer than this.")
    poison_after: float = _setting(
        3600.0, "What fails for so long while its webhook takes others makes way for those behind it."
    )
    pause_after: float = _setting(5 * 86400.0, "A webhook that only fails for so long is paused ...")
    pause_after_failures: int = _setting(10, "... if so many attempts failed meanwhile.")
    warn_after: tuple[float, ...] = _setting(
        (3600, 86400, 4 * 86400), "When a webhook has only failed for so long, an alarm is raised."
    )
    lease: float = _setting(30.0, "How long a drain holds its webhook; after a kill, others wait for its end.")
    lease_renewal: float = _setting(5.0, "How often it renews that.")
    slice: float = _setting(5.0, "A drain hands over after this ...")
    slice_deliveries: int = _setting(500, "... or after so many deliveries, so that no backlog starves the others.")
    sweep: float = _setting(3.0, "How often each worker process looks for what is due.")
    keep_bodies_days: int = _setting(30, "Bodies of events, answers and sandbox requests are kept for so many days.")
    keep_facts_days: int = _setting(
        90, "Events, deliveries and attempts are kept for so many days, without bodies then."
    )
    keep_letters_days: int = _setting(7, "Letters are kept for so many days, sent or given up.")
    keep_audit_days: int = _setting(730, "It is kept for so many days who did what.")

    def __post_init__(self) -> None:
        if self.lease < self.longest_send + self.lease_renewal:
            raise ValueError("PORTAL_LEASE must be longer than PORTAL_SEND_TIMEOUT and PORTAL_LEASE_RENEWAL, and 1 s.")
        if self.keep_facts_days < self.keep_bodies_days:
            raise ValueError("PORTAL_KEEP_FACTS_DAYS can't be less than PORTAL_KEEP_BODIES_DAYS.")
        if self.keep_letters_days < 4:
            raise ValueError("PORTAL_KEEP_LETTERS_DAYS must be 4 or more: letters are tried for three days.")
        if self.keep_audit_days <= 365:
            raise ValueError("PORTAL_KEEP_AUDIT_DAYS must be more than 365: the database keeps a year of it.")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The defaults, and what the environment says instead.

        Raises ValueError with a sentence for the operator when a value is no number, or one that can't work.
        """
        texts = {one.name: environ.get(variable(one.name)) for one in fields(cls)}
        return cls(**{name: _read(name, text) for name, text in texts.items() if text})

    @property
    def attempts(self) -> int:
        """How many attempts a delivery gets."""
        return len(self.retry_schedule)

    @property
    def whole_schedule(self) -> timedelta:
        return timedelta(seconds=sum(self.retry_schedule))

    @property
    def poison(self) -> timedelta:
        return timedelta(seconds=self.poison_after)

    @property
    def longest_send(self) -> float:
        """What one send takes at most: none begins unless the lease lasts longer."""
        return self.send_timeout + 1

    def retry_delay(self, step: int) -> float | None:
        """Seconds until the next attempt after `step` failed ones; None when the schedule has come to its end."""
        if step >= self.attempts:
            return None
        jitter = random.uniform(1 - self.retry_jitter, 1 + self.retry_jitter)  # noqa: S311 - no secret
        return self.retry_schedule[step] * jitter

    def probe_delay(self, probe: int) -> float:
        """Seconds until the first, second, ... probe since the breaker opened."""
        return float(min(self.first_probe * 2 ** min(probe - 1, 20), self.last_probe))

    def wider(self, width: int) -> int:
        """The next step of the ramp, after a good answer."""
        return min(width * 2, self.max_width)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"PORTAL_{name.upper()}"


def pace() -> Pace:
    """The running app's numbers."""
    found: Pace = current_app.config["PACE"]
    return found


def prepared(make: Callable[[*Parts], Statement]) -> Callable[[*Parts], Statement]:
    """Make a statement once for each app's numbers, and not at each use: SQLAlchemy takes longer to build one than to
    run it. What differs from use to use goes in as bound parameters."""

    @lru_cache
    def made(_numbers: Pace, *parts: *Parts) -> Statement:
        return make(*parts)

    @wraps(make)
    def once(*parts: *Parts) -> Statement:
        return made(pace(), *parts)

    return once


def _read(name: str, text: str) -> Any:
    default = Pace.__dataclass_fields__[name].default
    kind = int if isinstance(default, int) else float
    try:
        numbers = [kind(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise ValueError(f"{variable(name)} is not a number: {text!r}.") from error
    several = isinstance(default, tuple)
    lowest, highest = {"retry_schedule": (0, 1e8), "retry_jitter": (0, 1)}.get(name, (1 if kind is int else 0.01, 1e8))
    if not numbers or not all(lowest <= number <= highest for number in numbers) or (len(numbers) > 1 and not several):
        raise ValueError(f"{variable(name)} can't be {text!r}.")
    return tuple(numbers) if several else numbers[0]
