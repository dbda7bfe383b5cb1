"""Charts of the last 24 hours: attempts an hour by outcome, and how long answers took. Drawn, and told as a table."""

import math
import statistics
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, extract, func, select

from ..extensions import db, utcnow
from .models import Attempt, Delivery, Trigger

HOURS = 24
SAMPLE = 5000
"""The answer times are those of so many attempts, the newest: enough to draw, and never a million to sort."""
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
    def bars(self) -> list[Bar]:
        """One an hour for what was taken, and what failed on top of it."""
        found = []
        for number, hour in enumerate(self.hours):
            x, good, bad = number * SLOT + GAP / 2, self._height(hour.good), self._height(hour.bad)
            found += [Bar("c-ok", x, HEIGHT - good, good)] if good else []
            found += [Bar("c-bad", x, HEIGHT - good - bad, bad)] if bad else []
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


def attempts(webhook_ids: Collection[uuid.UUID], now: datetime | None = None) -> Chart:
    """Attempts an hour by outcome, of all these webhooks together; tests are none."""
    start, counts = _start(now), dict[int, tuple[int, int]]()
    epoch = extract("epoch", Attempt.started_at)
    good, bad = (func.count().filter(condition) for condition in (_is_good(), ~_is_good()))
    query = select((epoch - epoch % 3600).label("hour"), good, bad).where(*_since(webhook_ids, start)).group_by("hour")
    for second, taken, failed in db.session.execute(query):
        counts[int(second)] = taken, failed
    hours = [Hour(at, *counts.get(int(at.timestamp()), (0, 0))) for at in _hours(start)]
    return Chart(hours, _ceiling(hour.good + hour.bad for hour in hours))


def answer_times(webhook_ids: Collection[uuid.UUID], now: datetime | None = None) -> Chart:
    """How long the newest attempts took, by hour."""
    start, found = _start(now), defaultdict[datetime, list[float]](list)
    query = select(Attempt.started_at, Attempt.duration_ms).where(*_since(webhook_ids, start))
    for at, duration in db.session.execute(query.order_by(Attempt.started_at.desc()).limit(SAMPLE)):
        found[at.replace(minute=0, second=0, microsecond=0)].append(duration)
    hours = [Hour(at, len(found[at]), 0, _share(found[at], 50), _share(found[at], 95)) for at in _hours(start)]
    return Chart(hours, _ceiling(hour.p95 or 0 for hour in hours))


def save_to_answer(workspace_id: uuid.UUID) -> tuple[float | None, float | None]:
    """Milliseconds from the change to its delivery, p50 and p95 of the newest deliveries of the workspace."""
    columns = select(Delivery.created_at, Delivery.succeeded_at).where(Delivery.workspace_id == workspace_id)
    newest = columns.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(SAMPLE)
    pairs = db.session.execute(newest).all()
    taken = [(end - start).total_seconds() * 1000 for start, end in pairs if end]
    return _share(taken, 50), _share(taken, 95)


def _is_good() -> ColumnElement[bool]:
    return Attempt.failure.is_(None)


def _since(webhook_ids: Collection[uuid.UUID], start: datetime) -> tuple[ColumnElement[bool], ...]:
    return Attempt.webhook_id.in_(webhook_ids), Attempt.started_at >= start, Attempt.trigger != Trigger.TEST


def _start(now: datetime | None) -> datetime:
    """The first of the hours that are shown, the last of which is under way."""
    hour = (now or utcnow()).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour - timedelta(hours=HOURS - 1)


def _hours(start: datetime) -> list[datetime]:
    return [start + timedelta(hours=number) for number in range(HOURS)]


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
