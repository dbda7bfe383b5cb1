"""Sessions: seen and ended from the account, over when idle or old, and nothing typed is lost with them."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.accounts import sessions, typed
from portal.accounts.models import Membership, Role, Session, User, Workspace
from portal.contacts.models import Contact
from portal.extensions import db, utcnow
from tests.accounts.proving import ANOTHER, FIREFOX, FRAGMENT, actions, is_in, letters, log_in
from tests.conftest import PASSWORD, Person

ONE_MINUTE = timedelta(minutes=1)


def let_pass(time: timedelta, also_created: bool = False) -> None:
    """As if nobody had done anything for that long."""
    db.session.rollback()
    for session in db.session.scalars(select(Session)):
        session.seen_at -= time
        if also_created:
            session.created_at -= time
    db.session.commit()


def test_the_account_lists_browsers_and_ends_them(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    there = {"environ_overrides": {"REMOTE_ADDR": "198.51.100.77"}, "headers": {"User-Agent": FIREFOX}}
    log_in(visitor, dana.email, **there)
    page = dana.client.get("/account").text
    assert "Firefox on Linux" in page
    assert "198.51.100.0/24" in page
    assert "198.51.100.77" not in page
    [end] = re.findall(r"/account/sessions/[\w-]+/end", page)
    assert "Log out Firefox on Linux?" in dana.client.get(end).text
    for form in ({}, {"password": ANOTHER}):
        assert dana.client.post(end, data=form).status_code == 422
    assert is_in(visitor), "whoever finds the browser open does not know the password"
    assert dana.client.post(end, data={"password": PASSWORD}).status_code == 303
    assert not is_in(visitor)
    assert is_in(dana.client)

    others = [app.test_client() for _ in range(2)]
    for browser in others:
        log_in(browser, dana.email)
    everywhere = "/account/sessions/end-others"
    assert "This is not your password" in dana.client.post(everywhere, data={"password": ANOTHER}).text
    assert all(is_in(browser) for browser in others)
    answer = dana.client.post(everywhere, data={"password": PASSWORD}, follow_redirects=True)
    assert "2 other browsers are logged out" in answer.text
    assert [is_in(browser) for browser in (*others, dana.client)] == [False, False, True]
    assert {"logged a browser out", "logged all other browsers out"} <= set(actions(dana))


def test_a_new_password_asks_for_the_old_one_and_ends_every_other_session_and_cookie(
    app: Flask, visitor: FlaskClient, dana: Person
) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    log_in(visitor, dana.email)
    stale = dana.client.get_cookie("session")
    assert stale
    change = "/account/password"
    assert "This is not your password" in dana.client.post(change, data={"current": ANOTHER, "password": ANOTHER}).text
    weak = dana.client.post(change, data={"current": PASSWORD, "password": "Harbour Support 26"})
    assert "mostly your name" in weak.text
    assert dana.client.post(change, data={"current": PASSWORD, "password": ANOTHER}).status_code == 303
    assert is_in(dana.client)
    copy = app.test_client()
    copy.set_cookie("session", stale.value)
    assert [is_in(browser) for browser in (visitor, copy)] == [False, False]
    assert log_in(visitor, dana.email, ANOTHER).status_code == 303
    assert "changed their password" in actions(dana)
    assert [letter.subject for letter in letters()] == ["Your password was changed"]


def test_a_name_can_be_changed(dana: Person) -> None:
    assert dana.client.post("/account", data={"name": ""}).status_code == 422
    assert "Dana W." in dana.client.post("/account", data={"name": "Dana W."}, follow_redirects=True).text
    assert db.session.get_one(User, dana.user_id).name == "Dana W."


def test_idle_browsers_are_logged_out_when_an_administrator_says_so(dana: Person) -> None:
    let_pass(timedelta(days=2))
    assert is_in(dana.client), "nobody is logged out unless it was set"
    for wrong in ("14", "1000", "soon", "-15", "15.5"):
        assert dana.client.post("/settings/log-in", data={"minutes": wrong}).status_code == 422
    assert dana.client.post("/settings/log-in", data={"minutes": "15"}).status_code == 303
    let_pass(timedelta(minutes=14))
    assert is_in(dana.client)
    let_pass(timedelta(minutes=14))
    assert is_in(dana.client), "using it counts"
    let_pass(timedelta(minutes=14))
    dana.client.get("/deliveries", headers={sessions.POLL: "yes"})
    let_pass(timedelta(minutes=2))
    assert not is_in(dana.client), "what the page asks for by itself does not count"
    assert "set the idle time" in actions(dana)


def test_a_page_leaves_by_itself_when_its_session_is_over_and_comes_back_to_where_it_was(dana: Person) -> None:
    headers = FRAGMENT | {sessions.POLL: "yes", "HX-Current-URL": "http://localhost/contacts?q=ada"}
    [asks] = re.findall(r'hx-get="([^"]+)" hx-trigger="every 60s"', dana.client.get("/contacts?q=ada").text)
    assert dana.client.get(asks, headers=headers).status_code == 204
    end_all()
    assert "HX-Redirect" not in dana.client.get(asks, headers=headers | {"X-Unsaved": "yes"}).headers
    assert dana.client.get(asks, headers=headers).headers["HX-Redirect"] == "/login?next=/contacts?q%3Dada"


def test_each_session_ends_after_a_week(visitor: FlaskClient, dana: Person) -> None:
    let_pass(sessions.LIFE - ONE_MINUTE, also_created=True)
    assert is_in(dana.client)
    let_pass(2 * ONE_MINUTE, also_created=True)
    assert not is_in(dana.client)
    log_in(visitor, dana.email)
    assert len(db.session.scalars(select(Session)).all()) == 1, "and is forgotten"


def end_all() -> None:
    db.session.rollback()
    db.session.query(Session).delete()
    db.session.commit()


@pytest.mark.parametrize("how", ["session ended", "cookies gone"])
def test_what_was_typed_comes_back_after_the_log_in(app: Flask, visitor: FlaskClient, dana: Person, how: str) -> None:
    """As a browser does it without JavaScript, with the portal's own tokens."""
    app.config["WTF_CSRF_ENABLED"] = True
    browser = dana.client
    page = browser.get("/contacts/new")
    form = {"csrf_token": token_of(page.text), "first_name": "Ada", "notes": "<b>\nten minutes of typing"}
    form |= {"email": "not an address", "password": "typed by mistake"}
    if how == "session ended":
        end_all()
    else:
        browser = visitor
    answer = browser.post("/contacts/new?x=1", data=form, headers={"Origin": "http://localhost"})
    assert answer.status_code == 401
    assert "You were logged out" in answer.text
    assert "ten minutes" not in answer.text, "it is packed and signed"
    [typed] = re.findall(r'name="typed"[^>]* value="([^"]+)"', answer.text)
    login = {"csrf_token": token_of(answer.text), "typed": typed, "email": dana.email}
    assert typed in browser.post("/login", data=login | {"password": "wrong"}).text, "also when the first try fails"
    answer = browser.post("/login", data=login | {"password": PASSWORD})
    assert "typed by mistake" not in answer.text
    back = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert 'action="/contacts/new?x=1"' in answer.text
    shown = browser.post("/contacts/new?x=1", data=unescaped(back)).text
    assert "ten minutes of typing</textarea>" in shown
    assert 'value="Ada"' in shown
    assert "not saved yet" in shown
    assert db.session.scalars(select(Contact)).all() == []
    form |= {"email": "ada@example.com", "csrf_token": token_of(shown)}
    assert browser.post("/contacts/new", data=form).status_code == 303
    assert db.session.scalars(select(Contact.first_name)).all() == ["Ada"]


def waiting(app: Flask, person: Person) -> tuple[FlaskClient, dict[str, str]]:
    """A form that waits for a log-in in the browser of a person whose session ended, and what to send with that."""
    app.config["WTF_CSRF_ENABLED"] = True
    form = {"csrf_token": token_of(person.client.get("/contacts/new").text), "notes": "ten minutes of typing"}
    end_all()
    answer = person.client.post("/contacts/new", data=form, headers={"Origin": "http://localhost"})
    [typed] = re.findall(r'name="typed"[^>]* value="([^"]+)"', answer.text)
    return person.client, {"csrf_token": token_of(answer.text), "typed": typed, "password": PASSWORD}


def test_nobody_else_who_logs_in_is_given_what_was_typed(app: Flask, dana: Person, hire: Callable[..., Person]) -> None:
    ada = hire(dana)
    browser, login = waiting(app, dana)
    answer = browser.post("/login", data=login | {"email": ada.email})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "somebody else’s" in browser.get("/").text


def test_what_was_typed_in_one_workspace_comes_back_in_no_other(app: Flask, dana: Person, stranger: Person) -> None:
    db.session.add(Membership(workspace_id=stranger.workspace_id, user_id=dana.user_id, role=Role.AGENT))
    db.session.commit()
    browser, login = waiting(app, dana)
    db.session.delete(db.session.get_one(Membership, (dana.workspace_id, dana.user_id)))
    db.session.commit()
    answer = browser.post("/login", data=login | {"email": dana.email})
    assert (answer.status_code, answer.location) == (303, "/")


def test_what_was_typed_waits_for_a_day(app: Flask, dana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, login = waiting(app, dana)
    monkeypatch.setattr(typed, "LIFE", timedelta(seconds=-1))
    answer = browser.post("/login", data=login | {"email": dana.email})
    assert (answer.status_code, answer.location) == (303, "/")
    assert "a day old" in browser.get("/").text


def test_a_button_without_a_form_of_its_own_leads_back_to_its_page_and_does_nothing(app: Flask, dana: Person) -> None:
    page = "/deliveries/bulk?act=resend&status=failed"
    app.config["WTF_CSRF_ENABLED"] = True
    form = {"csrf_token": token_of(dana.client.get(page).text), "act": "resend"}
    end_all()
    sent = {"Origin": "http://localhost", "Referer": f"http://localhost{page}"}
    answer = dana.client.post("/deliveries/bulk", data=form, headers=sent)
    assert answer.location == "/login?next=/deliveries/bulk?act%3Dresend%26status%3Dfailed"
    assert "nothing was done" in dana.client.get(answer.location).text


def test_another_person_in_the_dialog_goes_on_elsewhere(app: Flask, dana: Person, hire: Callable[..., Person]) -> None:
    """A page of one person, with what they typed, is saved by nobody else."""
    ada = hire(dana)
    dana.client.get("/contacts")
    end_all()
    login = {"email": ada.email, "password": PASSWORD}
    assert dana.client.post("/login", data=login, headers=FRAGMENT).headers["HX-Redirect"] == "/"
    ada.client.get("/contacts")
    end_all()
    assert "data-csrf" in ada.client.post("/login", data=login, headers=FRAGMENT).text


def token_of(text: str) -> str:
    return re.findall(r'name="csrf_token" value="(.+?)"', text)[-1]


def unescaped(form: dict[str, str]) -> dict[str, str]:
    import html

    return {name: html.unescape(value) for name, value in form.items()}


def test_nobody_gives_somebody_a_form_that_they_never_typed(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    form = {"first_name": "Planted"}
    for sender in ("https://evil.example", "null", ""):
        answer = visitor.post("/contacts/new", data=form, headers={"Origin": sender} if sender else {})
        assert (answer.status_code, answer.location) == (303, "/login")
        answer = dana.client.post("/contacts/new", data=form, headers={"Origin": sender} if sender else {})
        assert answer.status_code == 400
        assert "Planted" not in answer.text
    login = {"email": dana.email, "password": PASSWORD, "typed": "eyJwYXRoIjoiL3gifQ.forged"}
    login["csrf_token"] = token_of(visitor.get("/login").text)
    answer = visitor.post("/login", data=login)
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_page_that_htmx_sends_stays_and_asks_in_a_dialog(app: Flask, dana: Person) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    page = dana.client.get("/apps/webhooks/new").text
    headers = FRAGMENT | {"HX-Current-URL": "http://localhost/apps/webhooks", "Origin": "http://localhost"}
    form = {"csrf_token": token_of(page), "url": "https://x.example", "ContactCreated": "y"}
    end_all()
    assert dana.client.get("/deliveries", headers=headers | {"X-Unsaved": "yes"}).status_code == 204
    assert dana.client.get("/deliveries", headers=headers).headers["HX-Redirect"] == "/login?next=/deliveries"
    answer = dana.client.post("/apps/webhooks/new", data=form, headers=headers)
    assert (answer.status_code, answer.headers["HX-Reswap"]) == (401, "none")
    assert 'id="again" hx-swap-oob="true"' in answer.text
    assert "<html" not in answer.text
    login = {"csrf_token": token_of(answer.text), "email": dana.email, "password": "wrong"}
    assert "is not right" in dana.client.post("/login", data=login, headers=headers).text
    answer = dana.client.post("/login", data=login | {"password": PASSWORD}, headers=headers)
    [fresh] = re.findall(r'data-csrf="(.+?)"', answer.text)
    stale = dana.client.post("/apps/webhooks/new", data=form, headers=headers)
    assert (stale.status_code, "data-csrf" in stale.text) == (400, True), "the page gets a token that works"
    answer = dana.client.post("/apps/webhooks/new", data=form | {"csrf_token": fresh}, headers=headers)
    assert "whsec_" in answer.text


def test_the_last_use_is_written_once_a_minute(dana: Person) -> None:
    def seen() -> list[object]:
        db.session.rollback()
        return list(db.session.scalars(select(Session.seen_at)))

    before = seen()
    dana.client.get("/account")
    assert seen() == before
    let_pass(2 * ONE_MINUTE)
    dana.client.get("/account")
    assert seen() > before
    db.session.execute(update(Workspace).values(idle_minutes=None))
    db.session.commit()
    assert utcnow() - db.session.scalars(select(Session.seen_at)).one() < ONE_MINUTE


def test_an_answer_on_its_way_does_not_undo_a_log_in(dana: Person, visitor: FlaskClient) -> None:
    assert visitor.get("/login").headers["Set-Cookie"]
    asked = visitor.get("/deliveries", headers=FRAGMENT | {"X-Poll": "yes", "X-Unsaved": "yes"})
    assert asked.status_code == 204
    assert "Set-Cookie" not in asked.headers, "it would come after the log-in's, and put the browser out again"
