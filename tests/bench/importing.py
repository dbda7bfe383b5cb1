"""How fast contacts are imported, whether a long file gets slower, and what it costs the worker and those who save."""

import csv
import io
import os
import statistics
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser as Chromium
from sqlalchemy import Engine, create_engine, select

from portal.extensions import READING
from portal.importing.models import Import, Stage
from tests.bench.save_to_green import DATABASES, serving
from tests.contacts.conftest import Fields
from tests.sink import sinking
from tests.system.installation import Browser, Installation

ROWS = int(os.environ.get("IMPORT_ROWS", "199998"))
"""Two halves of nearly as many as a file may have."""
WEBHOOKS = 3
PER_REQUEST = "100"
SAVES = 100
PAUSE = 0.2
"""Seconds between two saves: a person at work, and no load of its own."""
LONGEST = 3600
LIMITS = {"second half": 1.3, "memory": 300, "saves": 2.0}
HEAD = ("Email", "First name", "Last name", "Phone number", "Company name", "Job title", "City", "Tags", "Notes")
MEANING = """\
Nine columns, each row a new contact, {webhooks} webhooks that take {per_request} contacts in one request and get all of
them meanwhile; one `flask worker`. The second half of the rows is compared with the first by the time that each takes.
Memory is the most that the worker process ever held. Saves are edits of one contact by HTTP, one after the other, timed
from the request to the answer: alone are {saves} before the import, in an empty list, and as many after it, among all
that came; the ratio is that of the p95 during the run to theirs.
"""


@dataclass
class Figures:
    """What one database gave."""

    rates: dict[Stage, float] = field(default_factory=dict)
    """Rows a second of dry run and run."""
    halves: float = 0
    memory: float = 0
    """MB."""
    alone: list[float] = field(default_factory=list)
    meanwhile: list[float] = field(default_factory=list)
    """Milliseconds of saves."""


def measure(_chromium: Chromium) -> str:
    """Both databases, as a table."""
    lines = [
        "## Importing contacts",
        f"A file of {ROWS:,} rows, from its upload to the last contact.\n",
        "| database | dry run, rows a second | run, rows a second | second half, times the first | worker, MB | "
        "a save alone, p50 and p95 | meanwhile | p95, times alone | |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for database in DATABASES:
        with serving(database) as made, watching(made) as engine, sinking() as sink:
            receivers = [sink.url(f"import{number}") for number in range(WEBHOOKS)]
            lines.append(line(database, Series(made, engine).run(receivers)))
        print(lines[-1])
    return "\n".join([*lines, "", MEANING.format(webhooks=WEBHOOKS, per_request=PER_REQUEST, saves=SAVES)])


def line(database: str, found: Figures) -> str:
    """One line of the table."""
    ratio = p95(found.meanwhile) / p95(found.alone)
    fine = found.halves <= LIMITS["second half"] and found.memory <= LIMITS["memory"] and ratio <= LIMITS["saves"]
    rates = " | ".join(f"{found.rates[stage]:,.0f}" for stage in (Stage.CHECKING, Stage.RUNNING))
    saves = " | ".join(f"{statistics.median(one):.0f} ms, {p95(one):.0f} ms" for one in (found.alone, found.meanwhile))
    halves = f"{found.halves:.2f} (at most {LIMITS['second half']})"
    memory = f"{found.memory:.0f} (at most {LIMITS['memory']})"
    end = f"{ratio:.2f} (at most {LIMITS['saves']}) | {'PASS' if fine else 'over'}"
    return f"| {database} | {rates} | {halves} | {memory} | {saves} | {end} |"


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


@contextmanager
def watching(made: Installation) -> Iterator[Engine]:
    """The installation's database."""
    engine = create_engine(made.env["DATABASE_URL"], execution_options={READING: True})
    yield engine
    engine.dispose()


class Series:
    """One import, and somebody who goes on saving."""

    def __init__(self, made: Installation, engine: Engine) -> None:
        self.made, self.engine, self.found = made, engine, Figures()
        self.dana = Browser(made.url)
        self.dana.sign_up()

    def run(self, receivers: Sequence[str]) -> Figures:
        """Saves alone before the import and after it, and beside its run."""
        contact = self.dana.create_contact(email="dana@saves.example", first_name="Before")
        self.found.alone = self.saves(contact)
        for url in receivers:
            self.dana.post("/apps/webhooks/new", {"url": url, "contacts_per_request": PER_REQUEST,
                                                  "ContactCreated": "y", "ContactUpdated": "y"})  # fmt: skip
        key = self.upload()
        self.follow(key, Stage.CHECKING)
        self.dana.post(f"/contacts/import/{key}/run", page=f"/contacts/import/{key}")
        with ThreadPoolExecutor(1) as beside:
            following = beside.submit(self.follow, key, Stage.RUNNING)
            number = 0
            while not following.done():
                self.found.meanwhile.append(self.save(contact, number))
                number += 1
            times = following.result()
        self.found.alone += self.saves(contact)
        middle = next(at for at, row in times if row >= ROWS // 2)
        self.found.halves = (times[-1][0] - middle) / (middle - times[0][0])
        self.found.memory = max(map(most_held, (process.pid for process in self.made.workers)))
        return self.found

    def saves(self, contact: str) -> list[float]:
        return [self.save(contact, number) for number in range(SAVES)]

    def save(self, contact: str, number: int) -> float:
        """Change the contact's first name; returns the milliseconds that the answer took."""
        time.sleep(PAUSE)
        form = Fields(self.dana.get(f"/contacts/{contact}/edit").text).values | {"first_name": f"Name {number}"}
        begun = time.perf_counter()
        answer = self.dana.session.post(f"{self.made.url}/contacts/{contact}/edit", data=form, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return 1000 * (time.perf_counter() - begun)

    def upload(self) -> uuid.UUID:
        """Upload, and take the columns as they are guessed; the dry run begins."""
        form = Fields(self.dana.get("/contacts/import").text).values
        form.pop("file", None)
        files = {"file": ("people.csv", people())}
        answer = self.dana.session.post(f"{self.made.url}/contacts/import", data=form, files=files)
        key = uuid.UUID(answer.url.split("/")[-2])
        self.dana.post(f"/contacts/import/{key}/columns")
        return key

    def follow(self, key: uuid.UUID, stage: Stage) -> list[tuple[float, int]]:
        """Moments and the rows that were done by then, until this stage is over."""
        query, begun = select(Import.stage, Import.row).where(Import.id == key), time.monotonic()
        times: list[tuple[float, int]] = []
        while time.monotonic() < begun + LONGEST:
            with self.engine.connect() as connection:
                now, row = connection.execute(query).one()
            times.append((time.monotonic(), ROWS + 1 if now != stage else row))
            if now != stage:
                self.found.rates[stage] = ROWS / (times[-1][0] - times[0][0])
                print(f"{stage}: {self.found.rates[stage]:,.0f} rows a second")
                return times
            time.sleep(0.05)
        raise AssertionError("the import never ends")


def most_held(pid: int) -> float:
    """The most memory that a process ever held, in MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def people() -> bytes:
    """As many different people as there are rows."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    for i in range(ROWS):
        name, family = f"Given{i % 997}", f"Family{i % 4999}"
        row = (
            f"person{i}@company{i % 1000}.example",
            name,
            family,
            f"+34 6{i:08d}",
            f"Company {i % 1000}",
            "Support",
            ("Porto", "Faro", "Braga")[i % 3],
            "Imported, VIP" if i % 10 == 0 else "Imported",
            "",
        )
        writer.writerow(row)  # fmt: skip
    return text.getvalue().encode()
