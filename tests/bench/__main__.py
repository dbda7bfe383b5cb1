"""`make bench` measures what is promised about speed and size, prints it, and writes docs/performance.md.

A row is a module with `measure(chromium) -> str`: it prints how it gets on and returns its part of the page.
"""

import os
import platform
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.bench import isolation, log, outbound, save_to_green, weights, workers
from tests.browser import find
from tests.e2e.conftest import FLAGS

PAGE = Path("docs/performance.md")
ROWS = (save_to_green.measure, log.measure, isolation.measure, workers.measure, outbound.measure, weights.measure)
BEGINNING = """# Performance
Written by `make bench`, which measures a real installation (web and worker processes) on this machine's loopback.

Machine: {machine}. Its load was {before:.1f} at the start and {after:.1f} at the end.
"""


def machine() -> str:
    """What the figures depend on."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def load() -> float:
    """Processes that wanted to run, on average over the last minute; on an idle machine about 0."""
    return os.getloadavg()[0]


def main() -> None:
    path = find()
    if not path:
        sys.exit("No Chromium on this machine.")
    parts, before = [], load()
    print(f"{machine()}, load {before:.1f}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for measure in ROWS:
            parts.append(measure(chromium))
            print(f"\n\n{parts[-1]}")
        chromium.close()
    beginning = BEGINNING.format(machine=machine(), before=before, after=load())
    PAGE.write_text("\n".join([beginning, *parts]))
    print(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
