"""With a long log and a long queue, what the engine asks for again and again uses an index."""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from sqlalchemy import event, text

from portal import audit
from portal.extensions import db, is_sqlite, utcnow
from portal.pace import pace
from portal.webhooks import charts, engine, filters, readings, search, sendable
from portal.webhooks.filters import Filters
from portal.webhooks.lease import Lease
from portal.webhooks.models import LaneEntry, Webhook
from portal.webhooks.search import Log
from tests.filling import fill, fill_attempts, fill_log
from tests.webhooks.driving import OK, TIMEOUT, answer
from tests.webhooks.making import make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both

LONG = {"audit_entry", "delivery", "event", "lane_entry", "attempt", "subject", "mention", "search_word"}
"""Tables that grow with what happens."""

LOG = int(os.environ.get("PLAN_LOG", "30000"))
"""Deliveries in the log, beside a tenth of it that waits; `make plans` looks at a million."""


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Those that are sent to the database meanwhile."""
    found: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        found.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", keep)
    yield found
    event.remove(db.engine, "before_cursor_execute", keep)


def plan_of(statement: str, parameters: Any, is_small: bool = False) -> list[str]:
    """How the database would answer, line by line; from a small table as if reading it whole were dear."""
    if is_small and not is_sqlite():
        db.session.execute(text("SET LOCAL enable_seqscan TO OFF"))
    words = "EXPLAIN QUERY PLAN " if is_sqlite() else "EXPLAIN "
    one = parameters[0] if isinstance(parameters, list) else parameters  # a list is for many rows
    return [str(row[-1]) for row in db.session.connection().exec_driver_sql(words + statement, one)]


def scans(statement: str, parameters: Any, is_small: bool = False) -> list[str]:
    """Parts of the plan that read a long table from end to end."""
    plan = plan_of(statement, parameters, is_small)
    names = dict(re.findall(r"\b(\w+) AS (\w+)\b", statement))
    aliases = {alias for table, alias in names.items() if table in LONG}
    whole = r"^\s*SCAN (\w+)" if is_sqlite() else r"Seq Scan on (\w+)"
    return [line for line in plan if (read := re.search(whole, line)) and read[1] in LONG | aliases]


@pytest.mark.parametrize("contacts", [1000, 20_000])
def test_nothing_that_the_engine_asks_reads_a_long_table_from_end_to_end(app: Flask, contacts: int) -> None:
    space = make_workspace()
    webhooks = [make_webhook(space) for _ in range(10)]
    fill(webhooks, log=LOG, waiting=LOG // 10, contacts=contacts)
    busy = db.session.get_one(Webhook, webhooks[-1].id)
    lease = Lease(busy.id)
    assert lease.take()

    def probe() -> None:
        busy.probes, busy.probe_at = 1, utcnow()
        assert [letter.is_probe for letter in engine.claim(busy.id, lease.token, [])] == [True]

    def take_one() -> None:
        engine.record(lease.token, [(engine.claim(busy.id, lease.token, [])[0], OK)])

    contact = db.session.scalars(db.select(LaneEntry.contact_id).limit(1)).one()
    asked: dict[str, Callable[[], object]] = {
        "claim": lambda: engine.claim(busy.id, lease.token, []),
        "claim a probe": probe,
        "record": take_one,
        "the last look": lambda: sendable.has_work(busy.id),
        "the sweep": sendable.waiting_webhooks,
        "mend": engine.mend,
        "publish": lambda: make_event(space, contact, commit=False),
    }
    for name, work in asked.items():
        with statements() as sent:
            work()
        found = [line for statement, parameters in sent for line in scans(statement, parameters)]
        assert [line for line in found if name != "mend" or "lane_entry" not in line] == [], name
        db.session.rollback()


def _sent(webhook: Webhook, count: int) -> None:
    lease = Lease(webhook.id)
    assert lease.take()
    for _ in range(count):
        make_event(webhook.workspace_id)
        answer(lease, OK)
    lease.release()


def _waited(webhook: Webhook, contacts: int = 500, due: str = "due_at") -> None:
    fill([webhook], log=100, waiting=2_000, contacts=contacts, analyze=False)
    db.session.execute(text(f"UPDATE delivery SET due_at = {due}"))


PASTS: dict[str, Callable[[Webhook], None]] = {
    "nothing": lambda webhook: None,
    "one": lambda webhook: _sent(webhook, 1),
    "few": lambda webhook: _sent(webhook, 3),
    "waited for tomorrow": lambda webhook: _waited(webhook, due="now() + interval '1 day'"),
    "waited for one": lambda webhook: _waited(webhook, contacts=1),
    "log": lambda webhook: fill_log([webhook], 3_000, analyze=False),
}
"""What there was when PostgreSQL last counted, and is gone."""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("since", [[], ["delivery"]], ids=["then", "its deliveries since"])
@pytest.mark.parametrize("past", ["nothing", "one", "few", "waited for tomorrow", "waited for one", "log"])
def test_a_backlog_is_not_read_from_end_to_end_whatever_postgresql_counted(
    app: Flask, past: str, since: list[str]
) -> None:
    space = make_workspace()
    webhook = make_webhook(space)
    PASTS[past](webhook)
    db.session.execute(text("ANALYZE"))
    db.session.execute(text("TRUNCATE lane_entry"))  # few rows on many pages it would rather read whole
    for table in ("mention", "attempt", "delivery", "subject", "event"):
        db.session.execute(text(f"DELETE FROM {table}"))
    fill([webhook], log=100, waiting=4_000, contacts=2_000, analyze=False)
    for table in since:
        db.session.execute(text(f"ANALYZE {table}"))
    webhook.width = pace().max_width
    db.session.commit()
    with db.engine.connect() as other:
        other.execute(
            text("LOCK delivery, lane_entry, event, subject IN SHARE UPDATE EXCLUSIVE MODE")
        )  # none counts now
        read = _read_by_each_step(space, webhook)
    assert [name for name, count in read.items() if count > 900] == [], read


def _read_by_each_step(space: uuid.UUID, webhook: Webhook) -> dict[str, int]:
    read = {}
    read["the sweep"], _ = _rows_read(sendable.waiting_webhooks)
    lease = Lease(webhook.id)
    assert lease.take()
    read["the claim"], letters = _rows_read(lambda: engine.claim(webhook.id, lease.token, []))
    answers = [(letter, OK) for letter in letters]
    assert len(answers) == pace().max_width
    read["the record"], _ = _rows_read(lambda: engine.record(lease.token, answers))
    failed = [(letter, TIMEOUT) for letter in engine.claim(webhook.id, lease.token, [])]
    read["the record of failures"], _ = _rows_read(lambda: engine.record(lease.token, failed))
    contact = db.session.scalars(db.select(LaneEntry.contact_id).limit(1)).one()
    read["publish"], _ = _rows_read(lambda: make_event(space, contact, commit=False))
    read["the claim in vain"], letters = _rows_read(lambda: engine.claim(webhook.id, lease.token, []))
    read["the last look"], _ = _rows_read(lambda: sendable.has_work(webhook.id))
    assert letters == []
    webhook.probe_at = utcnow()
    read["the claim of a probe"], letters = _rows_read(lambda: engine.claim(webhook.id, lease.token, []))
    assert [letter.is_probe for letter in letters] == [True]
    return read


def _rows_read(work: Callable[[], Any]) -> tuple[int, Any]:
    read = text("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables")
    before = db.session.execute(read).scalar_one()
    result = work()
    return db.session.execute(read).scalar_one() - before, result


INDEXES = {
    "": "ix_delivery_log",
    "status=failed": "ix_delivery_log_status",
    "status=pending": "ix_delivery_log_status",
    "status=succeeded": "ix_delivery_log",
    "event=ContactDeleted": "ix_delivery_log_event",
    "webhook={webhook}": "ix_delivery_webhook_log",
    "contact={contact}": "mention",
    "result=404": "ix_delivery_log_code",
    "result=5xx": "ix_delivery_log_(fail(ed|ure)|code)",
    "result=tls_expired": "ix_delivery_log_failure",
    "trigger=manual": "ix_delivery_log_special",
    "attempt=retried": "ix_delivery_log_retried",
    "slower=5": "ix_delivery_log_slow",
    "next=held": "ix_delivery_log_status",
    "since=1h": "ix_delivery_log",
    "q=person77": "mention",
    "q=person77+family27": "mention",
    "q=family7": "mention",
    "q=person": "ix_delivery_log",
    "q=msg_log_4711": r"(uq_delivery_event_id_webhook_id|sqlite_autoindex_delivery_\d)",
    "status=failed&webhook={webhook}&slower=5": "ix_delivery_log_slow",
}
"""Where the rows of a filter are looked for."""


@pytest.mark.parametrize("analyze", [True, False])  # PostgreSQL counts its rows by itself, too
def test_each_filter_of_the_log_has_its_index_and_none_reads_a_long_table_from_end_to_end(
    app: Flask, monkeypatch: pytest.MonkeyPatch, analyze: bool
) -> None:
    monkeypatch.setattr(filters, "WINDOW", 500)
    monkeypatch.setattr(search, "COUNTED", 100)
    space = make_workspace()
    webhooks = [make_webhook(space) for _ in range(4)]
    fill_log(webhooks, 20_000, analyze=analyze)
    place = search.Place(older_than=(utcnow() - timedelta(hours=3), uuid.uuid4()))
    names = {"webhook": webhooks[1].id, "contact": "cccccccc-cccc-cccc-cccc-cccc00000077"}
    used = {}
    for query, index in INDEXES.items():
        args = dict(parse_qsl(query.format(**names)))
        with statements() as sent:
            search.count(space, Filters.of(args))
            search.find(Log(space, Filters.of(args)), place)
        with statements() as pages:
            Log(space, Filters.of(args)).keys(51, place.edge)
        used[query] = re.search(rf"\b(pk_)?{index}\b", "\n".join(plan_of(*pages[-1]))) is not None
        assert [line for one in sent for line in scans(*one, is_small=True)] == [], query
        db.session.rollback()
    if is_sqlite():  # it always chooses alike; PostgreSQL may prefer an index that is as good just then
        assert [query for query, is_used in used.items() if not is_used] == []


def test_the_words_of_a_search_are_looked_up_once_for_a_page_and_its_counts(app: Flask) -> None:
    """Also where each state is counted by itself; how much there is of the contacts that are found, once, too."""
    space = make_workspace()
    fill_log([make_webhook(space)], 5_000)
    asked = Filters.of({"q": "family1"})
    with pytest.MonkeyPatch.context() as patch, statements() as sent:
        patch.setattr(search, "COUNTED", 0)
        patch.setattr(filters, "WINDOW", 50)
        log = Log(space, asked)
        search.find(log, search.Place())
        search.count(space, asked, log.searched)
    for table, times in (("search_word", 1), ("mention", 1)):
        assert sum(f"FROM {table}" in statement for statement, _ in sent) == times, table


def test_an_open_log_asks_one_query_that_an_index_answers(app: Flask) -> None:
    space = make_workspace()
    fill_log([make_webhook(space)], 5_000)
    with statements() as sent:
        assert len(search.pulse(space)) == search.CHANGES + 1
    [query] = [one for one in sent if not one[0].startswith(("BEGIN", "PRAGMA"))]
    assert scans(*query) == []
    assert "ix_delivery_workspace_id_updated_at" in "\n".join(plan_of(*query))


@pytest.mark.parametrize("probes", [0, 1])
def test_what_the_pages_draw_and_tell_of_a_webhook_is_found_by_an_index(app: Flask, probes: int) -> None:
    space = make_workspace()
    webhooks = [make_webhook(space) for _ in range(3)]
    fill(webhooks, log=5_000, waiting=5_000, contacts=5_000)
    busy = db.session.get_one(Webhook, webhooks[-1].id)
    for webhook in webhooks:
        fill_attempts(webhook, 5_000)
    busy.probes, busy.probe_at = probes, utcnow() if probes else None
    db.session.commit()
    asked: dict[str, tuple[Callable[[], object], str]] = {
        "attempts": (lambda: charts.attempts(busy.id), "ix_attempt_webhook_id_started_at"),
        "all attempts": (lambda: charts.all_attempts(space), "ix_attempt_webhook_id_started_at"),
        "answer times": (lambda: charts.answer_times(busy.id), "ix_attempt_webhook_id_started_at"),
        "save to answer": (lambda: charts.save_to_answer(space), "ix_delivery_log"),
        "next tries": (lambda: readings.next_tries(busy), "ix_delivery_due"),
        "history": (lambda: audit.history(busy, 10), "ix_audit_entry_subject_id"),
    }
    for name, (work, index) in asked.items():
        with statements() as sent:
            work()
        chosen = [one for one in sent if one[0].startswith("SELECT")]
        assert [line for one in chosen for line in scans(*one, is_small=True)] == [], name
        assert index in "\n".join(line for one in chosen for line in plan_of(*one, is_small=True)), name
        db.session.rollback()
