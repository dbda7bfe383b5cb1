"""With a long log and a long queue, what the engine asks for again and again uses an index."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from portal.extensions import db, is_sqlite, utcnow
from portal.webhooks import engine, lanes
from portal.webhooks.lease import Lease
from portal.webhooks.models import LaneEntry, Webhook
from tests.filling import fill
from tests.webhooks.driving import OK
from tests.webhooks.making import make_event, make_webhook, make_workspace

LONG = {"delivery", "event", "lane_entry", "attempt", "subject"}
"""Tables that grow with what happens."""


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Those that are sent to the database meanwhile."""
    found: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        found.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", keep)
    yield found
    event.remove(db.engine, "before_cursor_execute", keep)


def scans(statement: str, parameters: Any) -> list[str]:
    """Parts of the plan that read a long table from end to end."""
    words = "EXPLAIN QUERY PLAN " if is_sqlite() else "EXPLAIN "
    plan = [str(row[-1]) for row in db.session.connection().exec_driver_sql(words + statement, parameters)]
    names = dict(re.findall(r"\b(\w+) AS (\w+)\b", statement))
    aliases = {alias for table, alias in names.items() if table in LONG}
    whole = r"^\s*SCAN (\w+)" if is_sqlite() else r"Seq Scan on (\w+)"
    return [line for line in plan if (read := re.search(whole, line)) and read[1] in LONG | aliases]


@pytest.mark.parametrize("contacts", [1000, 20_000])
def test_nothing_that_the_engine_asks_reads_a_long_table_from_end_to_end(app: Flask, contacts: int) -> None:
    space = make_workspace()
    webhooks = [make_webhook(space) for _ in range(10)]
    fill(webhooks, log=200_000, waiting=20_000, contacts=contacts)
    busy = db.session.get_one(Webhook, webhooks[-1].id)
    lease = Lease(busy.id)
    assert lease.take()

    def probe() -> None:
        busy.probes, busy.probe_at = 1, utcnow()
        assert [letter.is_probe for letter in engine.claim(busy.id, lease.token, [])] == [True]

    def answer() -> None:
        engine.record(lease.token, [(engine.claim(busy.id, lease.token, [])[0], OK)])

    contact = db.session.scalars(db.select(LaneEntry.contact_id).limit(1)).one()
    asked: dict[str, Callable[[], object]] = {
        "claim": lambda: engine.claim(busy.id, lease.token, []),
        "claim a probe": probe,
        "record": answer,
        "the last look": lambda: engine.has_work(busy.id),
        "the sweep": engine.waiting_webhooks,
        "mend": lanes.mend,
        "publish": lambda: make_event(space, contact, commit=False),
    }
    for name, work in asked.items():
        with statements() as sent:
            work()
        found = [line for statement, parameters in sent for line in scans(statement, parameters)]
        assert [line for line in found if name != "mend" or "lane_entry" not in line] == [], name
        db.session.rollback()
