"""Keys: what is sealed moves to the newest one by a command, and a start with keys that open nothing is refused."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from flask import Flask
from sqlalchemy import update

from portal import config, mail, rotation, sealing
from portal.cli import rotate_keys
from portal.extensions import db
from portal.mail import Letter
from portal.webhooks import signing
from portal.webhooks.models import Webhook
from tests.system.forked import refused
from tests.test_config import PRODUCTION
from tests.webhooks.making import make_webhook, make_workspace

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def seal_all_columns() -> Webhook:
    """A row in each sealed column, and more webhooks than a slice has."""
    space = make_workspace()
    webhooks = [make_webhook(space) for _ in range(rotation.SLICE + 5)]
    webhooks[0].headers, webhooks[0].old_secret = signing.seal_headers({"x-key": "s3cret"}), sealing.seal("whsec_old")
    mail.write("dana@example.com", "Reset", "Open /reset/t0ken")
    db.session.commit()
    return webhooks[0]


def test_everything_moves_to_the_newest_key_in_slices_and_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app.config.update(ENCRYPTION_KEYS=[OLD], SMTP_URL="smtp://127.0.0.1:1")
    webhook = seal_all_columns()
    secret = signing.secrets_of(webhook)[0]
    app.config["ENCRYPTION_KEYS"] = [NEW, OLD]
    first = app.test_cli_runner().invoke(rotate_keys)
    assert first.exit_code == 0
    assert f"webhook.secret: {rotation.SLICE + 5} sealed anew, 0 newest already, 0 not readable" in first.output
    assert {line.split(":")[0] for line in first.output.splitlines() if "sealed anew" in line} >= {
        "letter.sealed_body", "webhook.headers", "webhook.old_secret", "webhook.secret",
    }  # fmt: skip
    app.config["ENCRYPTION_KEYS"] = [NEW]
    db.session.expire_all()
    assert signing.secrets_of(webhook)[0] == secret
    assert signing.custom_headers(webhook) == {"x-key": "s3cret"}
    assert db.session.query(Letter).one().body == "Open /reset/t0ken"
    again = app.test_cli_runner().invoke(rotate_keys)
    assert f"webhook.secret: 0 sealed anew, {rotation.SLICE + 5} newest already" in again.output


def test_what_no_key_opens_stays_is_counted_and_refuses_the_start(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    rotation.refuse_wrong_keys()
    kept = webhook.secret
    app.config["ENCRYPTION_KEYS"] = [NEW]
    done = app.test_cli_runner().invoke(rotate_keys)
    assert (done.exit_code, "1 secrets open with no key" in str(done.exception)) == (1, True)
    assert db.session.get_one(Webhook, webhook.id, populate_existing=True).secret == kept
    with pytest.raises(config.ConfigError, match=r"portal: PORTAL_KEYS opens 1 .*\(webhook.secret\)") as caught:
        rotation.refuse_wrong_keys()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "command", ["flask worker", "gunicorn app:app", "rq worker --worker-class portal.rq_worker.Worker"]
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_web_and_worker_say_so_in_one_line(
    app: Flask, database_url: str, valkey_url: str, command: str, tmp_path: Path
) -> None:
    make_webhook(make_workspace())
    db.engine.dispose()
    env = os.environ | {
        "PORTAL_ENV": "development", "DATABASE_URL": database_url, "REDIS_URL": valkey_url, "PORT": "0",
        "SECRET_KEY": "another one",
    }  # fmt: skip
    said = refused(f"{command} --url {valkey_url}" if command.startswith("rq") else command, env, tmp_path / "log")
    assert sum(line.startswith("portal: PORTAL_KEYS opens") for line in said.splitlines()) == 1
    assert "Traceback" not in said


def test_what_is_no_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(config.ConfigError, match="PORTAL_KEYS holds what is no key") as caught:
        config.load({**PRODUCTION, "PORTAL_KEYS": f"{NEW} hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_derived_key_still_opens_once_there_are_others(app: Flask) -> None:
    app.config["ENCRYPTION_KEYS"] = config.load(PRODUCTION)["ENCRYPTION_KEYS"]
    sealed = sealing.seal("whsec_abc")
    app.config["ENCRYPTION_KEYS"] = config.load({**PRODUCTION, "PORTAL_KEYS": NEW})["ENCRYPTION_KEYS"]
    assert sealing.unseal(sealed) == "whsec_abc"
    assert sealing.is_newest(sealing.seal("x"))
    assert not sealing.is_newest(sealed)
    with pytest.raises(InvalidToken):
        Fernet(NEW).decrypt(sealed)


def test_a_letter_is_sealed_until_it_is_sent_and_empty_then(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    taken: list[Any] = []
    monkeypatch.setattr(mail, "_hand_over", taken.append)
    mail.write("dana@example.com", "Reset", "Open /reset/t0ken")
    db.session.commit()
    letter = db.session.query(Letter).one()
    assert b"t0ken" not in letter.sealed_body
    assert b"t0ken" not in base64.urlsafe_b64decode(letter.sealed_body)
    mail.post(str(letter.id))
    assert "t0ken" in taken[0].get_content()
    db.session.expire_all()
    assert db.session.query(Letter).one().body == ""
    db.session.execute(update(Letter).values(sent_at=None))
