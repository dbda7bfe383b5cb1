"""A drain that waits for a slow receiver still hears of what else can be sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from unittest.mock import Mock

import pytest
from flask import Flask

from portal.extensions import db
from portal.webhooks import tasks
from portal.webhooks.lease import Lease
from tests.receiving import Got, Receiver, receiving
from tests.webhooks.making import make_event, make_webhook, make_workspace

LIMIT = 60
"""Seconds; only a limit for what never comes."""


@contextmanager
def waiting(app: Flask) -> Iterator[tuple[Receiver, str]]:
    """A drain whose first request is answered once a second one has come, and something more to send."""
    second = threading.Event()

    def answer(got: Got) -> int:
        if len(receiver.got) > 1:
            second.set()
        return 200 if second.wait(LIMIT) else 500

    def drain(key: str) -> None:
        with app.app_context():
            tasks.drain(key)

    with receiving(answer) as receiver:
        webhook = make_webhook(make_workspace(), receiver.url, width=16)
        make_event(webhook.workspace_id)
        at_work = threading.Thread(target=Context().run, args=(drain, str(webhook.id)))
        db.session.rollback()  # to read that id took SQLite's write lock
        at_work.start()
        receiver.wait(1)
        make_event(webhook.workspace_id)
        yield receiver, str(webhook.id)
        at_work.join(LIMIT)


def test_a_bell_in_its_process_is_heard_at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LOOK", LIMIT)
    with waiting(app) as (receiver, key):
        db.session.rollback()
        tasks.drain(key)
        assert len(receiver.wait(2)) == 2


def test_a_bell_for_a_drain_of_its_process_asks_the_database_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with waiting(app) as (receiver, key):
        db.session.rollback()
        monkeypatch.setattr(Lease, "take", Mock(side_effect=AssertionError))
        tasks.drain(key)
        assert len(receiver.wait(2)) == 2


def test_what_was_rung_for_elsewhere_is_found_soon(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LOOK", 0.05)
    with waiting(app) as (receiver, _):
        db.session.rollback()
        assert len(receiver.wait(2)) == 2
