"""Two-step log-in: an app or a recovery code beside the password, each code once, and no way around it."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.accounts import second_step
from portal.accounts.proof_models import RecoveryCode, SecondFactor
from portal.extensions import db, limiter
from tests.accounts.proving import ANOTHER, actions, code_at, is_in, letters, log_in, switch_on
from tests.conftest import PASSWORD, Person


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
    from tests.world import plant

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
