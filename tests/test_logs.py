"""One readable line per attempt, or one JSON object with the same facts."""

import json
import logging
import runpy
from pathlib import Path

import pytest
from flask import Flask
from gunicorn.config import Config
from gunicorn.glogging import Logger

from portal import logs
from portal.extensions import db
from portal.webhooks import engine, tasks
from tests.webhooks.driving import OK, TIMEOUT
from tests.webhooks.making import make_event, make_webhook, make_workspace


@pytest.fixture
def letter(app: Flask, monkeypatch: pytest.MonkeyPatch) -> engine.Letter:
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own come back afterwards
    webhook = make_webhook(make_workspace(), "http://127.0.0.1:9/hook?key=secret")
    make_event(webhook.workspace_id)
    found = engine.claim(webhook.id, None, [])[0]
    db.session.rollback()
    return found


def test_a_person_reads_a_line(app: Flask, letter: engine.Letter, capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(app)
    tasks.tell(letter, OK)
    tasks.tell(letter, TIMEOUT)
    event_id = letter.headers["webhook-id"]
    assert capsys.readouterr().out.splitlines() == [
        f"ContactUpdated {event_id} #1 automatic -> 200 in 12 ms (127.0.0.1:9/hook)",
        f"ContactUpdated {event_id} #1 automatic -> timeout_total in 15000 ms (127.0.0.1:9/hook)",
    ]


def test_a_program_reads_json(app: Flask, letter: engine.Letter, capsys: pytest.CaptureFixture[str]) -> None:
    app.config["LOG"] = "json"
    logs.start(app)
    tasks.tell(letter, TIMEOUT)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    expected = {"level": "INFO", "event_type": "ContactUpdated", "event_id": letter.headers["webhook-id"], "attempt": 1}
    assert said | expected == said
    assert (said["status"], said["failure"], said["duration_ms"]) == (None, "timeout_total", 15000)
    assert said["delivery_id"] == str(letter.delivery_id)
    assert "secret" not in line


def test_gunicorn_says_its_own_lines_in_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORTAL_LOG", "json")
    settings = runpy.run_path(str(Path(__file__).parent.parent / "gunicorn.conf.py"))
    config = Config()
    config.set("logconfig_dict", settings["logconfig_dict"])
    config.set("loglevel", settings["loglevel"])
    Logger(config).warning("Worker %s is late", 7)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("WARNING", "gunicorn.error", "Worker 7 is late")
