"""One installation in a storm: people save, faults come one after the other, and in the end all must settle."""

import math
import random
import time
from collections.abc import Callable

from tests.chaos import acts
from tests.chaos.faults import KILLS, OVERLAPPING, WORKERS, Fault, Kind, Size
from tests.chaos.site import Site
from tests.sink import Manners
from tests.system.forked import Forked
from tests.system.installation import LIMIT_SECONDS, until

LAST_SAVES = 2
SETTLE_SECONDS = 240
"""Only a limit for what never comes."""


class Storm:
    """What happened so far, what is wrong just now, and what comes next."""

    def __init__(self, site: Site, seed: int, size: Size, show: Callable[[str], object] = str) -> None:
        self.site, self.size, self.show = site, size, show
        self.chance, self.kinds = random.Random(seed), size.schedule(seed)
        if not site.database.restart:
            self.kinds = [kind for kind in self.kinds if kind != Kind.RESTART_DATABASE]
        self.web = site.machines.processes[0]
        self.workers: list[Forked] = []
        self.asleep: set[int] = set()
        self.wrong_clock = False
        self.later: list[tuple[float, Callable[[], None]]] = []
        """What ends by itself after a time: a worker's sleep, a wrong clock."""
        self.faults: list[Fault] = []
        self.exits: list[tuple[int | None, float]] = []
        """Of workers that were told to end: with which code, after how many seconds."""
        self.stuck = ""
        self.saved_without_redis = self.allowed = 0
        self.began = self.shown = time.monotonic()

    def run(self) -> None:
        """All faults, each in the midst of work; then peace, until everything has settled."""
        try:
            self._run()
        except AssertionError as never:
            self.stuck = str(never)
        self.site.machines.stop()
        self.site.people.go_home()

    def _run(self) -> None:
        self._start_workers()
        for step, kind in enumerate(self.kinds):
            self._let_work(step, len(self.kinds))
            self._suffer(kind)
        self._settle()
        for _ in range(self.size.last_kills):
            self._kill_last()

    def _suffer(self, kind: Kind) -> None:
        fault = Fault(kind, time.monotonic(), math.inf)
        self.faults.append(fault)
        acts.ACTS[kind](self, fault)
        if kind not in OVERLAPPING:  # those go on, and end by themselves
            fault.ended = time.monotonic()

    # Waiting

    def _let_work(self, step: int, steps: int) -> None:
        """Let people save their next share, and wait until some deliveries have arrived."""
        share = self.size.saves * (step + 1) // steps - self.size.saves * step // steps
        before, most = self.site.sink.accepted(), share * self.size.webhooks
        ends = self.began + self.size.seconds * (step + 1) / steps
        backlog = self.allowed * self.size.webhooks - before
        if backlog < self.size.backlog * most:
            self.allow(share)
        # What was saved before will all arrive: no more than that and half of what comes can be waited for.
        some = min(int(most * self.chance.uniform(*self.size.between)), max(0, backlog) + most // 2)
        arrived = self.site.sink.accepted
        self.until(lambda: arrived() >= before + some or time.monotonic() > ends, "deliveries arrive")

    def _settle(self) -> None:
        """Nothing is wrong any more: people save the rest, and all that is pending ends."""
        self.until(lambda: not self.later, "workers wake up and the clock is right again")
        self.until(lambda: self.site.people.answered() >= self.allowed, "people can save")
        ends, arrived = time.monotonic() + SETTLE_SECONDS, self.site.sink.accepted
        while self.site.database.pending() != 0 and time.monotonic() < ends:
            before = arrived()
            self.until(lambda now=before: arrived() > now or self.site.database.pending() == 0, "every delivery ends")

    def allow(self, saves: int) -> None:
        """Let people save so many times more."""
        self.allowed += saves
        self.site.people.allow(saves)

    def until(self, look: Callable[[], object], what: str, limit: float = LIMIT_SECONDS) -> None:
        """Wait for something; meanwhile end what has lasted long enough, and show how far it is."""

        def pass_time() -> object:
            now = time.monotonic()
            for due in [one for one in self.later if one[0] <= now]:
                self.later.remove(due)
                due[1]()
            if now - self.shown > 0.5:
                self.shown = now
                self.show(self.state())
            return look()

        until(pass_time, what, limit)

    def state(self) -> str:
        """One line about how far it is."""
        kills = sum(fault.kind in KILLS for fault in self.faults)
        doing = self.faults[-1].kind if self.faults else "starting"
        return (
            f"{time.monotonic() - self.began:4.0f} s, {self.site.people.answered():,} saves, "
            f"{self.site.sink.accepted():,} deliveries arrived, {kills} kills, {len(self.faults)} faults: {doing}"
        )

    def victim(self) -> int:
        """The number of a worker that is up and awake."""
        wanted = self.chance.randrange(len(self.workers))

        def find() -> list[int]:
            return [i for i in (wanted, 1 - wanted) if i not in self.asleep and self.workers[i].is_ready()]

        self.until(find, "a worker is up and awake")
        return find()[0]

    def _kill_last(self) -> None:
        """Kill all workers while each webhook has a request in flight; a new one has to go on with what they held."""
        sink, before = self.site.sink, self.site.sink.count()
        for name in self.site.webhooks:
            sink.behave(name, Manners(hangs=True))
        self.allow(LAST_SAVES)
        self.until(lambda: {one.name for one in sink.collect()[before:]} >= self.site.webhooks.keys(), "all are asked")
        began = time.monotonic()
        for worker in self.workers:
            worker.kill()
            self.faults.append(Fault(Kind.KILL_WORKER, began, time.monotonic(), is_last=True))
        for name, manners in self.site.manners.items():
            sink.behave(name, manners)
        self.workers = [self.site.machines.worker()]
        self._settle()
        self._start_workers()

    def _start_workers(self) -> None:
        while len(self.workers) < WORKERS:
            self.workers.append(self.site.machines.worker())
        self.until(lambda: all(worker.is_ready() for worker in self.workers), "workers start")
