"""`make bench` measures what is promised about speed and size, prints it, and writes docs/performance.md.

A row is a module with `measure(chromium) -> str`: it prints how it gets on and returns its part of the page. With
ROWS="isolation log" only those are measured; the others' parts stay as they were, each with its day.
"""

import os
import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from playwright.sync_api import sync_playwright

from tests.bench import (
    contacts,
    growth,
    importing,
    isolation,
    log,
    outbound,
    plan,
    pruning,
    save_to_green,
    throttle,
    throughput,
    weights,
    workers,
)
from tests.browser import find
from tests.e2e.conftest import FLAGS

PAGE = Path("docs/performance.md")
MODULES = (
    save_to_green, throughput, workers, isolation, growth, pruning, throttle, plan, log, contacts, importing, outbound,
    weights,
)  # fmt: skip
ROWS = {module.__name__.rpartition(".")[2]: module for module in MODULES}
BEGINNING = """# Performance
Written by `make bench`, which measures a real installation (web and worker processes) on one machine's loopback.
"""


def machine() -> str:
    """What the figures depend on."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def load() -> float:
    """Processes that wanted to run, on average over the last minute; on an idle machine about 0."""
    return os.getloadavg()[0]


def main() -> None:
    os.environ.setdefault("PORTAL_ENV", "development")
    chosen, path = sys.argv[1:] or list(ROWS), find()
    if unknown := set(chosen) - ROWS.keys():
        sys.exit(f"No such row: {', '.join(sorted(unknown))}. There are {', '.join(ROWS)}.")
    if not path:
        sys.exit("No Chromium on this machine.")
    print(f"{machine()}, load {load():.1f}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for name in chosen:
            add(measured(ROWS[name], chromium))
        chromium.close()
    print(f"Written to {PAGE}")


def measured(module: ModuleType, chromium: object) -> str:
    """A row's part of the page, with when and on what it was measured."""
    before = load()
    heading, rest = module.measure(chromium).split("\n", 1)
    day = f"{datetime.now(UTC):%-d %B %Y}"
    part = f"{heading}\n*{day}; {machine()}; load {before:.1f} at the start.*\n\n{rest.strip()}\n"
    print(f"\n\n{part}")
    return part


def add(part: str) -> None:
    """Put the part in the place of the one with its heading, or at the end."""
    old = re.split(r"^(?=## )", PAGE.read_text(), flags=re.MULTILINE)[1:] if PAGE.exists() else []
    heading = part.split("\n", 1)[0]
    parts = {text.split("\n", 1)[0]: text.strip() + "\n" for text in old} | {heading: part}
    PAGE.write_text("\n".join([BEGINNING, *parts.values()]))


if __name__ == "__main__":
    main()
