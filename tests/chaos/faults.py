"""The kinds of faults, how many of each, and a seeded order of them."""

import math
import random
from dataclasses import dataclass
from enum import StrEnum

WORKERS = 2


class Kind(StrEnum):
    """What is done to an installation."""

    KILL_WORKER = "kill -9 of a worker"
    KILL_WEB = "kill -9 of web"
    TERM = "SIGTERM of a worker"
    SUSPEND = "a worker sleeps past its lease"
    EMPTY_REDIS = "Redis emptied"
    RESTART_REDIS = "Redis restarted"
    SILENT_REDIS = "Redis silent"
    RESTART_DATABASE = "PostgreSQL restarted"
    BELLS = "duplicate bells"
    CLOCK = "the clock set back and forth"


KILLS = {Kind.KILL_WORKER, Kind.KILL_WEB}
REPEATING = {Kind.KILL_WORKER, Kind.SUSPEND, Kind.RESTART_DATABASE, Kind.CLOCK}
"""What was in flight at one of these may be sent again; at no other."""
OVERLAPPING = {Kind.SUSPEND, Kind.CLOCK}
"""At these two drains may both believe for a moment that they hold a webhook."""


@dataclass
class Fault:
    """One that happened, by the monotonic clock."""

    kind: Kind
    began: float
    ended: float
    is_last: bool = False
    """A kill of all workers at the end: nothing else was wrong until all had settled."""

    @property
    def spans(self) -> list[tuple[float, float]]:
        """When it went on; a clock that was wrong for a while has jumped twice."""
        moments = (self.began, self.ended)
        return [(moment, moment) for moment in moments] if self.kind == Kind.CLOCK else [moments]


@dataclass(frozen=True)
class Size:
    """How much happens to one installation."""

    kills: int
    others: int
    """Of each other kind of fault."""
    saves: int
    webhooks: int
    between: tuple[float, float]
    """How much arrives between two faults, at least and at most, as a share of what is saved meanwhile."""
    people: int = 4
    contacts: int = 40
    seconds: float = math.inf
    """Until peace. All faults come in that time; a slow machine makes fewer deliveries, and the table says so."""
    backlog: float = math.inf
    """No more is saved while so many shares of deliveries wait."""
    last_kills: int = 3
    """Kills of all workers at once, with nothing else wrong, to see how long recovery takes."""
    saves_without_redis: int = 3

    def schedule(self, seed: int) -> list[Kind]:
        """All faults but the last kills, in an order that only the seed decides. A third of the kills hit web."""
        web = self.kills // 3
        worker = self.kills - web - WORKERS * self.last_kills
        others = [kind for kind in Kind if kind not in KILLS]
        kinds = [Kind.KILL_WEB] * web + [Kind.KILL_WORKER] * worker + others * self.others
        random.Random(seed).shuffle(kinds)
        return kinds


FULL = Size(kills=100, others=6, saves=2500, webhooks=20, between=(0.7, 1.3), contacts=200, seconds=360, backlog=2)
SHORT = Size(
    kills=6, others=1, saves=10, webhooks=10, between=(0.1, 0.4), contacts=8, last_kills=1, saves_without_redis=2
)
"""Of one database: the 12 kills of the suite are shared by the two."""
