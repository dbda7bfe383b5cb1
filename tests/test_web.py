"""Every page: safe headers, errors that a person can read, whole page or fragment at the same address."""

import gzip
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy import event, text

from portal.accounts.permissions import Permission, allowed
from portal.extensions import db
from tests.conftest import Person

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def pages(app: Flask) -> list[str]:
    """The addresses that need no id."""
    rules = [r for r in app.url_map.iter_rules() if "GET" in (r.methods or ()) and not r.arguments]
    return sorted(rule.rule for rule in rules)


def test_every_page_has_the_headers_of_a_safe_one(app: Flask, dana: Person) -> None:
    for address in pages(app):
        headers = dana.client.get(address).headers
        assert "unsafe" not in headers["Content-Security-Policy"], address
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), address
        assert headers["X-Content-Type-Options"] == "nosniff", address
        assert headers["Cache-Control"] == "no-store", address


def test_pages_travel_compressed_and_hide_their_exact_size(dana: Person) -> None:
    plain = dana.client.get("/contacts/new")
    packed = [dana.client.get("/contacts/new", headers={"Accept-Encoding": "gzip"}) for _ in range(10)]
    assert "Content-Encoding" not in plain.headers
    assert all("Accept-Encoding" in answer.headers["Vary"] for answer in (plain, *packed))
    for answer in packed:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) == len(answer.data) < len(plain.data) / 3
        assert gzip.decompress(answer.data).endswith(b"</html>")
    names = {len(answer.data[10:].split(b"\0")[0]) for answer in packed}
    assert len(names) > 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "The request could not be read"),
        (403, "You may not open this"),
        (404, "There is nothing at this address"),
        (405, "This address can’t be opened like that"),
        (413, "That is too large"),
        (418, "The request could not be read"),
        (429, "Too many tries"),
        (500, "Something broke on our side"),
        (503, "The database does not answer just now"),
    ],
)
def test_each_refusal_is_said_in_words_as_page_and_as_fragment(
    app: Flask, dana: Person, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    monkeypatch.setitem(app.view_functions, "contacts.index", lambda: abort(status))
    whole, part = dana.client.get("/contacts"), dana.client.get("/contacts", headers=PARTIAL)
    assert whole.status_code == part.status_code == status
    assert words in whole.text
    assert words in part.text
    assert "<html" in whole.text
    assert part.text.startswith("<div")
    assert ("Log out" in whole.text) == (status < 500)


@pytest.mark.parametrize(
    ("method", "address", "form", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("POST", "/nothing", {}, 404),
        ("POST", "/deliveries", {}, 405),
        ("DELETE", "/contacts", {}, 405),
        ("POST", "/contacts/new", {"notes": "x" * 1_100_000}, 413),
        ("POST", "/apps/sandbox/mode", {"mode": "unheard of"}, 400),
        ("POST", "/contacts/new", {"email": "dana@"}, 422),
    ],
)
def test_what_can_go_wrong_has_its_status(
    dana: Person, method: str, address: str, form: dict[str, str], status: int
) -> None:
    assert dana.client.open(address, method=method, data=form).status_code == status


def take_away(request: pytest.FixtureRequest) -> None:
    """From here on, until the test ends, the database does not answer."""

    def refuse(*_: object) -> None:
        raise engine.dialect.loaded_dbapi.OperationalError("secret detail")

    engine = db.engine
    event.listen(engine, "do_connect", refuse)
    request.addfinalizer(lambda: event.remove(engine, "do_connect", refuse))
    engine.dispose()


def test_with_the_database_away_the_page_still_says_so(
    app: Flask, dana: Person, request: pytest.FixtureRequest
) -> None:
    db.session.remove()
    take_away(request)
    for client in (dana.client, app.test_client()):
        for headers in ({}, PARTIAL):
            failed, missing = client.get("/contacts", headers=headers), client.get("/nothing", headers=headers)
            assert (failed.status_code, missing.status_code) == (503, 404)
            assert failed.headers["Retry-After"] == "5"
            assert "The database does not answer just now" in failed.text
            assert "There is nothing at this address" in missing.text
            assert "secret detail" not in failed.text + missing.text
            assert failed.headers["Content-Security-Policy"]


def test_under_a_host_that_is_not_its_own_it_answers_nothing(app: Flask, dana: Person) -> None:
    app.config["TRUSTED_HOSTS"] = ["portal.example"]
    refused = dana.client.get("/contacts")
    assert (refused.status_code, "PORTAL_HOSTS" in refused.text) == (400, True)
    assert dana.client.get("/login", base_url="http://portal.example").status_code == 200


def test_a_failure_of_ours_shows_a_number_and_no_traceback(
    app: Flask, dana: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> str:
        raise RuntimeError("secret detail")

    monkeypatch.setitem(app.view_functions, "contacts.index", fail)
    answer = dana.client.get("/contacts")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "secret detail" not in answer.text
    number = answer.text.split('<span class="mono">')[1].split("<")[0]
    assert number in caplog.text


def test_health_says_503_when_saving_would_fail(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    visitor: FlaskClient = app.test_client()
    assert visitor.get("/health").json == {
        "database": "ok",
        "redis": "ok",
        "status": "ok",
        "warning": "No worker lives: events are recorded, and delivered when one starts.",
        "workers": 0,
    }

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(db.session, "execute", fail)
    answer = visitor.get("/health")
    assert answer.status_code == 503
    assert answer.json
    assert answer.json["database"] == "down"


def test_a_refused_method_says_which_ones_are_taken(dana: Person) -> None:
    assert {"GET", "POST"} <= set(dana.client.delete("/contacts/new").allow)
    assert "DELETE" not in dana.client.delete("/contacts/new").allow


def test_a_refusal_leaves_a_line_that_says_who_and_where_and_repeats_nothing(
    app: Flask, dana: Person, hire: Callable[..., Person], caplog: pytest.LogCaptureFixture
) -> None:
    ada = hire(dana)
    ada.client.get("/settings/audit?person=planted")
    app.config["WTF_CSRF_ENABLED"] = True
    app.test_client().post("/signup", data={"email": "planted"})
    dana.client.post("/contacts/new", data={"notes": "planted"})
    app.config["TRUSTED_HOSTS"] = ["portal.example"]
    app.test_client().get("/planted", headers={"Host": "planted.example"})
    told = [one.getMessage().partition(" ")[2] for one in caplog.records if one.name == "portal"]
    assert told == [
        f"403 GET /settings/audit by {ada.user_id} from 127.0.0.1",
        "400 POST /signup by nobody from 127.0.0.1",
        f"400 POST /contacts/new by {dana.user_id} from 127.0.0.1",
        "400 GET an unknown address by nobody from 127.0.0.1",
    ]


def cut_off(database_url: str) -> None:
    """The server ends this request's connection, in the middle of a transaction."""
    mine = db.session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [mine])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_goes_away_after_the_commit_does_not_take_the_answer_back(
    app: Flask, dana: Person, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def saved() -> str:
        db.session.commit()
        cut_off(database_url)
        return "It is saved."

    with monkeypatch.context() as patch:
        patch.setitem(app.view_functions, "accounts.settings", allowed(Permission.PORTAL)(saved))
        answer = dana.client.get("/settings")
    assert (answer.status_code, answer.text) == (200, "It is saved.")
    assert dana.client.get("/settings").status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_one_that_goes_away_in_the_middle_is_said_to_whoever_asks_and_to_the_log(
    app: Flask, dana: Person, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        db.session.commit()  # from here on the database has to be asked who is signed in
        cut_off(database_url)
        return str(db.session.scalar(text("SELECT 1")))

    with monkeypatch.context() as patch:
        patch.setitem(app.view_functions, "accounts.settings", allowed(Permission.PORTAL)(broken))
        answer = dana.client.get("/settings")
    assert (answer.status_code, "The database does not answer just now" in answer.text) == (503, True)
    assert f"503 GET /settings by {dana.user_id}" in caplog.text


def test_while_it_stays_away_the_log_says_that_it_was_somebody(
    app: Flask,
    dana: Person,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> str:
        db.session.commit()  # from here on the database has to be asked who is signed in
        take_away(request)
        return str(db.session.scalar(text("SELECT 1")))

    monkeypatch.setitem(app.view_functions, "accounts.settings", allowed(Permission.PORTAL)(broken))
    answer = dana.client.get("/settings")
    assert (answer.status_code, "Log out" in answer.text) == (503, False)
    assert "503 GET /settings by somebody from 127.0.0.1" in caplog.text
