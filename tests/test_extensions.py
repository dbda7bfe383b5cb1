"""Transactions that only read leave SQLite's one write lock to others."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

from flask import Flask

from portal.extensions import begin_reading, db
from portal.webhooks import engine
from tests.webhooks.making import make_event, make_webhook, make_workspace


def test_a_drain_looks_for_work_while_somebody_writes(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    make_event(webhook.workspace_id)
    key = webhook.id
    make_event(webhook.workspace_id, commit=False)  # holds SQLite's write lock until the rollback

    def look() -> bool:
        with app.app_context():
            begin_reading()
            return engine.has_work(key)

    with ThreadPoolExecutor(1) as other:
        assert other.submit(Context().run, look).result()
    db.session.rollback()
