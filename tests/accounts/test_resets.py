"""New passwords by a link: by letter for an hour, from an Administrator for a day, once, and all sessions end."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from portal.accounts.models import Membership, Role
from portal.accounts.proof_models import ResetLink
from portal.extensions import db, utcnow
from tests.accounts.proving import ANOTHER, actions, is_in, letters, log_in, switch_on
from tests.accounts.test_sign_in import from_network
from tests.conftest import Person
from tests.world import plant

LINK = re.compile(r"http://localhost(/reset/[\w-]{43})")


@pytest.fixture
def with_mail(app: Flask) -> None:
    app.config["SMTP_URL"] = "smtp://127.0.0.1:1"


def ask(visitor: FlaskClient, person: Person) -> str:
    assert visitor.post("/login/forgot", data={"email": person.email.upper()}).status_code == 200
    return LINK.findall(letters()[-1].body)[0]


def age(by: timedelta) -> None:
    db.session.execute(update(ResetLink).values(expires_at=ResetLink.expires_at))
    for link in db.session.query(ResetLink):
        link.expires_at -= by
    db.session.commit()


@pytest.mark.usefixtures("with_mail")
def test_a_letter_brings_a_link_that_sets_a_new_password_once(visitor: FlaskClient, dana: Person) -> None:
    older, link = ask(visitor, dana), ask(visitor, dana)
    assert letters()[-1].recipient == dana.email
    assert visitor.post(link, data={"password": "password1234"}).status_code == 422, "the same rules hold"
    assert visitor.post(link, data={"password": ANOTHER}).location == "/login"
    assert not is_in(dana.client), "all sessions end"
    assert log_in(visitor, dana.email).status_code == 422
    assert log_in(visitor, dana.email, ANOTHER).status_code == 303
    for used in (link, older):
        answers = visitor.get(used), visitor.post(used, data={"password": "other words nobody knows"})
        assert [(a.status_code, "works no more" in a.text) for a in answers] == [(404, True)] * 2
    assert "set a new password by a link" in actions(dana)
    assert "Your password was changed by a link" in letters()[-1].subject


@pytest.mark.usefixtures("with_mail")
def test_it_works_for_an_hour(visitor: FlaskClient, dana: Person) -> None:
    link = ask(visitor, dana)
    age(timedelta(minutes=59))
    assert visitor.get(link).status_code == 200
    age(timedelta(minutes=2))
    assert visitor.get(link).status_code == 404


@pytest.mark.usefixtures("with_mail")
def test_the_answer_is_the_same_for_unknown_addresses_and_mailboxes_are_not_flooded(
    visitor: FlaskClient, dana: Person
) -> None:
    answers = [visitor.post("/login/forgot", data={"email": "nobody@example.com"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert letters() == []
    assert "a letter with a link is on its way" in answers[0].text


@pytest.mark.usefixtures("with_mail")
def test_it_leaves_two_step_log_in_on(visitor: FlaskClient, dana: Person) -> None:
    switch_on(dana)
    visitor.post(ask(visitor, dana), data={"password": ANOTHER})
    assert log_in(visitor, dana.email, ANOTHER).location == "/login/code"


@pytest.mark.usefixtures("with_mail")
def test_a_new_password_gets_in_whatever_guessers_do_meanwhile(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    link, guesser = ask(visitor, dana), app.test_client()
    for number in range(101):
        log_in(guesser, dana.email, ANOTHER, **from_network(number))
    assert log_in(visitor, dana.email).status_code == 429
    visitor.post(link, data={"password": ANOTHER})
    assert log_in(visitor, dana.email, ANOTHER).status_code == 303


@pytest.mark.usefixtures("with_mail")
def test_who_resets_again_and_again_gets_no_more_tries(app: Flask, visitor: FlaskClient, dana: Person) -> None:
    switch_on(dana)
    answers = []
    for number in range(4):
        browser = app.test_client()
        browser.post(ask(browser, dana), data={"password": f"{ANOTHER} {number}"})
        log_in(browser, dana.email, f"{ANOTHER} {number}")
        answers += [browser.post("/login/code", data={"code": f"{n:06d}"}).status_code for n in range(4)]
    assert answers.count(422) <= 10, "five in five minutes; the next five minutes may begin meanwhile"
    assert 429 in answers


def test_without_a_mail_server_it_says_whom_to_ask(visitor: FlaskClient, dana: Person) -> None:
    assert "Ask an Administrator" in visitor.get("/login/forgot").text
    visitor.post("/login/forgot", data={"email": dana.email})
    assert db.session.query(ResetLink).all() == []


def test_an_administrator_makes_a_link_for_a_member_of_this_workspace_alone(
    visitor: FlaskClient, dana: Person, stranger: Person
) -> None:
    member = plant(dana, "z~q")["member"]
    address = f"/settings/log-in/{member}/link"
    assert stranger.client.post(address).status_code == 404
    link = LINK.findall(dana.client.post(address).text)[0]
    age(timedelta(hours=23))
    assert visitor.post(link, data={"password": ANOTHER}).status_code == 303
    assert "made a link for a new password" in actions(dana)
    db.session.add(Membership(workspace_id=stranger.workspace_id, user_id=member, role=Role.AGENT))
    db.session.commit()
    assert dana.client.post(address).status_code == 404, "through it she would get into the other workspace"


def test_no_link_stands_in_the_database(visitor: FlaskClient, dana: Person, with_mail: None) -> None:
    token = ask(visitor, dana).rpartition("/")[2]
    [link] = db.session.query(ResetLink).all()
    assert token not in link.token_hash
    assert link.expires_at - utcnow() < timedelta(hours=1)
