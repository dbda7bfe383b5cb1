"""Two-step log-in: an app or a recovery code beside the password, each code once, and no way around it."""

import uuid
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal.accounts import second_step, throttle
from portal.accounts.models import Role, Workspace
from portal.accounts.proof_models import RecoveryCode, SecondFactor
from portal.accounts.views import OPEN_TO_ONE_STEP
from portal.extensions import db, limiter, utcnow
from portal.webhooks.models import Webhook
from tests.accounts.proving import ANOTHER, FRAGMENT, actions, code_at, is_in, letters, log_in, switch_on
from tests.conftest import PASSWORD, Person
from tests.routes import ROUTES
from tests.test_separation import ask
from tests.world import plant


def test_a_code_gets_in_once(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    secret, _ = switch_on(dana)
    assert log_in(visitor, dana.email).location == "/login/code"
    assert not is_in(visitor)
    assert visitor.post("/login/code", data={"code": code_at(secret, -1)}).status_code == 422, "it set the app up"
    code = code_at(secret)
    assert visitor.post("/login/code", data={"code": f" {code[:3]} {code[3:]} "}).location == "/"
    assert is_in(visitor)

    thief = app.test_client()
    log_in(thief, dana.email)
    assert thief.post("/login/code", data={"code": code}).status_code == 422, "a code that was seen works no more"
    assert not is_in(thief)
    assert {"switched two-step log-in on", "gave a wrong code", "signed in with a code"} <= set(actions(dana))


def test_a_recovery_code_gets_in_once_and_the_owner_is_told(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:1"
    _, codes = switch_on(dana)
    for typed, status in ((codes[3].upper().replace("-", " "), 303), (codes[3], 422), (codes[4], 303)):
        visitor.post("/logout")
        log_in(visitor, dana.email)
        assert visitor.post("/login/code", data={"code": typed}).status_code == status
    assert "signed in with a recovery code" in actions(dana)
    assert "9 are left" in letters()[1].body
    assert "Two-step log-in was switched on" in letters()[0].subject
    kept = db.session.scalars(select(RecoveryCode.code_hash)).all()
    assert all(one.startswith("$argon2id$") for one in kept)
    factor = db.session.scalars(select(SecondFactor)).one()
    assert len(factor.secret) > 80, "it is sealed"


def test_new_recovery_codes_replace_the_old_and_ask_for_both_proofs(visitor: FlaskClient, dana: Person) -> None:
    secret, old = switch_on(dana)
    change = "/account/two-step/codes"
    assert dana.client.post(change, data={"password": ANOTHER, "code": old[0]}).status_code == 422
    assert dana.client.post(change, data={"password": PASSWORD, "code": "123456"}).status_code == 422
    answer = dana.client.post(change, data={"password": PASSWORD, "code": code_at(secret)})
    assert "shown this once" in answer.text
    log_in(visitor, dana.email)
    assert visitor.post("/login/code", data={"code": old[1]}).status_code == 422


def test_it_goes_off_with_password_and_code_only(visitor: FlaskClient, dana: Person) -> None:
    _, codes = switch_on(dana)
    off = "/account/two-step/off"
    for form in ({}, {"password": PASSWORD}, {"code": codes[0]}, {"password": ANOTHER, "code": codes[0]}):
        assert dana.client.post(off, data=form).status_code == 422
    assert dana.client.post(off, data={"password": PASSWORD, "code": codes[0]}).status_code == 303
    assert log_in(visitor, dana.email).location == "/"
    assert "switched two-step log-in off" in actions(dana)


def test_setting_it_up_asks_for_the_password_and_a_code_and_logs_out_other_browsers(
    visitor: FlaskClient, dana: Person
) -> None:
    log_in(visitor, dana.email)
    page = dana.client.get("/account/two-step").text
    secret = page.split('id="key">')[1].split("</p>")[0].replace(" ", "").strip()
    assert '<svg viewBox="0 0 ' in page
    assert "style=" not in page
    set_up = "/account/two-step"
    assert dana.client.post(set_up, data={"code": code_at(secret), "password": ANOTHER}).status_code == 422
    assert dana.client.post(set_up, data={"code": "000000", "password": PASSWORD}).status_code == 422
    assert dana.client.post(set_up, data={"code": code_at(secret), "password": PASSWORD}).status_code == 200
    assert not is_in(visitor)
    assert is_in(dana.client)
    assert second_step.codes_left(second_step_owner(dana)) == second_step.CODES


def second_step_owner(person: Person):  # type: ignore[no-untyped-def]
    from portal.accounts.models import User

    return db.session.get_one(User, person.user_id)


def test_codes_can_not_be_guessed(visitor: FlaskClient, dana: Person) -> None:
    _, codes = switch_on(dana)
    log_in(visitor, dana.email)
    answers = [visitor.post("/login/code", data={"code": f"{n:06d}"}).status_code for n in range(12)]
    assert set(answers) == {422, 429}
    assert 5 <= answers.count(422) <= 10, "five in five minutes; the next five minutes may begin meanwhile"
    dana.client.post("/logout")
    log_in(dana.client, dana.email)
    assert dana.client.post("/login/code", data={"code": codes[0]}).status_code == 303, "the owner is not locked out"


def test_devices_of_another_account_give_no_more_tries(
    app: Flask, visitor: FlaskClient, dana: Person, stranger: Person
) -> None:
    """A guesser who knows the password makes a new device with each log-in to an account of their own."""
    switch_on(dana)
    log_in(visitor, dana.email)
    answers = []
    for number in range(12):
        own = app.test_client()
        assert log_in(own, stranger.email).status_code == 303
        device = own.get_cookie(throttle.DEVICE)
        assert device
        visitor.set_cookie(throttle.DEVICE, device.value)
        form = {"code": f"{number:06d}", "email": stranger.email}
        answers.append(visitor.post("/login/code", data=form).status_code)
    assert answers.count(422) <= 10, "five in five minutes; the next five minutes may begin meanwhile"
    assert 429 in answers


@pytest.mark.parametrize("late", ["the password was changed", "ten minutes went by"])
def test_the_first_step_is_forgotten(
    visitor: FlaskClient, dana: Person, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, codes = switch_on(dana)
    log_in(visitor, dana.email)
    if late == "the password was changed":
        dana.client.post("/account/password", data={"current": PASSWORD, "password": ANOTHER})
    else:
        with visitor.session_transaction() as kept:
            kept["proving"] = kept["proving"] | {"at": kept["proving"]["at"] - 601}
    assert visitor.post("/login/code", data={"code": codes[0]}).location == "/login"
    assert not is_in(visitor)


def test_administrators_see_who_has_it_and_help_who_lost_it(
    app: Flask, visitor: FlaskClient, dana: Person, stranger: Person
) -> None:
    world = plant(dana, "z~q")  # Dana herself has it, her colleague has not
    page = dana.client.get("/settings/log-in").text
    assert page.count('<span class="pill ok">On</span>') == 1
    db.session.add(SecondFactor(user_id=world["member"], secret=b"x", last_step=0))
    db.session.commit()
    assert dana.client.get("/settings/log-in").text.count('<span class="pill ok">On</span>') == 2
    help_them = f"/settings/log-in/{world['member']}/two-step-off"
    assert stranger.client.post(help_them).status_code == 404
    assert dana.client.post(help_them).status_code == 303
    assert dana.client.get("/settings/log-in").text.count('<span class="pill ok">On</span>') == 1
    assert dana.client.post(f"/settings/log-in/{dana.user_id}/two-step-off").status_code == 404, "not their own"
    limiter.reset()


def require(person: Person, wanted: bool = True) -> int:
    form = {"needs_two_steps": "y"} if wanted else {}
    return person.client.post("/settings/log-in/two-step", data=form).status_code


def test_a_workspace_that_requires_it_is_closed_to_who_has_not_set_it_up(
    app: Flask, dana: Person, hire: Callable[..., Person]
) -> None:
    ada, world = hire(dana), plant(dana, "z~q")  # Dana has it
    db.session.execute(update(Webhook).values(alarm=1, alarm_at=utcnow(), failing_since=utcnow()))
    db.session.commit()
    assert require(dana) == 303
    set_up = "/account/two-step"
    for route in (route for route in ROUTES if not route.public and route.endpoint not in OPEN_TO_ONE_STEP):
        answer = ask(ada.client, app, route, world.get(route.names, uuid.uuid4()))
        assert (answer.status_code, answer.location, "z~q" in answer.text) == (303, set_up, False), route
    assert ada.client.get("/contacts", headers=FRAGMENT).headers["HX-Redirect"] == set_up
    assert ada.client.get("/contacts", headers=FRAGMENT | {"X-Unsaved": "yes"}).status_code == 204
    pages = [ada.client.get(address).text for address in (set_up, "/docs/receiving", "/nothing")]
    assert "Harbour Support asks everybody for it" in pages[0]
    assert not [page for page in pages if "z~q" in page], "not even an alarm"
    switch_on(ada)
    assert "z~qwebhook.url" in ada.client.get("/contacts").text
    assert dana.client.get("/contacts").status_code == 200
    assert require(dana, wanted=False) == 303
    assert actions(dana).count("set whether two-step log-in is required") == 2


def test_nobody_requires_it_without_having_it_and_only_administrators_may(
    dana: Person, hire: Callable[..., Person]
) -> None:
    assert require(dana) == 422
    form = {"needs_two_steps": "y"}
    assert "Set two-step log-in up for yourself first" in dana.client.post("/settings/log-in/two-step", data=form).text
    switch_on(dana)
    sue = hire(dana, Role.SUPERVISOR)
    assert (require(sue), require(dana)) == (403, 303)


def test_another_workspace_of_ones_own_stays_open(dana: Person) -> None:
    """Who is in two workspaces is kept out of the one that requires it, and goes on in the other."""
    dana.client.post("/workspaces/new", data={"name": "Elsewhere"})
    db.session.get_one(Workspace, dana.workspace_id).needs_two_steps = True
    db.session.commit()
    assert dana.client.get("/contacts").status_code == 200
    assert dana.client.post(f"/workspaces/{dana.workspace_id}/open").status_code == 303
    assert dana.client.get("/contacts").location == "/account/two-step"
    assert "Go to Elsewhere" in dana.client.get("/account/two-step").text
    assert dana.client.post("/logout").location == "/login"
