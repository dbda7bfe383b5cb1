"""`make chaos`: faults of all kinds, in an order that SEED decides, on a real installation; do the promises hold?

The 200 kills and 100,000 deliveries are shared by SQLite and PostgreSQL, half each.
"""

import os
import signal
import sys
import time

from tests.chaos.checks import Verdict, judge
from tests.chaos.facts import gather
from tests.chaos.faults import FULL, SHORT, Size
from tests.chaos.site import DATABASES, built
from tests.chaos.storm import Storm

SIZES = {"full": FULL, "short": SHORT}


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that runs is stopped, and not left behind
    seed = int(os.environ.get("SEED") or time.time_ns() % 1_000_000)
    names = [word for word in sys.argv[1:] if word in DATABASES] or list(DATABASES)
    size = SHORT if "short" in sys.argv else FULL
    print(f"Repeat this with SEED={seed}. Half of all on each database.", flush=True)
    held = [weather(name, seed, size) for name in names]
    if not all(held):
        sys.exit(f"A promise is broken (SEED={seed}).")


def weather(name: str, seed: int, size: Size) -> bool:
    """One storm and its table. Whether all promises held."""
    with built(name, seed, size) as site:
        storm = Storm(site, seed, size, lambda line: print(f"\r{name}: {line:<120}", end="", flush=True))
        storm.run()
        facts, state = gather(storm), storm.state()
    verdicts = judge(facts)
    print(f"\r{name}: {state}; saves: {dict(site.people.outcomes)}\n{table(verdicts)}\n", flush=True)
    return all(verdict.held for verdict in verdicts)


def table(verdicts: list[Verdict]) -> str:
    """A promise a line."""
    width = max(len(verdict.promise) for verdict in verdicts)
    return "\n".join(
        f"  {'held  ' if verdict.held else 'BROKEN'}  {verdict.promise:<{width}}  {verdict.figure}"
        for verdict in verdicts
    )


if __name__ == "__main__":
    main()
