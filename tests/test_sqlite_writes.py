"""Who writes to SQLite: people first, work in its turn; a commit keeps nobody from writing until the disk has it."""

import fcntl
import os
import queue
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext
from contextvars import Context
from pathlib import Path

import pytest
from flask import Flask

from portal import sqlite_writes
from portal.extensions import db
from portal.sqlite_writes import Connection
from portal.webhooks import outbound, tasks
from tests.receiving import receiving
from tests.webhooks.making import make_event, make_webhook, make_workspace

LIMIT = 60
"""Seconds; only a limit for what never comes."""
Open = Callable[[], Connection]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens connections as if each were another process's."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_writes, "_looking", nullcontext())

        def opened() -> Connection:
            made = sqlite3.connect(tmp_path / "portal.db", factory=Connection, check_same_thread=False)
            made.prepare()
            return stack.enter_context(closing(made))

        yield opened


def test_who_waits_for_an_answer_goes_before_work_that_came_first(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_writes, "POLITE_SECONDS", LIMIT)
    holder, work, request = (opened() for _ in range(3))
    names = {id(work): "work", id(request): "request"}
    looks: queue.SimpleQueue[str] = queue.SimpleQueue()
    begin = sqlite_writes._begin_at_once

    def look(sqlite: sqlite3.Connection) -> int | None:
        looks.put(names.get(id(sqlite), "holder"))
        return begin(sqlite)

    monkeypatch.setattr(sqlite_writes, "_begin_at_once", look)

    def write(sqlite: Connection, is_awaited: bool) -> str:
        assert sqlite.begin_writing(is_awaited, is_synced=True) is None
        order.append(names[id(sqlite)])
        sqlite.commit()
        return names[id(sqlite)]

    for _ in range(10):  # by chance, work would come first in half of them
        order: list[str] = []
        holder.begin_writing(is_awaited=False, is_synced=True)
        with ThreadPoolExecutor(2) as others:
            done = [others.submit(write, work, False)]
            _until(looks, "work")
            done.append(others.submit(write, request, True))
            _until(looks, "request")
            holder.commit()
            assert [one.result(LIMIT) for one in done] == ["work", "request"]
        assert order == ["request", "work"]


def test_work_goes_on_however_many_wait(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_writes, "POLITE_SECONDS", 0.01)
    with (tmp_path / "portal.db-awaited").open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_SH)
        work = opened()
        assert work.begin_writing(is_awaited=False, is_synced=True) is None
        work.rollback()


def test_the_disk_is_waited_for_when_others_may_write_again(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = opened(), opened()
    assert mine.execute("PRAGMA synchronous").fetchone() == (1,), "SQLite would wait for it, with its lock"
    mine.execute("CREATE TABLE fact (word TEXT)")
    files: Counter[str] = Counter()

    def fsync(file: object) -> None:
        assert other.begin_writing(is_awaited=True, is_synced=False) is None
        other.rollback()
        files[str(getattr(file, "name", file))] += 1

    monkeypatch.setattr(os, "fsync", fsync)
    for is_synced in (True, False, True):
        mine.begin_writing(is_awaited=True, is_synced=is_synced)
        mine.execute("INSERT INTO fact VALUES ('kept')")
        mine.commit()
    mine.execute("BEGIN")
    mine.execute("SELECT * FROM fact").fetchall()
    mine.commit()
    assert [(Path(name).name, count) for name, count in files.items()] == [("portal.db-wal", 2)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_is_sent_that_a_crash_could_undo(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may have committed it a moment ago, and wait for the disk yet."""
    order: list[str] = []
    fsync, send = os.fsync, outbound.send
    monkeypatch.setattr(os, "fsync", lambda file: (order.append("disk"), fsync(file)))
    monkeypatch.setattr(outbound, "send", lambda *args, **more: (order.append("sent"), send(*args, **more))[1])
    with receiving() as receiver:
        webhook = make_webhook(make_workspace(), receiver.url)
        make_event(webhook.workspace_id)
        key = str(webhook.id)
        db.session.rollback()
        order.clear()
        Context().run(_drain, app, key)
        receiver.wait(1)
    assert order[:2] == ["disk", "sent"]


def _drain(app: Flask, key: str) -> None:
    with app.app_context():
        tasks.drain(key)


def _until(looks: "queue.SimpleQueue[str]", name: str) -> None:
    while looks.get(timeout=LIMIT) != name:
        pass
