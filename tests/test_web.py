"""Every page: safe headers, errors that a person can read, whole page or fragment at the same address."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.extensions import db
from tests.conftest import Person

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
OPEN_TO_ALL = {"/login", "/signup", "/health"}


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


def test_no_page_is_for_those_without_a_session_unless_it_says_so(app: Flask, dana: Person) -> None:
    visitor = app.test_client()
    opened = {address for address in pages(app) if visitor.get(address).status_code != 303}
    assert opened == OPEN_TO_ALL


def test_nothing_is_changed_without_the_csrf_token(app: Flask, dana: Person) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    posts = [r for r in app.url_map.iter_rules() if "POST" in (r.methods or ())]
    assert len(posts) > 10
    for rule in posts:
        address = rule.rule
        for argument in rule.arguments:
            kind = type(rule._converters[argument]).__name__
            assert kind == "UUIDConverter", f"{rule.rule} takes something that is no id"
            address = address.replace(f"<uuid:{argument}>", "00000000-0000-4000-8000-000000000000")
        assert dana.client.post(address).status_code == 400, address


@pytest.mark.parametrize(
    ("address", "status"),
    [("/nothing", 404), ("/contacts/1", 404), ("/apps/webhooks/00000000-0000-4000-8000-000000000000", 404)],
)
def test_what_is_not_there_answers_with_a_page_and_with_a_fragment(dana: Person, address: str, status: int) -> None:
    whole, part = dana.client.get(address), dana.client.get(address, headers=PARTIAL)
    assert whole.status_code == part.status_code == status
    assert "<html" in whole.text
    assert "<html" not in part.text
    assert "There is nothing at this address" in whole.text
    assert "There is nothing at this address" in part.text


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


def test_too_much_at_once_is_refused_in_words(dana: Person) -> None:
    answer = dana.client.post("/contacts/new", data={"notes": "x" * 1_100_000})
    assert answer.status_code == 413
    assert "too large" in answer.text


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
