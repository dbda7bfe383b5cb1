"""The promises, judged by what was committed and what arrived. Pure: the facts of any storm can be judged again."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from portal.webhooks.models import EventType, Status
from tests.chaos.facts import Facts, Pair
from tests.chaos.faults import KILLS, REPEATING, Fault, Kind
from tests.chaos.site import PACE
from tests.sink import Arrival

RECOVERY_LEASES = 4
"""A killed worker's webhooks go on within so many leases: one runs out, then a sweep rings; the rest is a margin."""
STOP_SECONDS = 25


@dataclass(frozen=True)
class Verdict:
    """Whether a promise held, and the figure that says so."""

    promise: str
    held: bool
    figure: str


def judge(facts: Facts) -> list[Verdict]:
    """All promises."""
    return [check(facts) for check in CHECKS]


def everything_ends(facts: Facts) -> Verdict:
    pending = sum(sent.status == Status.PENDING for sent in facts.sent.values())
    figure = f"{pending:,} pending at the end{', ' + facts.stuck if facts.stuck else ''}"
    return Verdict("after the storm everything ends within a bounded time", not pending and not facts.stuck, figure)


def nothing_is_lost(facts: Facts) -> Verdict:
    taken = {pair_of(arrival) for arrival in accepted(facts.arrivals)}
    failed = {pair for pair, sent in facts.sent.items() if sent.status == Status.FAILED}
    pending = {pair for pair, sent in facts.sent.items() if sent.status == Status.PENDING}  # see everything_ends
    lost = facts.sent.keys() - taken - failed - pending
    figure = f"{len(lost):,} lost of {len(facts.sent):,}, {len(failed):,} visibly failed"
    return Verdict("every committed delivery arrives or fails visibly", not lost and bool(taken), figure)


def every_change_has_its_event(facts: Facts) -> Verdict:
    """What contacts are in the end is what the last event of each says."""
    last = {event.contact: event for event in facts.events.values()}
    living = {key: event for key, event in last.items() if event.kind != EventType.DELETED}
    untold = [key for key, word in facts.contacts.items() if key not in last or word.encode() not in last[key].body]
    wrong = len(untold) + len(living.keys() - facts.contacts.keys())
    figure = f"{wrong:,} of {len(last):,} contacts are not what their last event says"
    return Verdict("a change and its event are committed together", not wrong, figure)


def commits_are_whole(facts: Facts) -> Verdict:
    hooks = facts.delays.keys()
    missing = sum((name, event) not in facts.sent for event in facts.events for name in hooks)
    figure = f"{missing:,} missing of {len(facts.events):,} events for {len(hooks)} webhooks"
    return Verdict("an event is committed with all its deliveries", not missing, figure)


def answered_saves_are_committed(facts: Facts) -> Verdict:
    bodies = defaultdict(list)
    for event in facts.events.values():
        bodies[event.kind, event.contact].append(event.body)
    answered = [save for save in facts.saves if save.answered]
    gone = [
        save
        for save in answered
        if not any(
            save.kind == EventType.DELETED or save.word.encode() in body for body in bodies[save.kind, save.contact]
        )
    ]
    figure = f"{len(gone):,} missing of {len(answered):,}; of {len(facts.saves) - len(answered):,} others "
    figure += f"{len(facts.events) - len(answered) + len(gone):,} were committed"
    return Verdict("every save that was answered is committed", not gone and bool(answered), figure)


def nothing_is_made_up(facts: Facts) -> Verdict:
    strange = sum(pair_of(arrival) not in facts.sent for arrival in facts.arrivals)
    return Verdict("nothing arrives that was not committed", not strange, f"{strange:,} of {len(facts.arrivals):,}")


def bytes_are_the_same(facts: Facts) -> Verdict:
    digests = {key: event.digest for key, event in facts.events.items()}
    other = sum(digests.get(arrival.event_id) != arrival.digest for arrival in facts.arrivals)
    return Verdict("each attempt has exactly the committed bytes", not other, f"{other:,} differ")


def order_is_kept(facts: Facts) -> Verdict:
    """Nothing arrives before all that is older in its lane was taken, nor after anything that is newer.

    One exception is in the nature of things: what a worker was about to send when it fell asleep, or what two drains
    sent when the clock jumped, may arrive late. It only repeats what its receiver has taken already.
    """
    early = back = late = 0
    for lane in lanes(facts):
        early += sum(arrival.at < lane.ready(arrival) for arrival in lane.arrivals)
        for arrival in lane.backward():
            jumped = cause(facts, {Kind.CLOCK}, arrival.at, arrival.at) is not None
            excused = lane.is_repeat(arrival) and (jumped or facts.age(arrival) > PACE.send_timeout - 1)
            late, back = late + excused, back + (not excused)
    figure = f"{early + back:,} inversions in {len(facts.arrivals):,} arrivals, {late:,} late repeats"
    return Verdict("order is kept for each contact", not early and not back, figure)


def repeats_have_a_cause(facts: Facts) -> Verdict:
    found = repeats(facts)
    most, happened = max(found.causes.values(), default=0), sum(fault.kind in REPEATING for fault in facts.faults)
    figure = (
        f"{found.causes.total():,} repeats at {happened:,} such faults, at most {most} of a webhook at one "
        f"({PACE.max_width} may be in flight); {found.unexplained:,} without a cause; machine too slow: "
        f"{found.answered_late:,} answers after the limit, {found.overtaken:,} leases ran out"
    )
    held = not found.unexplained and most <= PACE.max_width
    return Verdict("only what was in flight at a kill, sleep, restart or jump is sent again", held, figure)


def the_storm_was_whole(facts: Facts) -> Verdict:
    kills, count = sum(fault.kind in KILLS for fault in facts.faults), len(facts.sent)
    figure = f"{kills:,} kills and {len(facts.faults) - kills:,} other faults over {count:,} deliveries"
    few = f"; {facts.planned:,} were planned, the machine was too slow" if count < facts.planned else ""
    return Verdict("every planned kill happened", kills == facts.kills, figure + few)


def killed_workers_are_replaced(facts: Facts) -> Verdict:
    waits = [wait for fault in facts.faults if fault.is_last for wait in waits_after(facts, fault)]
    leases = max(waits, default=inf) / PACE.lease
    figure = f"after at most {leases:.1f} leases (limit {RECOVERY_LEASES}), {len(waits)} times"
    return Verdict("the webhooks of a killed worker go on", leases < RECOVERY_LEASES, figure)


def workers_stop(facts: Facts) -> Verdict:
    codes = [code for code, _ in facts.exits]
    longest = max((seconds for _, seconds in facts.exits), default=inf)
    held = not any(codes) and longest < STOP_SECONDS
    figure = f"{len(codes)} stops, at most {longest:.1f} s, codes {set(codes)}"
    return Verdict("SIGTERM: exit within 25 s, code 0", held, figure)


def saving_goes_on(facts: Facts) -> Verdict:
    count = facts.saved_without_redis
    return Verdict("saving goes on while Redis is away or silent", count > 0, f"{count} saves answered meanwhile")


CHECKS: tuple[Callable[[Facts], Verdict], ...] = (
    nothing_is_lost,
    answered_saves_are_committed,
    every_change_has_its_event,
    commits_are_whole,
    nothing_is_made_up,
    bytes_are_the_same,
    order_is_kept,
    repeats_have_a_cause,
    everything_ends,
    killed_workers_are_replaced,
    workers_stop,
    saving_goes_on,
    the_storm_was_whole,
)


class Lane:
    """What arrived about one contact at one webhook."""

    def __init__(self, keys: list[Pair], facts: Facts) -> None:
        self.places = {key: place for place, key in enumerate(keys)}
        self.arrivals: list[Arrival] = []
        self.taken: dict[Pair, float] = {}
        """When each was first taken: its answer was sent."""
        self.keys, self.facts = keys, facts

    def add(self, arrival: Arrival) -> None:
        """In the order of arrival."""
        self.arrivals.append(arrival)
        if 200 <= arrival.status < 300:
            self.taken.setdefault(pair_of(arrival), arrival.at + self.facts.delays[arrival.name])

    def ready(self, arrival: Arrival) -> float:
        """When the one in front of it was taken: it may not arrive before."""
        place = self.places[pair_of(arrival)]
        if not place:
            return -inf
        ahead = self.keys[place - 1]
        return -inf if self.facts.sent[ahead].status == Status.FAILED else self.taken.get(ahead, inf)

    def backward(self) -> Iterator[Arrival]:
        """Arrivals after one that is newer."""
        newest = 0
        for arrival in self.arrivals:
            place = self.places[pair_of(arrival)]
            if place < newest:
                yield arrival
            newest = max(newest, place)

    def is_repeat(self, arrival: Arrival) -> bool:
        """Whether it had been taken before."""
        return self.taken.get(pair_of(arrival), inf) < arrival.at


def lanes(facts: Facts) -> Iterable[Lane]:
    """All lanes with their arrivals."""
    keys = defaultdict(list)
    for pair in sorted(facts.sent, key=lambda pair: facts.sent[pair].seq):
        keys[pair[0], facts.events[pair[1]].contact].append(pair)
    made = {name: Lane(pairs, facts) for name, pairs in keys.items()}
    for arrival in facts.arrivals:
        if pair_of(arrival) in facts.sent:
            made[arrival.name, facts.events[arrival.event_id].contact].add(arrival)
    return made.values()


@dataclass
class Repeats:
    """What was taken more than once, and why."""

    causes: Counter[tuple[float, str]]
    """By the beginning of a fault and by webhook."""
    answered_late: int = 0
    """The log calls the first attempt failed: its answer came after the time limit."""
    overtaken: int = 0
    """So late that the first one's lease had run out: its worker got no time from a busy machine."""
    unexplained: int = 0


def repeats(facts: Facts) -> Repeats:
    """All of them."""
    taken, refused, found = defaultdict(list), Counter[Pair](), Repeats(Counter())
    for arrival in facts.arrivals:
        if 200 <= arrival.status < 300:
            taken[pair_of(arrival)].append(arrival)
        else:
            refused[pair_of(arrival)] += 1
    for pair, arrivals in taken.items():
        late = facts.failed_attempts[pair] - refused[pair]
        for number, (first, again) in enumerate(pairwise(arrivals)):
            if (moment := cause(facts, REPEATING, first.at, again.at)) is not None:
                found.causes[moment, pair[0]] += 1
            elif number < late:
                found.answered_late += 1
            elif again.at - first.at > PACE.lease - PACE.lease_renewal:
                found.overtaken += 1
            else:
                found.unexplained += 1
    return found


def cause(facts: Facts, kinds: set[Kind], since: float, until: float) -> float | None:
    """When that began which can have made the second of two arrivals: the fault that the first was in flight at.

    That is the next fault after it; or one just before it, for what was in flight may arrive after that.
    """
    spans = (span for fault in facts.faults if fault.kind in kinds for span in fault.spans)
    near = [began for began, ended in spans if began <= until and ended + PACE.longest_send >= since]
    after = [began for began in near if began >= since]
    return min(after) if after else max(near, default=None)


def waits_after(facts: Facts, kill: Fault) -> list[float]:
    """Seconds until the next arrival at each webhook for which something was pending when a worker was killed."""
    first, next_one = dict[Pair, float](), dict[str, float]()
    for arrival in facts.arrivals:
        if 200 <= arrival.status < 300:
            first.setdefault(pair_of(arrival), arrival.at)
        if arrival.at > kill.ended:
            next_one.setdefault(arrival.name, arrival.at)
    waiting = {
        pair[0] for pair, sent in facts.sent.items() if sent.created < kill.began and first.get(pair, 0) > kill.ended
    }
    return [next_one[name] - kill.ended for name in waiting]


def accepted(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    """Those that were told that they are taken."""
    return (arrival for arrival in arrivals if 200 <= arrival.status < 300)


def pair_of(arrival: Arrival) -> Pair:
    """The delivery that it was an attempt of."""
    return arrival.name, arrival.event_id
