"""Whatever is done, no secret, password or session stands in the clear: not in the database, Redis or the logs."""

import base64
import json
import logging
import re
import uuid
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import select

from portal import mail
from portal.extensions import db, limiter
from portal.sandbox.models import SandboxRequest
from portal.webhooks import engine, letters, publisher, signing, tasks
from portal.webhooks.letters import MASK
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import EventType, Webhook
from portal.webhooks.outbound import Failure, Phases, Result
from portal.webhooks.publisher import About
from tests.conftest import PASSWORD, Person
from tests.routes import ROUTES
from tests.test_separation import ask
from tests.webhooks.conftest import HTMX
from tests.world import all_rows, plant

HEADER, WRONG, LINK = "Bearer h3ader-planted-value", "wr0ng-planted-password", "/reset/t0ken-planted-in-a-letter"
ECHO = Result(
    status=200, phases=Phases(), duration_ms=1.0, reason=f"got {HEADER}", headers=(("x-echo", HEADER),),
    body=json.dumps({"headers": {"authorization": HEADER, "token": HEADER.split()[1]}}).encode(),
)  # fmt: skip
BROKEN = Result(failure=Failure.INTERNAL, phases=Phases(), duration_ms=1.0, reason="internal")


@pytest.fixture(autouse=True)
def no_limits(app: Flask) -> Iterator[None]:
    limiter.enabled = False
    yield
    limiter.enabled = True


def in_database() -> str:
    return "\n".join(
        value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value, default=str)
        for row in all_rows() for value in row
    )  # fmt: skip


def in_redis(server: redis.Redis) -> str:
    """All keys and values; what RQ has packed is unpacked."""
    reads = {b"string": server.get, b"hash": server.hgetall, b"set": server.smembers,
             b"list": lambda key: server.lrange(key, 0, -1), b"zset": lambda key: server.zrange(key, 0, 9),
             b"stream": lambda key: [part for _, entry in server.xrange(key) for part in entry.values()]}  # fmt: skip
    found: list[bytes] = []
    for key in server.keys("*"):
        value: Any = reads[server.type(key)](key)
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        found += [key, *([parts] if isinstance(parts, bytes) else parts)]
    return "\n".join(unpacked(one).decode("utf-8", "replace") for one in found)


def unpacked(value: bytes) -> bytes:
    for packed in (value, b64decoded(value)):
        with suppress(zlib.error):
            return zlib.decompress(packed)
    return value


def b64decoded(value: bytes) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""


def exercise(app: Flask, dana: Person) -> set[str]:
    """Do everything that there is to do; returns the secrets that were in it."""
    client, secrets = dana.client, {PASSWORD, WRONG, HEADER, HEADER.split()[1], LINK}
    form = {"ContactUpdated": "y", "url": "http://127.0.0.1:9/hook", "headers": f"authorization: {HEADER}"}
    shown = client.post("/apps/webhooks/new", data=form).text
    webhook = db.session.scalars(select(Webhook)).one()
    shown += client.post(f"/apps/webhooks/{webhook.id}/rotate").text
    secrets |= set(re.findall(r"whsec_[\w+/=]{40,}", shown))
    assert len(secrets) == 7
    app.test_client().post("/login", data={"email": dana.email, "password": WRONG})
    client.post("/apps/sandbox/use")
    token = db.session.scalars(select(Webhook).where(Webhook.url.contains("/sandbox/"))).one().url.rpartition("/")[2]
    app.test_client().post(f"/sandbox/{token}", data=b"{}", headers={"Authorization": HEADER})
    mail.write(dana.email, "Reset", f"Open http://localhost{LINK}")
    about = [About(uuid.uuid4(), "1", "Allen Ji")]
    for _ in range(2):
        publisher.publish(dana.workspace_id, EventType.UPDATED, b'{"contacts":[]}', about, "Dana")
    db.session.commit()
    send(webhook)
    world = plant(dana, "z~q")
    planted = db.session.get_one(Webhook, world["webhook"])
    secrets |= {signing.unseal(planted.secret), *signing.custom_headers(planted).values()}
    for route in ROUTES[:-1]:
        ask(client, app, route, world.get(route.names, uuid.uuid4()), dana.email)
    for browser in (client, app.test_client()):
        with browser.session_transaction() as kept:
            secrets |= {kept["_user_id"]} if "_user_id" in kept else set()
    return secrets


def send(webhook: Webhook) -> None:
    """Two attempts: one that its receiver echoes, and one that ends in a failure of ours."""
    for result in (ECHO, BROKEN):
        letters = engine.claim(webhook.id, None, [])
        assert letters[0].headers["authorization"] == HEADER  # it is sent
        engine.record(None, [(letters[0], result)])  # type: ignore[arg-type]  # nobody's lease
        db.session.commit()
        tasks.tell(letters[0], result)


def test_no_secret_stands_anywhere_in_the_clear(
    app: Flask, dana: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    caplog.set_level(logging.INFO)

    letters: list[str] = []

    def refuse(message: Any) -> None:
        letters.append(message.get_content())
        raise OSError

    monkeypatch.setattr(mail, "_hand_over", refuse)
    secrets = exercise(app, dana)
    for letter_id in mail.waiting():
        mail.post(str(letter_id))
    assert any(LINK in letter for letter in letters)
    secrets |= {token for letter in letters for token in re.findall(r"/([\w-]{30,})\s", letter)}
    assert len(secrets) >= 10
    places = {"database": in_database(), "Redis": in_redis(app.extensions["bells"].redis), "logs": caplog.text}
    assert "z~qcontact.email" in places["database"]  # what is no secret is found
    assert "portal.webhooks" in places["Redis"]
    assert "ContactUpdated" in places["logs"]
    for secret in secrets:
        encoded = base64.b64encode(secret.encode()).decode().rstrip("=")[:-2]
        for place, text in places.items():
            for form in (secret, secret.removeprefix("whsec_"), encoded):
                assert form not in text, (place, secret)
    answer = db.session.scalars(select(Attempt).where(Attempt.status == 200)).first()
    assert answer
    assert json.loads(answer.response_body)["headers"]["authorization"] == MASK


def test_custom_headers_are_shown_masked_and_kept_when_they_are_not_typed_again(app: Flask, dana: Person) -> None:
    form = {"ContactUpdated": "y", "url": "http://127.0.0.1:9/hook", "headers": f"authorization: {HEADER}\nX-Team: red"}
    answer = dana.client.post("/apps/webhooks/new", data=form)
    assert answer.status_code == 201, answer.text
    webhook = db.session.scalars(select(Webhook)).one()
    address = f"/apps/webhooks/{webhook.id}"
    for headers in ({}, HTMX):
        for page in (address, f"{address}/edit"):
            text = dana.client.get(page, headers=headers).text
            assert f"authorization: {MASK}" in text
            assert HEADER.split()[1] not in text
    edited = form | {"headers": f"Authorization: {MASK}\nX-Team: blue"}
    assert dana.client.post(f"{address}/edit", data=edited).status_code == 303
    db.session.expire_all()
    assert signing.custom_headers(webhook) == {"Authorization": HEADER, "X-Team": "blue"}
    unknown = dana.client.post(f"{address}/edit", data=form | {"headers": f"x-other: {MASK}"})
    assert (unknown.status_code, "Type the value of x-other" in unknown.text) == (422, True)
    history = dana.client.get("/settings/audit").text
    assert "custom headers" in history
    assert "blue" not in history


def test_the_sandbox_keeps_no_credentials(app: Flask, dana: Person) -> None:
    dana.client.post("/apps/sandbox/use")
    webhook = db.session.scalars(select(Webhook)).one()
    webhook.headers = signing.seal_headers({"X-Custom-Key": "k3y-of-mine"})
    db.session.commit()
    path = "/sandbox/" + webhook.url.rpartition("/")[2]
    app.test_client().post(
        path, headers={"x-custom-key": "k3y-of-mine", "authorization": "Basic x", "x-cloudcx-event": "Hello"}
    )
    kept = dict(db.session.scalars(select(SandboxRequest)).one().headers)
    assert (kept["x-custom-key"], kept["authorization"]) == (MASK, MASK)
    assert kept["x-cloudcx-event"] == "Hello"


def test_bodies_of_answers_are_only_touched_where_a_secret_stands(app: Flask) -> None:
    letter = letters.Letter(
        uuid.uuid4(), uuid.uuid4(), 1, publisher.Trigger.AUTOMATIC, True, False, "http://a.example",
        {"x-key": "0123456789", "x-short": "ok"}, frozenset({"x-key", "x-short"}), b"", None,  # type: ignore[arg-type]
    )  # fmt: skip
    body = b"\xff\xfe ok 0123456789 \x00 012345678"
    assert letters._veiled_body(letter, body) == body.replace(b"0123456789", MASK.encode())
