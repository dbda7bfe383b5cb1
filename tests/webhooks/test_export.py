"""The log as a file: all that matches, harmless to spreadsheets and terminals, and written while it is read."""

import csv
import gc
import io
from datetime import timedelta

import pytest
from flask import Flask

from portal.extensions import db
from portal.webhooks import export, filters
from portal.webhooks.filters import Filters
from portal.webhooks.models import Status
from portal.webhooks.search import Log
from tests.conftest import Person
from tests.filling import fill_log
from tests.webhooks.conftest import Deliver
from tests.webhooks.making import make_webhook, make_workspace

MEGABYTE = 2**20


def read(dana: Person, query: str = "") -> list[dict[str, str]]:
    answer = dana.client.get(f"/deliveries.csv{query}")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_it_has_what_matches_newest_first(dana: Person, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 2)
    monkeypatch.setattr(filters, "WINDOW", 3)
    made = [deliver(f"Ann {n}", status=Status.FAILED, failure="refused", age=timedelta(minutes=n)) for n in range(5)]
    for n in range(5):
        deliver("Bob", status=Status.SUCCEEDED, answer=200, age=timedelta(seconds=n))
    found = read(dana, "?result=refused")
    assert [row["delivery_id"] for row in found] == [str(one.id) for one in made]
    assert len(read(dana, "?attempt=first")) == 10
    first = found[0]
    assert first["time"] == made[0].created_at.isoformat(timespec="milliseconds")
    subject = made[0].event.subjects[0]
    assert (first["contact"], first["contact_id"], first["contact_uuid"]) == ("Ann 0", "1001", str(subject.contact_id))
    assert (first["webhook"], first["webhook_id"]) == ("hooks.acme.example/contacts", made[0].event_id)
    assert (first["state"], first["failure"], first["http_code"], first["attempts"]) == ("failed", "refused", "", "1")
    link = 'href="/deliveries.csv?result=refused" download>'
    assert link in dana.client.get("/deliveries?result=refused").text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_cell_is_a_formula_or_speaks_to_a_terminal(dana: Person, deliver: Deliver) -> None:
    names = [
        "=1+1",
        "+49 30 1",
        "-1",
        "@x",
        "\t=2",
        "\r=3",
        "  =4",
        "\uff1d5",
        "\uff0b6",
        "\x1b[2J7",
        "a\nb",
        'say "hi", you',
        "\u202egnp",
    ]
    for name in names:
        deliver(name)
    text = dana.client.get("/deliveries.csv").text
    cells = {row["contact"] for row in csv.DictReader(io.StringIO(text))}
    assert all(not cell.lstrip().startswith(export.FORMULA) for cell in cells)
    assert {"'=1+1", "'+49 30 1", "'-1", "'@x", "'\uff1d5", "a b", 'say "hi", you'} <= cells
    assert not set("\x1b\u202e\t") & set(text)
    assert text.count("\r\n") == len(names) + 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_long_one_takes_no_more_memory_than_a_short_one(app: Flask) -> None:
    space = make_workspace()
    fill_log([make_webhook(space)], 30_000)
    sizes: list[int] = []
    kept: list[int] = []
    lines = 0
    for text in export.lines(Log(space, Filters())):
        sizes.append(len(text))
        kept.append(len(gc.get_objects()) if len(sizes) % 10 == 5 else 0)
        assert not db.session().in_transaction()  # nothing is held while somebody reads slowly
        lines += text.count("\n")
    assert lines == 30_001
    assert max(sizes) < MEGABYTE < 3 * MEGABYTE < sum(sizes)
    assert max(kept) - kept[4] < 20_000
