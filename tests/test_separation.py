"""Nobody sees or changes what is another workspace's: every route of the portal, as page and as fragment."""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.extensions import limiter
from portal.fields import CAME_BACK
from tests.conftest import Person
from tests.routes import CONTACT, ROUTES, Route
from tests.turns import share
from tests.world import World, all_rows, keeping, plant, rows_of

FORMS: tuple[dict[str, str], ...] = ({}, {"HX-Request": "true", "HX-Request-Type": "partial"})
"""The headers that ask for a page, and those that ask for a fragment: by turns, route by route."""
NAMING = [route for route in ROUTES if route.names and not route.public]
OPEN = [route for route in ROUTES if route.public]
CLOSED = [route for route in ROUTES if not route.public]
POSTS = [route for route in ROUTES if route.method == "POST" and route.csrf]
GETS = [route for route in ROUTES if route.method == "GET"]
MALFORMED = ("1", "None", "%00", "%F0%9F%92%A5", "..%2f..", "' or 1=1 --", "00000000-0000-4000-8000-00000000000")
OTHER_METHODS = ("HEAD", "OPTIONS", "DELETE")
LOOKING = (
    "/contacts?q=z~q",
    "/contacts?q={contact}",
    "/deliveries?q=z~q",
    "/deliveries?q={event}",
    "/deliveries?q={delivery}",
    "/deliveries?webhook={webhook}",
    "/deliveries?contact={contact}",
    "/deliveries?before=9999999999_{delivery}",
    "/deliveries?after=0_{delivery}",
    "/apps/sandbox?request={sandbox_request}",
)
"""Where one can ask for what is another's."""


@pytest.fixture(autouse=True)
def no_limits(app: Flask) -> Iterator[None]:
    """The walk is faster than people are."""
    limiter.enabled = False
    yield
    limiter.enabled = True


@pytest.fixture
def world(dana: Person) -> World:
    return plant(dana, "z~q")


def ask(client: FlaskClient, app: Flask, route: Route, key: object = "", email: str = "", **how: Any) -> TestResponse:
    """Call the route about the thing with that id."""
    how = {"method": route.method, "data": route.filled(key, email), **how}
    if how["method"] in ("GET", "HEAD", "OPTIONS"):
        del how["data"]
    return client.open(route.address(app, key), **how)


def also(app: Flask, person: Person) -> FlaskClient:
    """One more browser with the person's cookies: what it does to them, such as to log out, the person's keeps."""
    client, cookie = app.test_client(), person.client.get_cookie("session")
    assert cookie
    client.set_cookie("session", cookie.value)
    return client


def unchanged(person: Person, routes: Sequence[Route], call: Callable[[Route], object]) -> None:
    """Call all the routes: no row of the person's changes. Only when one did, call them again to say at which."""
    before, put_back = rows_of(person), keeping()
    for route in routes:
        call(route)
    if rows_of(person) != before:
        put_back()
        for route in routes:
            call(route)
            assert rows_of(person) == before, route
        raise AssertionError("rows changed, but at no single route")


def plain(answer: TestResponse, key: object = "") -> tuple[int, list[str], str]:
    """An answer without what is made anew for each request, and without the id that was asked for."""
    headers = [f"{name}: {value}" for name, value in answer.headers if name not in ("Set-Cookie", "Content-Length")]
    text = re.sub(r"[\w.-]{60,}", "a CSRF token", answer.text)
    return answer.status_code, [header.replace(str(key), "ID") for header in sorted(headers)], text


def test_every_route_has_its_row_and_every_row_its_route(app: Flask) -> None:
    there = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static"
    }
    rows = [(route.endpoint, route.method) for route in ROUTES]
    assert sorted(rows) == sorted(there)


def test_each_row_is_true_of_those_who_may(app: Flask, sign_up: Callable[..., Person]) -> None:
    """What the other tests see refused is something that works, and a POST that changes rows does change some."""
    dana = sign_up()
    world = plant(dana, "z~q")
    put_back, planted = keeping(), all_rows()
    for route in ROUTES:
        client = app.test_client() if route.public else also(app, dana)
        answer = ask(client, app, route, world.get(route.names, uuid.uuid4()), dana.email)
        assert answer.status_code < 400 or answer.status_code == route.public, route
        assert (all_rows() != planted) == route.changes, route
        if route.changes:
            put_back()


@pytest.mark.parametrize("headers", FORMS, ids=["page", "fragment"])
def test_those_without_a_session_are_asked_to_log_in(
    app: Flask, dana: Person, world: World, headers: dict[str, str]
) -> None:
    before = rows_of(dana)
    for route in share(CLOSED, FORMS.index(headers)):
        for key in (world.get(route.names, ""), uuid.uuid4()):
            answer = ask(app.test_client(), app, route, key, headers=headers)
            address = route.address(app, key)
            login = f"/login?next={address}" if route.method == "GET" and address != "/" else "/login"
            asks = answer.status_code == 401 and "Log in</button>" in answer.text
            leads = (answer.status_code, answer.location or answer.headers.get("HX-Redirect"))
            if route.method == "GET" or not (headers or route.form):
                assert leads == (204 if headers else 303, login), route
            else:  # nothing that was typed is lost: a dialog in the page, or a log-in that leads back to the form
                assert asks or (leads == (303, login) and not headers), route
            assert "z~q" not in answer.text, route
    assert rows_of(dana) == before


def test_those_without_a_session_get_what_is_public_and_nothing_else(app: Flask, dana: Person, world: World) -> None:
    for route in OPEN:
        answer = ask(app.test_client(), app, route, world.get(route.names, uuid.uuid4()), dana.email)
        assert answer.status_code == route.public, route
        assert b"z~q" not in answer.data, route


@pytest.mark.parametrize("headers", FORMS, ids=["page", "fragment"])
def test_what_is_another_workspaces_answers_like_what_is_missing_and_stays_as_it_is(
    app: Flask, dana: Person, stranger: Person, world: World, headers: dict[str, str]
) -> None:
    def ask_for_another_workspaces(route: Route) -> None:
        address = route.address(app)
        for method in (route.method, *(OTHER_METHODS if address not in asked else ())):
            foreign, missing = (
                plain(ask(stranger.client, app, route, key, headers=headers, method=method), key)
                for key in (world[route.names], uuid.uuid4())
            )
            assert foreign == missing, (route, method)
            assert foreign[0] == 404 or method in OTHER_METHODS, route
        asked.add(address)

    asked: set[str] = set()
    unchanged(dana, share(NAMING, FORMS.index(headers)), ask_for_another_workspaces)


@pytest.mark.parametrize("headers", FORMS, ids=["page", "fragment"])
def test_what_a_stranger_does_at_home_changes_nothing_elsewhere(
    app: Flask, dana: Person, stranger: Person, world: World, headers: dict[str, str]
) -> None:
    theirs = plant(stranger, "y~q")
    unchanged(
        dana,
        share([route for route in CLOSED if route.method == "POST"], FORMS.index(headers)),
        lambda route: ask(stranger.client, app, route, theirs.get(route.names, ""), headers=headers),
    )


def test_no_page_shows_a_word_or_an_id_of_another_workspace(app: Flask, sign_up: Callable[..., Person]) -> None:
    """The owner sees words of every table, the stranger none of them: as a newcomer, at work, and looking for them."""
    dana, sam = sign_up("z~quser_account.name", "z~qworkspace.name"), sign_up("Sam Stranger", "Elsewhere")
    world = plant(dana, "z~q")
    shown = "".join(text for _, text in pages_of(app, dana, world, len(FORMS)))
    tables = (
        "attempt audit_entry bulk contact contact_bulk contact_import contact_import_refusal contact_view custom_field"
        " erasure event hand_over list_word sandbox_request subject tag trashed_contact user_account webhook workspace"
    )
    assert sorted(set(re.findall(r"z~q(\w+)\.", shown))) == tables.split()
    ids = [str(key) for kind, key in world.items() if key and kind != "schema"]
    assert sum(key in shown for key in ids) > 5
    for theirs in ({}, plant(sam, "y~q")):
        for address, text in pages_of(app, sam, theirs):
            assert not [word for word in ("z~q", *ids) if word in text], address
    for address in LOOKING:
        for headers in FORMS:
            text = sam.client.get(address.format(**world), headers=headers).text
            assert not re.findall(r"z~q\w+\.", text), address


def test_nobody_of_another_workspace_can_be_made_an_owner(app: Flask, dana: Person, stranger: Person) -> None:
    before = all_rows()
    answer = stranger.client.post("/contacts/new", data=CONTACT | {"owner": str(dana.user_id)})
    assert (answer.status_code, "Owner is one of the list" in answer.text) == (422, True)
    assert dana.name not in answer.text
    assert all_rows() == before


def pages_of(app: Flask, person: Person, world: World, forms: int = 1) -> Iterator[tuple[str, str]]:
    """All that a person can open, by turns as a page and as a fragment, or in both `forms`, with their addresses."""
    for number, route in enumerate(GETS):
        if not route.names or route.names in world:
            for headers in share(FORMS, number, len(FORMS) // forms):
                answer = ask(person.client, app, route, world.get(route.names, ""), headers=headers)
                yield route.address(app), answer.data.decode(errors="replace")  # pictures are no text


@pytest.mark.parametrize("headers", FORMS, ids=["page", "fragment"])
def test_nothing_is_changed_without_the_pages_own_token(
    app: Flask, dana: Person, stranger: Person, world: World, headers: dict[str, str]
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    another = re.findall(r'name="csrf_token" value="(.+?)"', stranger.client.get("/settings").text)[0]
    tokens: list[dict[str, str]] = [{}, {"csrf_token": ""}, {"csrf_token": another}]
    before = rows_of(dana)
    for number, route in enumerate(share(POSTS, FORMS.index(headers))):
        key = world.get(route.names, uuid.uuid4())
        for client in (dana.client, app.test_client()):
            for token in share(tokens, number, len(tokens)):
                form = route.filled(key, dana.email) | token  # anew: a file is read once
                answer = ask(client, app, route, world.get(route.names, ""), data=form, headers=headers)
                if not route.public and client is not dana.client:
                    assert answer.status_code == (401 if headers else 303), route
                    continue
                assert answer.status_code == 400, route
                assert "This page is out of date" in answer.text, route
                assert ("<html" in answer.text) == (not headers), route
    assert rows_of(dana) == before


def test_nothing_that_comes_back_after_a_log_in_does_anything(app: Flask, dana: Person, world: World) -> None:
    """Nobody pressed its button: it is shown again, or the page is."""
    before = all_rows()
    for route in POSTS:
        if not route.public:
            key = world.get(route.names, "")
            form = route.filled(key, dana.email) | {CAME_BACK: "y"}
            answer = ask(dana.client, app, route, key, data=form)
            assert answer.status_code in (200, 204, 303, 400, 422), route
            assert all_rows() == before, route


def test_what_is_no_id_is_nothing(app: Flask, dana: Person, world: World) -> None:
    before = rows_of(dana)
    for number, route in enumerate(ROUTES):
        # The sandbox receiver sends whoever opens its address to its page, which asks them to log in.
        if route.names and route.public != 302:
            for key in share(MALFORMED, number, len(MALFORMED)):
                assert ask(dana.client, app, route, key).status_code == 404, (route, key)
    assert rows_of(dana) == before
