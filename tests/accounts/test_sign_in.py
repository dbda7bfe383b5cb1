"""Guessing is slow and tells nothing; whoever knows the password gets in, from a known device always."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import TooManyRequests

from portal import create_app
from portal.accounts import throttle
from portal.extensions import WITHOUT_WAITING, db, is_sqlite
from tests.accounts.proving import ANOTHER, actions, counting, is_in, log_in
from tests.conftest import PASSWORD, Browser, Person, settings


def from_network(number: int) -> dict[str, dict[str, str]]:
    return {"environ_overrides": {"REMOTE_ADDR": f"203.0.{number // 250}.{number % 250 + 1}"}}


def plain(text: str, email: str) -> str:
    return re.sub(r"[\w.-]{60,}", "a token", text.replace(email, "someone"))


@pytest.mark.both
def test_unknown_accounts_cost_the_same_hashes_and_statements_and_read_the_same(
    app: Flask, visitor: FlaskClient, dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    seen, texts = [], []
    for email in (dana.email, "nobody@example.com"):
        for path in ("/login", "/login/forgot"):
            with counting(app, monkeypatch) as counted:
                answer = visitor.post(path, data={"email": email, "password": ANOTHER})
            texts.append((answer.status_code, plain(answer.text, email)))
            seen.append(counted)
    assert seen[:2] == seen[2:]
    assert texts[:2] == texts[2:]
    assert [len(one["hashes"]) for one in seen] == [1, 0, 1, 0]
    # A commit waits for the disk only when there is something to write: that of a known account does not wait either.
    assert is_sqlite() or [str(WITHOUT_WAITING) in one["statements"] for one in seen] == [True] * 4
    assert actions(dana)[-1] == "failed to sign in", "and yet what happened to a known account is noted"


def test_guessers_are_slowed_down_wherever_they_are_and_the_owner_gets_in(
    app: Flask, visitor: FlaskClient, dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana.client.post("/logout")
    answers: list[int] = []
    with counting(app, monkeypatch) as counted:
        for number in range(150):
            answer = log_in(visitor, dana.email, f"{ANOTHER} {number}", **from_network(number % 750))
            answers += [answer.status_code]
    assert set(answers) == {422, 429}
    assert len(counted["hashes"]) == answers.count(422) == 100, "what is refused costs no hash"
    assert log_in(visitor, dana.email, PASSWORD, **from_network(7777)).status_code == 429
    assert log_in(dana.client, dana.email).status_code == 303, "her own browser has tries of its own"
    assert is_in(dana.client)


@pytest.mark.thorough
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_ten_thousand_tries_do_not_get_in_and_do_not_lock_the_owner_out(
    database_url: str, tmp_path: Path, sign_up: Callable[[], Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits count in memory here and no page is drawn for a refusal: all else is as it is."""
    dana, known = sign_up(), Path(tmp_path, "known")
    made = create_app({**settings(database_url, "redis://127.0.0.1:1", known), "RATELIMIT_STORAGE_URI": "memory://"})
    made.test_client_class = Browser
    monkeypatch.setitem(made.error_handler_spec, None, {429: {TooManyRequests: lambda _: ("", 429)}})
    with made.app_context():
        browser, visitor = made.test_client(), made.test_client()
        assert log_in(browser, dana.email).status_code == 303
        browser.post("/logout")
        with counting(made, monkeypatch) as counted:
            answers = [log_in(visitor, dana.email, f"{ANOTHER} {n}", **from_network(n % 2500)) for n in range(10_000)]
        assert len(counted["hashes"]) == [answer.status_code for answer in answers].count(422) == 100
        assert {answer.status_code for answer in answers} == {422, 429}
        assert log_in(browser, dana.email).status_code == 303
        assert is_in(browser)
        db.session.remove()
        db.engine.dispose()


def test_one_network_cannot_use_up_the_tries_of_all_others(visitor: FlaskClient, dana: Person) -> None:
    answers = [log_in(visitor, dana.email, ANOTHER, **from_network(1)).status_code for _ in range(12)]
    assert answers == [422] * 10 + [429] * 2
    assert log_in(visitor, dana.email, PASSWORD, **from_network(2)).status_code == 303


def test_a_known_device_does_not_guess_for_ever_either(dana: Person, stranger: Person, visitor: FlaskClient) -> None:
    dana.client.post("/logout")
    answers = [log_in(dana.client, dana.email, ANOTHER).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    stranger.client.post("/logout")
    answers = [log_in(stranger.client, dana.email, ANOTHER).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429], "the device of one person is not known for another"
    assert log_in(stranger.client, stranger.email).status_code == 303


def test_knowing_is_not_slowed_down(visitor: FlaskClient, dana: Person) -> None:
    for _ in range(15):
        assert log_in(visitor, dana.email).status_code == 303
        visitor.post("/logout")


def test_without_redis_guessing_stays_slow_and_nobody_is_locked_out(
    database_url: str, tmp_path: Path, sign_up: Callable[[], Person]
) -> None:
    person = sign_up()
    app = create_app(settings(database_url, "redis://127.0.0.1:1", tmp_path))
    app.test_client_class = Browser
    with app.app_context():
        visitor = app.test_client()
        assert log_in(visitor, person.email).status_code == 303
        visitor.post("/logout")
        stranger = app.test_client()
        answers = [log_in(stranger, person.email, ANOTHER).status_code for _ in range(11)]
        assert answers == [422] * 10 + [429]
        assert log_in(visitor, person.email).status_code == 303
        db.session.remove()
        db.engine.dispose()


def test_cookies_over_https_are_bound_to_the_host(app: Flask, dana: Person) -> None:
    secure = {"base_url": "https://localhost"}
    browser = app.test_client()
    answer = log_in(browser, dana.email, **secure)
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        assert re.match(r"__Host-(session|device)=", cookie)
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
    assert browser.get("/account", **secure).status_code == 200  # type: ignore[arg-type]


def test_a_sign_in_takes_a_new_session_and_leaves_nothing_in_the_old_one(app: Flask, dana: Person) -> None:
    browser = app.test_client()
    with browser.session_transaction() as before:
        before["planted"] = "by somebody"
    log_in(browser, dana.email)
    first = browser.get_cookie("session")
    assert first
    with browser.session_transaction() as after:
        assert "planted" not in after
    browser.post("/logout")
    log_in(browser, dana.email)
    stale = app.test_client()
    stale.set_cookie("session", first.value)
    assert not is_in(stale)


def test_forged_devices_are_unknown(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    visitor.set_cookie(throttle.DEVICE, "e30.forged.cookie")
    assert [log_in(visitor, dana.email, ANOTHER).status_code for _ in range(11)][-1] == 429
