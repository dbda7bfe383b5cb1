"""What one receiver's trouble costs the others: the way from the commit of an event to its arrival."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from playwright.sync_api import Browser as Chromium
from sqlalchemy import func, select

from portal.extensions import db
from portal.webhooks import publisher
from portal.webhooks.models import Delivery, PauseReason, Status, Webhook
from tests.bench.load import POISON, Load, Sent, Target, figures, in_turns, loading, p99
from tests.filling import fill
from tests.sink import Manners

DATABASES = ("SQLite", "PostgreSQL")
WORKERS = 2
RECEIVERS = 10
EVENTS = 5000
"""Healthy ones, in each case."""
RATE = 40
"""Events a second to all receivers together, well below what the machine can take: backlogs are not measured here."""
ROUNDS = 2
"""Healthy and afflicted take turns so often."""
POISON_EVENTS = 2000
"""To each of the two webhooks."""
WARM_UP = 200
WAITING = 100_000
SINGLES = 1000
SINGLES_RATE = 20
CONTACTS = 1000
LIMITS = {"hang": 2.0, "poison": 1.5, "waiting": 2.0}
MEANING = """\
Milliseconds from the end of an event's commit to its arrival at the receiver, by one clock; {workers} processes of
`flask worker`. Events are committed at {rate} a second (single ones at {singles_rate}), so that latency is measured and
not a backlog. Each case has fresh webhooks; healthy and afflicted cases take turns in one run. Receivers that hang get
as many events as the others, take each request and never answer. The poisoned contact's events are refused with a 500;
meanwhile another webhook gets as many events of as many contacts, none of which is poisoned.
"""


@dataclass
class Case:
    """One line of the table."""

    name: str
    limit: float | None = None
    """Times the p99 of the healthy case."""
    times: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    """How many events a second there really were, in each turn, those for the afflicted included."""

    def add(self, load: Load, sent: Sequence[Sent], targets: Sequence[Target]) -> None:
        """Take the latencies of the events for these webhooks, once all of them have arrived."""
        self.times += load.latencies([one for one in sent if one.target in targets])
        self.rates.append((len(sent) - 1) / (sent[-1].at - sent[0].at))


def measure(_chromium: Chromium) -> str:
    """All cases on both databases, as a table."""
    lines = [
        "## Isolation",
        MEANING.format(workers=WORKERS, rate=RATE, singles_rate=SINGLES_RATE),
        "| database | | events | a second | p50 | p99 | max | p99, times healthy | |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for database in DATABASES:
        for series in (hanging, poisoned, waiting):
            with loading(database) as load:
                found = table(database, series(load))
            print("", *found, sep="\n", end="", flush=True)
            lines += found
    return "\n".join([*lines, ""])


def table(database: str, cases: Sequence[Case]) -> list[str]:
    """Lines of the table; the first case is what the others are compared with."""
    first, *others = cases
    lines = [f"{line(database, first)} | |"]
    for case in others:
        ratio = p99(case.times) / p99(first.times)
        verdict = "PASS" if case.limit and ratio <= case.limit else "over"
        lines.append(f"{line(database, case)} {ratio:.2f} (at most {case.limit}) | {verdict} |")
    return lines


def line(database: str, case: Case) -> str:
    """All cells but the last two."""
    return f"| {database} | {case.name} | {len(case.times):,} | {min(case.rates):.0f} | {figures(case.times)} |"


def hanging(load: Load) -> list[Case]:
    """Ten receivers: none, one and five of them hang."""
    cases = {
        0: Case(f"all of {RECEIVERS} receivers healthy"),
        1: Case(f"1 of {RECEIVERS} hangs: the others", LIMITS["hang"]),
        5: Case(f"5 of {RECEIVERS} hang: the others", LIMITS["hang"]),
    }
    start(load)
    for _ in range(ROUNDS):
        for hangs, case in cases.items():
            turn(load, case, hangs, EVENTS // ROUNDS)
    return list(cases.values())


def start(load: Load) -> None:
    """The worker processes, warmed up: what they load at their first delivery is loaded."""
    for _ in range(WORKERS):
        load.made.worker()
    turn(load, Case("not counted"), 0, WARM_UP)


def turn(load: Load, case: Case, hangs: int, count: int) -> None:
    """`count` events to healthy ones of fresh receivers, beside those to the ones that hang."""
    ill = [load.target(Manners(hangs=True)) for _ in range(hangs)]
    healthy = [load.target() for _ in range(RECEIVERS - hangs)]
    sent = load.stream(in_turns([*ill, *healthy]), count * RECEIVERS // len(healthy), RATE)
    case.add(load, sent, healthy)
    for target in [*ill, *healthy]:
        publisher.delete(db.session.get_one(Webhook, target.webhook_id))
    db.session.commit()
    load.settle()


def poisoned(load: Load) -> list[Case]:
    """Two webhooks at the same time; one of them has a contact whose events its receiver refuses."""
    start(load)
    fine = load.target(contacts=CONTACTS)
    ill = load.target(Manners(refuses=POISON), contacts=CONTACTS, is_poisoned=True)
    healthy = Case(f"all of {CONTACTS:,} contacts healthy")
    others = Case(f"1 of {CONTACTS:,} contacts poisoned: the others", LIMITS["poison"])
    sent = load.stream(in_turns([fine, ill]), 2 * POISON_EVENTS, RATE)
    sent = [one for one in sent if one.contact_id != ill.poisoned]
    healthy.add(load, sent, [fine])
    others.add(load, sent, [ill])
    return [healthy, others]


def waiting(load: Load) -> list[Case]:
    """One webhook with a long queue, held and let go in turns, and single events for another."""
    long = load.target()
    fill([hold(long)], log=1, waiting=WAITING, contacts=CONTACTS)
    db.session.remove()
    db.engine.dispose()  # its connection was told to hurry, at the price of safety
    start(load)
    other = load.target()
    idle = Case("a single event, nothing else to do")
    busy = Case(f"a single event beside {WAITING:,} waiting", LIMITS["waiting"])
    for _ in range(ROUNDS):
        singles(load, idle, other)
        let_go(long)
        singles(load, busy, other)
        hold(long)
        load.settle()
    assert left(long), "the queue was too short"
    print(f"\nIn the end {left(long):,} still waited", end="")
    return [idle, busy]


def singles(load: Load, case: Case, target: Target) -> None:
    """Events that come one at a time."""
    case.add(load, load.stream(itertools.repeat(target), SINGLES // ROUNDS, SINGLES_RATE), [target])


def hold(target: Target) -> Webhook:
    """Pause the webhook as a person does."""
    webhook = db.session.get_one(Webhook, target.webhook_id)
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    return webhook


def let_go(target: Target) -> None:
    publisher.resume(db.session.get_one(Webhook, target.webhook_id))
    db.session.commit()


def left(target: Target) -> int:
    """How many deliveries wait for the webhook."""
    query = select(func.count(Delivery.id)).where(
        Delivery.webhook_id == target.webhook_id, Delivery.status == Status.PENDING
    )
    count = db.session.scalar(query) or 0
    db.session.rollback()
    return count
