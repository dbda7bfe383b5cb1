"""What one person asks for in one workspace is bounded, whatever the door, and nobody else notices."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal import create_app
from portal.accounts.floods import ALWAYS, BULK, DOWNLOADS
from portal.extensions import db, limiter
from tests.accounts.proving import log_in
from tests.conftest import Browser, Person, settings
from tests.routes import ROUTES, Route
from tests.test_separation import ask
from tests.world import World, all_rows, plant

WRITES = [route for route in ROUTES if route.method == "POST" and not route.public and route.endpoint != ALWAYS]


@pytest.fixture(autouse=True)
def anew(app: Flask) -> None:
    limiter.reset()


def call(app: Flask, person: Person, world: World, route: Route) -> TestResponse:
    return ask(person.client, app, route, world.get(route.names, uuid.uuid4()), person.email)


def test_whatever_changes_something_counts_and_log_out_never(
    app: Flask, dana: Person, stranger: Person, hire: Callable[..., Person]
) -> None:
    world, ada = plant(dana, "z~q"), hire(dana)
    app.config["WRITES_PER_MINUTE"] = 3
    form = {"name": "Dana W."}
    assert [dana.client.post("/account", data=form).status_code for _ in range(4)] == [303, 303, 303, 429]
    before = all_rows()
    for route in WRITES:
        answer = call(app, dana, world, route)
        assert (answer.status_code, "Wait a minute" in answer.text) == (429, True), route
        assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert all_rows() == before
    assert [person.client.post("/account", data=form).status_code for person in (ada, stranger)] == [303, 303]
    assert dana.client.get("/contacts").status_code == 200
    assert dana.client.post("/logout").location == "/login"


def test_what_answers_with_many_rows_or_works_on_them_has_a_smaller_number(app: Flask, dana: Person) -> None:
    world = plant(dana, "z~q")
    app.config["BULK_PER_MINUTE"] = 2
    assert {route.endpoint for route in ROUTES if route.method == "GET" and route.changes} <= DOWNLOADS
    heavy = [route for route in ROUTES if route.endpoint in (DOWNLOADS if route.method == "GET" else DOWNLOADS | BULK)]
    assert {route.endpoint for route in heavy} == DOWNLOADS | BULK
    assert [dana.client.get("/settings/audit.csv").status_code for _ in range(3)] == [200, 200, 429]
    for route in heavy:
        assert call(app, dana, world, route).status_code == 429, route
    assert dana.client.get("/contacts/import").status_code == 200, "to look at the form is free"
    assert dana.client.post("/account", data={"name": "Dana W."}).status_code == 303


def test_without_redis_it_holds_and_nobody_is_kept_out(
    database_url: str, tmp_path: Path, sign_up: Callable[[], Person]
) -> None:
    person = sign_up()
    lone = create_app({**settings(database_url, "redis://127.0.0.1:1", tmp_path), "WRITES_PER_MINUTE": 3})
    lone.test_client_class = Browser
    with lone.app_context():
        client = lone.test_client()
        assert log_in(client, person.email).status_code == 303
        answers = [client.post("/account", data={"name": "Dana W."}).status_code for _ in range(5)]
        assert answers == [303, 303, 303, 429, 429]
        db.session.remove()
        db.engine.dispose()
