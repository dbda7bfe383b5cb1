"""Transactions that only read leave SQLite's one write lock to others."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from portal import extensions
from portal.config import BUSY_SECONDS
from portal.extensions import begin_reading, db
from portal.webhooks import sendable
from tests.webhooks.making import make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both


def test_a_drain_looks_for_work_while_somebody_writes(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    make_event(webhook.workspace_id)
    key = webhook.id
    make_event(webhook.workspace_id, commit=False)  # holds SQLite's write lock until the rollback

    def look() -> bool:
        with app.app_context():
            begin_reading()
            return sendable.has_work(key)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(Context().run, look).result()
    db.session.rollback()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_was_closed_while_it_was_idle_is_not_used(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = db.session.scalar(text("SELECT pg_backend_pid()"))
    db.session.rollback()
    with psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [key])
    monkeypatch.setattr(extensions, "IDLE_SECONDS", -1)
    assert db.session.scalar(text("SELECT pg_backend_pid()")) not in (None, key)


def test_a_writer_soon_gets_its_turn_beside_one_that_hardly_lets_go(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'portal.db'}", connect_args={"timeout": BUSY_SECONDS})
    turns: queue.SimpleQueue[None] = queue.SimpleQueue()
    is_over, passed = threading.Event(), 0

    def hog() -> None:
        while not is_over.is_set():
            with engine.begin():
                turns.put(None)
                time.sleep(0.02)
            time.sleep(0.001)

    with ThreadPoolExecutor(1) as other:
        done = other.submit(hog)
        for _ in range(5):
            turns.get()
            with engine.begin():
                while not turns.empty():
                    turns.get()
                    passed += 1
        is_over.set()
    engine.dispose()
    assert done.exception() is None
    assert passed < 40, "it looked so seldom that it missed the short gaps"
