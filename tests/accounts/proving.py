"""What the tests of sign-in do again and again: count, read the clock of a phone, be another browser."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from portal.accounts import passwords, second_step
from portal.audit import AuditEntry
from portal.extensions import db
from portal.mail import Letter
from tests.conftest import PASSWORD, Person

ANOTHER = "four words nobody knows"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
FRAGMENT = {"HX-Request": "true", "HX-Request-Type": "partial"}


def log_in(client: FlaskClient, email: str, password: str = PASSWORD, **how: Any) -> TestResponse:
    return client.post("/login", data={"email": email, "password": password}, **how)


def is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def code_at(secret: str, steps: int = 0) -> str:
    """What the phone shows, now or some half minutes from now."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


def switch_on(person: Person) -> tuple[str, list[str]]:
    """Set two-step log-in up as a person does; returns the secret and the recovery codes."""
    page = person.client.get("/account/two-step").text
    secret = re.findall(r'id="key">([A-Z2-7 ]+)<', page)[0].replace(" ", "")
    for _ in range(2):  # the code before this one, so that the next can log in: it may end in this very moment
        answer = person.client.post("/account/two-step", data={"code": code_at(secret, -1), "password": PASSWORD})
        codes = " ".join(re.findall(r'id="codes"[^>]*>([^<]+)<', answer.text)).split()  # a CSRF token may look like one
        if codes:
            break
    assert len(codes) == second_step.CODES, answer.text
    return secret, codes


def actions(person: Person) -> list[str]:
    """What the audit log of the person's workspace says, oldest first."""
    db.session.rollback()
    mine = select(AuditEntry.action).where(AuditEntry.workspace_id == person.workspace_id)
    return list(db.session.scalars(mine.order_by(AuditEntry.at)))


def letters() -> list[Letter]:
    db.session.rollback()
    return list(db.session.scalars(select(Letter).order_by(Letter.created_at)))


@contextmanager
def counting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """The statements that the database gets, and the hashes that are computed."""
    seen: dict[str, list[str]] = {"statements": [], "hashes": []}
    verify = passwords.hasher.verify

    class Counting:
        def verify(self, kept: str, typed: str) -> bool:
            seen["hashes"].append(kept.rpartition("$")[0].rpartition("$")[0])  # its parameters
            return verify(kept, typed)

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen["statements"].append(statement)

    with monkeypatch.context() as patch:
        patch.setattr(passwords, "hasher", Counting())
        event.listen(db.engine, "before_cursor_execute", hear)
        yield seen
        event.remove(db.engine, "before_cursor_execute", hear)
