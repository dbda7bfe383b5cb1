"""Who gets in, who does not, and that nobody can be sent astray."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.accounts import service
from portal.accounts.models import Session, User
from portal.extensions import db
from tests.conftest import PASSWORD, Person

SIGNUP = {"workspace": "Harbour", "name": "Dana", "email": "dana@example.com", "password": PASSWORD}


def log_in(visitor: FlaskClient, person: Person, password: str = PASSWORD, then: str = "") -> tuple[int, str | None]:
    address = f"/login?next={then}" if then else "/login"
    answer = visitor.post(address, data={"email": person.email, "password": password})
    return answer.status_code, answer.location


def test_the_first_visit_leads_to_sign_up_and_the_next_to_log_in(
    visitor: FlaskClient, sign_up: Callable[[], Person]
) -> None:
    assert visitor.get("/contacts").location == "/signup"
    sign_up()
    assert visitor.get("/contacts").location == "/login?next=/contacts"


def test_sign_up_makes_an_administrator_and_signs_in(dana: Person) -> None:
    page = dana.client.get("/settings").text
    assert "Administrator" in page
    assert dana.name in page


def test_the_password_is_kept_as_argon2id(dana: Person) -> None:
    user = db.session.get_one(User, dana.user_id)
    assert user.password_hash.startswith("$argon2id$")
    assert PASSWORD not in user.password_hash


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"workspace": ""}, "Name the workspace"),
        ({"name": ""}, "Tell us your name"),
        ({"email": "dana@"}, "Give a full e-mail address"),
        ({"password": "short"}, "Use at least 12 characters"),
        ({"password": "xy" * 100}, "This has 200 characters. A password has at most 128."),
        ({"workspace": "x" * 101}, "Workspace is too long"),
        ({"name": "a\0b"}, "not text"),
    ],
)
def test_bad_input_is_named_at_its_field_and_nothing_typed_is_lost(
    visitor: FlaskClient, wrong: dict[str, str], says: str
) -> None:
    answer = visitor.post("/signup", data=SIGNUP | wrong)
    assert answer.status_code == 422
    assert says in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "email" in wrong or "dana@example.com" in answer.text


def test_an_address_signs_up_once_in_whatever_case(visitor: FlaskClient, dana: Person) -> None:
    answer = visitor.post("/signup", data=SIGNUP | {"email": dana.email.upper()})
    assert answer.status_code == 422
    assert "Log in instead" in answer.text


def test_sign_up_is_closed_once_there_is_a_workspace(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    app.config["SIGNUP"] = "first"
    assert visitor.get("/signup").status_code == 403
    assert visitor.post("/signup", data=SIGNUP).status_code == 403


def test_a_network_signs_up_so_often_an_hour_and_no_more(app: Flask, visitor: FlaskClient) -> None:
    app.config["SIGNUPS_PER_HOUR"] = 3
    forms = [SIGNUP | {"email": f"dana{number}@example.com"} for number in range(4)] + [SIGNUP | {"email": ""}]
    assert [app.test_client().post("/signup", data=form).status_code for form in forms] == [303] * 3 + [429] * 2
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.1"}}
    assert visitor.post("/signup", data=SIGNUP, **elsewhere).status_code == 303  # type: ignore[arg-type]


def test_production_asks_the_first_for_the_token_that_it_printed(
    app: Flask, visitor: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    app.config.update(PRODUCTION=True, SIGNUP="first")
    service.announce_signup(app)
    token = capsys.readouterr().out.split()[-1]
    assert visitor.post("/signup", data=SIGNUP).status_code == 422
    assert visitor.post("/signup", data=SIGNUP | {"token": token[:-1] + "x"}).status_code == 422
    assert visitor.post("/signup", data=SIGNUP | {"token": token}).status_code == 303


def test_log_in_leads_to_where_one_wanted_to_go(visitor: FlaskClient, dana: Person) -> None:
    assert log_in(visitor, dana, then="/contacts?q=x") == (303, "/contacts?q=x")


@pytest.mark.parametrize("astray", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_and_never_elsewhere(visitor: FlaskClient, dana: Person, astray: str) -> None:
    assert log_in(visitor, dana, then=astray) == (303, "/")


def test_a_wrong_password_and_an_unknown_account_read_the_same(visitor: FlaskClient, dana: Person) -> None:
    known = visitor.post("/login", data={"email": dana.email, "password": "wrong password"})
    unknown = visitor.post("/login", data={"email": "x" + dana.email, "password": "wrong password"})
    assert known.status_code == unknown.status_code == 422
    texts = [known.text.replace(dana.email, ""), unknown.text.replace("x" + dana.email, "")]
    first, second = (re.sub(r"[\w.-]{60,}", "a CSRF token", text) for text in texts)
    assert first == second


def test_log_out_ends_the_session_wherever_its_cookie_is(visitor: FlaskClient, dana: Person) -> None:
    log_in(visitor, dana)
    cookie = visitor.get_cookie("session")
    assert cookie
    left = visitor.post("/logout")
    assert left.headers["Clear-Site-Data"] == '"prefetchCache", "prerenderCache"'
    visitor.set_cookie("session", cookie.value)
    turned_away = visitor.get("/contacts")
    assert turned_away.location.startswith("/login")
    assert "Clear-Site-Data" not in turned_away.headers, "only who leaves on purpose clears anything"


def test_the_database_knows_no_token_of_a_session(visitor: FlaskClient, dana: Person) -> None:
    with visitor.session_transaction() as before:
        assert "_user_id" not in before
    log_in(visitor, dana)
    with visitor.session_transaction() as kept:
        token = kept["_user_id"]
    assert db.session.get(Session, token) is None
    assert service.load_session(token)
