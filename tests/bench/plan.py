"""What an idle installation takes of a small plan: memory of the web process and of the worker."""

import time

from playwright.sync_api import Browser as Chromium

from tests.bench.load import Load, loading
from tests.bench.workers import memory
from tests.system.installation import Browser

SETTLE_SECONDS = 20
LIMITS = {"web": 120, "worker": 150}
MEANING = """\
Megabytes of memory, shared pages counted once (PSS), after some pages and {seconds} quiet seconds. One web process
with 8 threads and one worker process with 8. Promise: web under 120 MB, a worker under 150 MB. How many connections
they hold, a test counts: at most 18 to PostgreSQL and 18 to Redis.
"""


def measure(_chromium: Chromium) -> str:
    """Both processes on both databases, as a table."""
    lines = [
        "## Idle",
        MEANING.format(seconds=SETTLE_SECONDS),
        "| database | process | memory | |",
        "|---|---|---:|---|",
    ]
    for database in ("PostgreSQL", "SQLite"):
        with loading(database) as load:
            lines += table(database, load)
    return "\n".join([*lines, ""])


def table(database: str, load: Load) -> list[str]:
    """Start both, look at some pages, wait, weigh."""
    processes = {"web": load.made.web(), "worker": load.made.worker()}
    person = Browser(load.made.url)
    person.sign_up()
    for path in ("/", "/contacts", "/apps", "/deliveries", "/docs/receiving"):
        assert person.get(path).status_code == 200
    time.sleep(SETTLE_SECONDS)
    weights = {name: memory({process.pid}) for name, process in processes.items()}
    return [
        f"| {database} | {name} | {weight:,.0f} MB | {'PASS' if weight < LIMITS[name] else 'over'} |"
        for name, weight in weights.items()
    ]
