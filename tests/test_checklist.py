"""What has to hold of every route, walked over all of them: a new one cannot be forgotten, `tests/routes.py` names it.

Permissions, CSRF and other workspaces' rows are walked in `test_permissions` and `test_separation`.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal import create_app
from portal.audit import AuditEntry
from portal.config import MAX_FORM_BYTES
from portal.extensions import db, limiter
from portal.mail import Letter
from tests.conftest import PASSWORD, Browser, Person, settings
from tests.routes import ROUTES, Route
from tests.test_separation import FORMS, ask
from tests.turns import share
from tests.world import World, all_rows, plant

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
GETS = [route for route in ROUTES if route.method == "GET"]
POSTS = [route for route in ROUTES if route.method == "POST"]
SMALL_POSTS = [route for route in POSTS if route.endpoint not in ("contacts.upload", "imports.upload")]
"""All that take no file: those two have bounds of their own, and tests of them."""
STATIC = ("/static/app.css", "/static/app.js", "/static/nothing.js")
DIRECTIVES = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:",
    "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin", "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}  # fmt: skip
ASTRAY = (
    "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "javascript:alert(1)", "https:evil.example", "\x00//evil.example", "/\n//evil.example", "http://localhost@evil.example",
)  # fmt: skip
PARAMETERS = (
    "q", "sort", "before", "after", "older", "newer", "person", "action", "thing", "day", "v", "attempt", "view",
    "request", "next", "act", "days", "status", "event", "webhook", "contact", "result", "trigger", "slower", "from",
    "to", "upto", "page", "stage", "owner", "tag", "event_type", "mode", "signature", "name", "id",
)  # fmt: skip
OTHER_METHODS = ("POST", "PUT", "DELETE", "TRACE", "FOO")
HOSTILE = (
    "x" * 8_000, "\x00", "\ud800", "%00%ff", "' OR 1=1 --", "\u202e<script>", "9" * 400, "-1", "1e999", "[]", "{}",
    "99999999-12-31T23:59:59", "a_b_c", "\n\r\n",
)  # fmt: skip


TURNS = 3
"""So often each field can be filled, each time with something else: by turns, route by route."""


@pytest.fixture(autouse=True)
def no_limits(app: Flask) -> Iterator[None]:
    """The walk is faster than people are."""
    limiter.enabled = False
    yield
    limiter.enabled = True


@pytest.fixture
def world(dana: Person) -> World:
    return plant(dana, "z~q")


def walk(app: Flask, dana: Person, world: World, routes: Sequence[Route] = ROUTES, **how: object) -> Iterator[
    tuple[Route, TestResponse]
]:  # fmt: skip
    """Call every route, of those who are signed in and of those who are not, each as it is meant to be called."""
    for route in routes:
        client = app.test_client() if route.public else dana.client
        yield route, ask(client, app, route, world.get(route.names, uuid.uuid4()), dana.email, **how)


def trouble_with(answer: TestResponse, https: bool) -> list[str]:
    """The headers that an answer lacks."""
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers.get("Content-Security-Policy", "- -").split(";")
    )
    wrong = [f"{name} {value}" for name, value in DIRECTIVES.items() if policy.get(name) != value]
    wrong += [name for name, value in HEADERS.items() if answer.headers.get(name) != value]
    wrong += ["a server's name"] if answer.headers.get("Server") else []
    strict = answer.headers.get("Strict-Transport-Security", "")
    age = int(strict.partition("max-age=")[2].partition(";")[0] or 0)
    return wrong + (["Strict-Transport-Security"] if (age >= 31_536_000) != https else [])


@ONE_DATABASE
@pytest.mark.parametrize("https", [False, True], ids=["http", "https"])
def test_every_answer_has_the_headers_of_a_safe_one(app: Flask, dana: Person, https: bool) -> None:
    scheme = "https" if https else "http"
    dana = signed_in(app, dana, f"{scheme}://localhost")
    world = plant(dana, "z~q")
    for route, answer in walk(app, dana, world, share(GETS, https), base_url=f"{scheme}://localhost"):
        kept = ["Cache-Control"] if route.endpoint == "contacts.picture" else []  # its address is new when it is
        assert trouble_with(answer, https) == kept, route
        kind = answer.headers.get("Content-Type", "")
        assert kind.startswith(("text/html; charset=utf-8", "application/json", "text/csv", "text/plain", "image/")), (
            route
        )
    refusals = [
        dana.client.get("/nothing", base_url=f"{scheme}://localhost"),
        dana.client.post("/deliveries", base_url=f"{scheme}://localhost"),
        dana.client.post("/contacts/new", data={"notes": "x" * 2 * MAX_FORM_BYTES}, base_url=f"{scheme}://localhost"),
        app.test_client().post("/login", data={"email": "x"}, base_url=f"{scheme}://localhost"),
    ]
    for route, answer in walk(app, dana, world, [] if https else POSTS, base_url=f"{scheme}://localhost"):
        assert trouble_with(answer, https) == [], route
    app.config["TRUSTED_HOSTS"] = ["portal.example"]
    refusals.append(app.test_client().get("/login", base_url=f"{scheme}://localhost"))
    assert [answer.status_code for answer in refusals] == [404, 405, 413, 422, 400]
    assert [trouble_with(answer, https) for answer in refusals] == [[]] * 5


@ONE_DATABASE
def test_files_are_never_taken_for_something_else(app: Flask) -> None:
    for address in STATIC:
        answer = app.test_client().get(address)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", address
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], address
        assert answer.headers.get("Access-Control-Allow-Origin") is None, address
    assert app.test_client().get("/static/../app.py").status_code == 404
    assert app.test_client().get("/static/%2e%2e/app.py").status_code == 404


@ONE_DATABASE
def test_the_cookie_is_for_this_site_alone_and_for_no_script(app: Flask, dana: Person) -> None:
    for base, names in (("http://localhost", set()), ("https://localhost", {"Secure"})):
        form = {"email": dana.email, "password": PASSWORD}
        answer = app.test_client().post("/login", data=form, base_url=base)
        [cookie] = [one for one in answer.headers.getlist("Set-Cookie") if "session" in one.partition("=")[0]]
        flags = {part.strip() for part in cookie.split(";")[1:]}
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} | names <= flags
        assert not [flag for flag in flags if flag.startswith("Domain")]


def test_what_is_too_large_is_refused_before_it_is_read(app: Flask, dana: Person, world: World) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    before = all_rows()
    long = b"x" * (MAX_FORM_BYTES + 1)
    part = b'--x\r\nContent-Disposition: form-data; name="notes"\r\n\r\n' + long + b"\r\n--x--\r\n"
    forms = {"application/x-www-form-urlencoded": b"notes=" + long, "multipart/form-data; boundary=x": part}
    for number, (kind, large) in enumerate(forms.items()):
        for route, answer in walk(app, dana, world, share(SMALL_POSTS, number), data=large, content_type=kind):
            assert answer.status_code == 413, (route, kind)
            assert "That is too large" in answer.text, route
    assert all_rows() == before


def test_files_are_read_of_those_alone_who_may_send_them(
    app: Flask, dana: Person, world: World, hire: Callable[..., Person]
) -> None:
    """Others are asked to log in, or refused, after no more than a form may have."""
    agent = hire(dana)
    app.config["WTF_CSRF_ENABLED"] = True
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    large = part + b"x" * (MAX_FORM_BYTES + 1) + b"\r\n--x--\r\n"
    how = {"data": large, "content_type": "multipart/form-data; boundary=x"}
    [picture, sheet] = [route for route in POSTS if route not in SMALL_POSTS]
    for route in (picture, sheet):
        answer = ask(app.test_client(), app, route, world.get(route.names, ""), **how)
        assert (answer.status_code, answer.location) == (303, "/login"), route
        answer = ask(dana.client, app, route, world.get(route.names, ""), **how)
        assert (answer.status_code, "This page is out of date" in answer.text) == (400, True), "it was read"
    assert ask(agent.client, app, sheet, **how).status_code == 413


@ONE_DATABASE
def test_no_route_answers_to_a_host_that_is_not_ours(app: Flask, dana: Person, world: World) -> None:
    app.config["TRUSTED_HOSTS"] = ["portal.example", ".trusted.example"]
    before = all_rows()
    hosts = ("evil.example", "portal.example.evil.example", "")
    for number, host in enumerate(hosts):
        for route, answer in walk(app, dana, world, share(ROUTES, number, len(hosts)), headers={"Host": host}):
            assert answer.status_code == 400, (route, host)
            assert "evil" not in answer.text, route
            assert "Set-Cookie" not in answer.headers, route
    assert all_rows() == before
    assert app.test_client().get("/login", headers={"Host": "portal.example"}).status_code == 200


FORGED = {
    "X-Forwarded-For": "203.0.113.66", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=203.0.113.66;host=evil.example;proto=https",
    "X-Real-IP": "203.0.113.66", "X-Original-URL": "/settings/audit", "X-Rewrite-URL": "/settings/audit",
    "X-HTTP-Method-Override": "DELETE",
}  # fmt: skip


@ONE_DATABASE
def test_nobody_speaks_for_a_proxy_that_is_not_there(app: Flask, dana: Person, world: World) -> None:
    routes = [route for route in ROUTES if route.endpoint != "sandbox.receive"]  # which shows what it got
    for route, answer in walk(app, dana, world, routes, headers=FORGED):
        seen = answer.text + str(answer.headers)
        assert "Strict-Transport-Security" not in answer.headers, route
        assert not re.search(r"evil|203\.0\.113\.66", seen.replace("203.0.113.0/24", "")), route
    db.session.rollback()
    assert set(db.session.scalars(select(AuditEntry.address))) <= {"127.0.0.1", "", "z~qaudit_entry.address"}


@ONE_DATABASE
def test_of_what_proxies_say_only_the_last_ones_word_counts(
    app: Flask, database_url: str, valkey_url: str, tmp_path: Path, dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = create_app({**settings(database_url, valkey_url, tmp_path), "PROXIES": 1})
    behind.test_client_class = Browser
    headers = {"X-Forwarded-For": "203.0.113.66, 198.51.100.7", "X-Forwarded-Proto": "http, https"}
    form = {"email": dana.email, "password": PASSWORD}
    answer = behind.test_client().post("/login", data=form, headers=headers)
    assert answer.headers["Strict-Transport-Security"]
    db.session.rollback()
    latest = select(AuditEntry.address).where(AuditEntry.action == "signed in").order_by(AuditEntry.at.desc())
    assert db.session.scalar(latest.limit(1)) == "198.51.100.7"
    behind.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    behind.test_client().post("/login/forgot", data={"email": dana.email}, headers={"X-Forwarded-Host": "evil.example"})
    db.session.rollback()
    body = db.session.scalars(select(Letter)).one().body
    assert "http://localhost/reset/" in body, "the host is what the proxy passes on as Host"


@ONE_DATABASE
def test_browsers_insist_on_https_wherever_cookies_do(app: Flask) -> None:
    app.config["SESSION_COOKIE_SECURE"] = True  # as the portal's address says, though the proxy tells no scheme
    answer = app.test_client().get("/login")
    assert answer.headers["Strict-Transport-Security"]
    assert "; Secure" in answer.headers["Set-Cookie"]


@ONE_DATABASE
def test_no_address_leads_away(app: Flask, dana: Person, world: World) -> None:
    """Whatever is asked for, in the address and in the form, whoever follows stays in the portal."""
    here = "/contacts?canary=1"
    stays = [route for route in ROUTES if route.endpoint != "accounts.log_out"]
    stays.sort(key=lambda route: bool(route.public))  # some of those without a session end the others
    follow = [route for route in stays if led_to(app, dana, world, route, here) == here]
    assert "sandbox.use" in {route.endpoint for route in follow}
    for astray in ASTRAY:
        for route in follow:
            to = led_to(app, dana, world, route, astray)
            assert re.match(r"/(?![/\\])[^\s\x00]*$", to), (route, astray, to)


def led_to(app: Flask, dana: Person, world: World, route: Route, wanted: str) -> str:
    """Where an answer leads when all that may say so asks for `wanted`."""
    key = world.get(route.names, uuid.uuid4())
    query = dict.fromkeys(("next", "url", "return_to", "redirect", "back"), wanted)
    form = {**query, **route.filled(key, dana.email)} if route.method == "POST" else None
    client = app.test_client() if route.public else dana.client
    answer = client.open(route.address(app, key), method=route.method, query_string=query, data=form)
    return answer.location or answer.headers.get("HX-Redirect") or "/"


@ONE_DATABASE
def test_no_other_method_is_taken(app: Flask, dana: Person, world: World) -> None:
    before = all_rows()
    taken: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        taken.setdefault(rule.rule, set()).update(rule.methods or ())
    for number, route in enumerate(ROUTES):
        address = route.address(app, world.get(route.names, uuid.uuid4()))
        rule = next(
            rule.rule for rule in app.url_map.iter_rules(route.endpoint) if route.method in (rule.methods or ())
        )
        others = [method for method in OTHER_METHODS if method not in taken[rule]]
        for method in share(others, number, len(others)):
            assert dana.client.open(address, method=method, headers=FORMS[1]).status_code == 405, (route, method)
    assert all_rows() == before


OTHER_KINDS = (
    ("application/json", b'{"name": "x", "next": "/"}'),
    ("text/plain", b"name=x&csrf_token=x"),
    ("application/xml", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="name"; filename="../../x"\r\n'),
    ("application/x-www-form-urlencoded; charset=utf-7", b"name=%2BADw-script"),
    ("", b"\xff\xfe\x00"),
)


@ONE_DATABASE
def test_a_body_of_another_kind_is_no_form(app: Flask, dana: Person, world: World) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    before, routes = all_rows(), [one for one in POSTS if one.csrf]
    for number, (kind, body) in enumerate(OTHER_KINDS):
        mine = share(routes, number, len(OTHER_KINDS))
        for route, answer in walk(app, dana, world, mine, data=body, content_type=kind):
            assert (answer.status_code, "This page is out of date" in answer.text) == (400, True), (route, kind)
    assert all_rows() == before


def test_whatever_is_typed_into_an_address_no_page_breaks(app: Flask, dana: Person, world: World) -> None:
    for number, route in enumerate(GETS):
        for turn in share(range(TURNS), number, TURNS):
            client = app.test_client() if route.public else dana.client
            address = route.address(app, world.get(route.names, uuid.uuid4()))
            answer = client.get(address, query_string=typed(PARAMETERS, turn), headers=FORMS[turn % 2])
            assert answer.status_code < 500, (route, turn)
            assert "<script>" not in answer.text, (route, turn)


def test_whatever_is_typed_into_a_field_no_form_breaks(app: Flask, dana: Person, world: World) -> None:
    routes = [route for route in POSTS if route.endpoint not in ("accounts.log_out", "account.end_other_sessions")]
    for number, route in enumerate(routes):
        for turn in share(range(TURNS), number, TURNS):
            key = world.get(route.names, uuid.uuid4())
            client = app.test_client() if route.public else dana.client
            form = typed([*route.filled(key, dana.email), *PARAMETERS], turn)
            assert client.post(route.address(app, key), data=form).status_code < 500, (route, turn)


def typed(names: Sequence[str], turn: int) -> dict[str, bytes]:
    """Something hostile in each of the fields, in each turn something else."""
    texts = [HOSTILE[(number + 5 * turn) % len(HOSTILE)] for number in range(len(names))]
    return {name: text.encode("utf-8", "surrogatepass") for name, text in zip(names, texts, strict=True)}


@ONE_DATABASE
def test_a_view_that_breaks_shows_nothing_of_its_inside(
    app: Flask, dana: Person, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("secret detail")

    for route in ROUTES:
        view = app.view_functions[route.endpoint]
        broken.__dict__.update(view.__dict__)
        monkeypatch.setitem(app.view_functions, route.endpoint, broken)
    for headers in FORMS:
        for route, answer in walk(app, dana, world, headers=headers):
            assert answer.status_code == 500, route
            assert not re.search(r"secret detail|RuntimeError|Traceback|\.py", answer.text), route
            assert ("<html" in answer.text) == (not headers), route


@ONE_DATABASE
def test_what_people_type_is_nowhere_markup(app: Flask, dana: Person) -> None:
    """Every field of every table begins with a tag: no page has it as one, and files say what they are."""
    world, shown = plant(dana, "<i>"), ""
    for route, answer in walk(app, dana, world, GETS):
        shown += answer.text
        if answer.mimetype == "text/html":
            assert "<i>" not in answer.text, route
        elif "<i>" in answer.text:
            assert answer.headers["Content-Disposition"].startswith("attachment"), route
    assert shown.count("&lt;i&gt;") > 50


def signed_in(app: Flask, person: Person, base_url: str) -> Person:
    """The same person in a browser whose cookies are of that address."""
    client: FlaskClient = app.test_client()
    answer = client.post("/login", data={"email": person.email, "password": PASSWORD}, base_url=base_url)
    assert answer.status_code == 303
    return Person(client, person.workspace_id, person.user_id, person.name, person.email)
