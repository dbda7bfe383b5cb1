"""Each role may do what the table says, whatever the door: every route, and every link that a page shows."""

import re
import uuid
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from portal.accounts.models import Membership, Role
from portal.accounts.permissions import LEAST, UPWARDS, Permission, allowed, is_public, needed
from portal.extensions import db, limiter
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Webhook
from tests.conftest import Person
from tests.routes import LEAST_ROLE, ROUTES, Route
from tests.test_separation import CLOSED, FORMS, ask
from tests.world import all_rows, plant

LEADING = re.compile(r'\b(?:href|action|hx-get|hx-post)="(/[^"]*)"')


@pytest.fixture(autouse=True)
def no_limits(app: Flask) -> Iterator[None]:
    """The walk is faster than people are."""
    limiter.enabled = False
    yield
    limiter.enabled = True


def may(role: Role, endpoint: str) -> bool:
    return UPWARDS.index(role) >= UPWARDS.index(LEAST_ROLE[endpoint])


def test_every_route_is_public_or_says_what_it_needs_and_the_table_is_as_it_was_meant(app: Flask) -> None:
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    closed = {endpoint for endpoint in endpoints if not is_public(endpoint)}
    assert {endpoint for endpoint in closed if needed(endpoint) == Permission.UNMARKED} == set()
    assert {endpoint: LEAST[needed(endpoint)] for endpoint in closed} == LEAST_ROLE
    assert set(LEAST) == set(Permission)


def test_a_view_without_a_mark_answers_administrators_alone(
    app: Flask, dana: Person, hire: Callable[..., Person]
) -> None:
    sue = hire(dana, Role.SUPERVISOR)
    app._got_first_request = False  # as while the app is made
    app.add_url_rule("/unmarked", "unmarked", lambda: "fine")
    app.add_url_rule("/marked", "marked", allowed(Permission.IMPORT)(lambda: "fine"))
    assert [person.client.get("/unmarked").status_code for person in (dana, sue)] == [200, 403]
    assert [person.client.get("/marked").status_code for person in (dana, sue)] == [200, 200]


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
def test_each_role_gets_what_the_table_says_and_is_told_who_may_the_rest(
    app: Flask, dana: Person, hire: Callable[..., Person], role: Role
) -> None:
    world, person = plant(dana, "z~q"), hire(dana, role)

    def call(route: Route, headers: dict[str, str]) -> tuple[int, str]:
        answer = ask(person.client, app, route, world.get(route.names, uuid.uuid4()), headers=headers)
        return answer.status_code, answer.text

    before = all_rows()
    for route in CLOSED:
        if not may(role, route.endpoint):
            for headers in FORMS:
                status, text = call(route, headers)
                assert (status, "<html" in text) == (403, not headers), route
                assert f"Administrators may {needed(route.endpoint)}. Ask" in unescape(text), route
                assert dana.name in text, route
    assert all_rows() == before
    for route in CLOSED:
        if may(role, route.endpoint):
            assert call(route, {})[0] != 403, route


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
@pytest.mark.parametrize("full", [False, True], ids=["new", "full"])
def test_no_page_leads_to_what_its_reader_may_not_use(
    app: Flask, dana: Person, hire: Callable[..., Person], role: Role, full: bool
) -> None:
    world, person = plant(dana, "z~q") if full else {}, hire(dana, role)
    addresses = app.url_map.bind("localhost")
    seen = set()
    for route in ROUTES:
        shown = route.method == "GET" and (route.public or may(role, route.endpoint))
        if shown and (not route.names or route.names in world):
            for headers in FORMS:
                answer = ask(person.client, app, route, world.get(route.names, ""), headers=headers)
                for address in map(unescape, LEADING.findall(answer.text if is_page(answer) else "")):
                    endpoint = endpoint_of(addresses, address.partition("?")[0].partition("#")[0])
                    seen.add(endpoint)
                    assert is_public(endpoint) or may(role, endpoint), (route, address)
    assert {"contacts.index", "accounts.log_out", "contacts.new"} <= seen


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
def test_a_webhooks_url_is_shown_in_full_to_none_but_those_who_may_see_webhooks(
    app: Flask, dana: Person, hire: Callable[..., Person], role: Role
) -> None:
    world, person, credential = plant(dana, "z~q"), hire(dana, role), "cr3dential-of-the-receiver"
    url = f"https://hooks.example/in?key={credential}"
    for model in (Webhook, Attempt):
        db.session.execute(db.update(model).values(url=url))
    db.session.commit()
    seen = ""
    for route in ROUTES:
        if route.method == "GET" and (route.public or may(role, route.endpoint)):
            for headers in FORMS:
                answer = ask(person.client, app, route, world.get(route.names, ""), headers=headers)
                assert credential not in answer.text, route
                seen += answer.text
    assert "POST hooks.example/in" in seen
    page = dana.client.get(f"/deliveries/{world['delivery']}").text
    assert page.count(credential) == 2  # in the request and in its curl


def is_page(answer: TestResponse) -> bool:
    return answer.status_code == 200 and answer.mimetype == "text/html"


def endpoint_of(addresses: object, path: str) -> str:
    """The view that a link, or else a form, leads to."""
    for method in ("GET", "POST"):
        try:
            return str(addresses.match(path, method)[0])  # type: ignore[attr-defined]
        except HTTPException:
            continue
    raise AssertionError(f"a page leads to {path}, where nothing is")


def test_a_role_counts_from_the_next_request_on(dana: Person, hire: Callable[..., Person]) -> None:
    ada = hire(dana, Role.AGENT)
    assert ada.client.get("/apps").status_code == 403
    db.session.get_one(Membership, (dana.workspace_id, ada.user_id)).role = Role.SUPERVISOR
    db.session.commit()
    assert ada.client.get("/apps").status_code == 200
