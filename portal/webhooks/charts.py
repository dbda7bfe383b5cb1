"""Charts of the last 24 hours: attempts an hour by outcome, and how long answers took. Drawn, and told as a table.

Each hour is a range of the index of attempts, so that its borders are exact on both databases. All attempts count.
How long answers took is that of the newest `SAMPLE` attempts of each hour, and the page says so where there were more.
"""

import math
import statistics
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, literal, select, union_all

from ..extensions import db, utcnow
from .log_models import Attempt
from .models import Delivery, Trigger, Webhook

HOURS = 24
HOUR = timedelta(hours=1)
SAMPLE = 1000
"""So many attempts stand for an hour's answer times: a percentile of them is right to about one in a hundred."""
NEWEST = 5000
"""Deliveries of which `save_to_answer` tells."""
WIDTH, HEIGHT = 480, 100
"""Of the drawing, which is stretched to its place."""
SLOT = WIDTH / HOURS
GAP = 4


@dataclass(frozen=True, slots=True)
class Hour:
    """What was tried in one hour; the percentiles are milliseconds, None when nothing of it is in the sample."""

    at: datetime
    good: int
    bad: int
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """Percentiles in milliseconds; `is_sampled` when there was more than they are of."""

    p50: float | None
    p95: float | None
    is_sampled: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle: `look` is a class of the style sheet."""

    look: str
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Numbers and their drawing. `top` is the number at the upper edge."""

    hours: Sequence[Hour]
    top: int

    @property
    def good(self) -> int:
        return sum(hour.good for hour in self.hours)

    @property
    def bad(self) -> int:
        return sum(hour.bad for hour in self.hours)

    @property
    def is_sampled(self) -> bool:
        """Of answer times: whether some hour may have had more attempts than its percentiles are of."""
        return any(hour.good >= SAMPLE for hour in self.hours)

    @property
    def bars(self) -> list[Bar]:
        """One an hour for what was taken, and what failed on top of it."""
        found = []
        for number, hour in enumerate(self.hours):
            x, good, bad = number * SLOT + GAP / 2, self._height(hour.good), self._height(hour.bad)
            found += [Bar("c-ok", x, HEIGHT - good, good)] if good else []
            found += [Bar("c-bad", x, max(0.0, HEIGHT - good - bad), bad)] if bad else []
        return found

    def line(self, name: str) -> str:
        """The path of `p50` or `p95`: hours without an attempt leave a gap, a lonely one is a dash."""
        path, was_there = "", False
        for number, hour in enumerate(self.hours):
            value = getattr(hour, name)
            if value is not None:
                x, y = (number + 0.5) * SLOT, round(HEIGHT - self._height(value), 1)
                path += f"L{x} {y}" if was_there else f"M{x - SLOT / 4} {y}H{x + SLOT / 4}"
            was_there = value is not None
        return path

    def _height(self, value: float) -> float:
        """Of what is not zero at least a hair, so that one failure among thousands shows."""
        return round(max(1.5, HEIGHT * value / self.top), 1) if value else 0.0


def attempts(webhook_id: uuid.UUID, now: datetime | None = None) -> Chart:
    """Attempts an hour of a webhook by outcome; tests are none."""
    return _attempts(Attempt.webhook_id == webhook_id, now)


def all_attempts(workspace_id: uuid.UUID, now: datetime | None = None) -> Chart:
    """The same of all webhooks of a workspace, those that were deleted since among them."""
    mine = select(Webhook.id).where(Webhook.workspace_id == workspace_id)
    return _attempts(Attempt.webhook_id.in_(mine), now)


def answer_times(webhook_id: uuid.UUID, now: datetime | None = None) -> Chart:
    """How long the newest attempts of each hour took."""
    hours = _hours(now)
    took: list[list[float]] = [[] for _ in hours]
    newest = [
        select(literal(number).label("hour"), Attempt.duration_ms)
        .where(Attempt.webhook_id == webhook_id, *_within(at))
        .order_by(Attempt.started_at.desc())
        .limit(SAMPLE)
        .subquery()
        for number, at in enumerate(hours)
    ]
    for number, duration in db.session.execute(union_all(*(select(one) for one in newest))):
        took[number].append(duration)
    drawn = [Hour(at, len(one), 0, _share(one, 50), _share(one, 95)) for at, one in zip(hours, took, strict=True)]
    return Chart(drawn, _ceiling(hour.p95 or 0 for hour in drawn))


def save_to_answer(workspace_id: uuid.UUID) -> Waits:
    """How long it took from the changes of the last 24 h to their deliveries, of the newest ones; tests are none."""
    today = Delivery.workspace_id == workspace_id, Delivery.created_at >= utcnow() - HOURS * HOUR
    query = select(Delivery.created_at, Delivery.succeeded_at).where(*today, Delivery.trigger != Trigger.TEST)
    newest = query.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(NEWEST)
    pairs = db.session.execute(newest).all()
    taken = [(end - start) / timedelta(milliseconds=1) for start, end in pairs if end]
    return Waits(_share(taken, 50), _share(taken, 95), len(pairs) == NEWEST)


def _attempts(mine: ColumnElement[bool], now: datetime | None) -> Chart:
    hours = _hours(now)
    good, bad = (
        func.count().filter(condition) for condition in (Attempt.failure.is_(None), ~Attempt.failure.is_(None))
    )
    counted = [select(literal(n).label("hour"), good, bad).where(mine, *_within(at)) for n, at in enumerate(hours)]
    drawn = [Hour(hours[n], taken, failed) for n, taken, failed in db.session.execute(union_all(*counted))]
    drawn.sort(key=lambda hour: hour.at)
    return Chart(drawn, _ceiling(hour.good + hour.bad for hour in drawn))


def _within(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """SQL over Attempt: made in the hour that begins then, and no test."""
    return Attempt.started_at >= at, Attempt.started_at < at + HOUR, Attempt.trigger != Trigger.TEST


def _hours(now: datetime | None) -> list[datetime]:
    """When the hours that are shown begin, in UTC; the last one is under way."""
    last = (now or utcnow()).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return [last - HOUR * number for number in reversed(range(HOURS))]


def _share(values: Sequence[float], share: int) -> float | None:
    """The percentile; None of nothing."""
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def _ceiling(values: Iterable[float]) -> int:
    """A round number that none is above, and that has a round half: 2, 4, 10, 20, 40, 100, ..."""
    highest = max(values, default=0)
    size = 10 ** max(0, math.floor(math.log10(highest))) if highest > 0 else 1
    return next(int(size * step) for step in (1, 2, 4, 6, 8, 10) if size * step >= highest and size * step >= 2)
