"""Who comes into a workspace and who does no more, whose contacts become whose, and that somebody administers it."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from portal import jobs, slices
from portal.accounts import members, service
from portal.accounts.models import Membership, Role, Session, User
from portal.accounts.people_models import Invitation
from portal.audit import AuditEntry
from portal.contacts import handing
from portal.contacts.handing_models import HandOver
from portal.contacts.models import Contact
from portal.extensions import db, utcnow
from portal.mail import Letter
from portal.people import views
from portal.webhooks.models import Event
from tests.conftest import PASSWORD, Person

NEW = {"name": "Ben Ode", "email": "ben@example.com", "password": PASSWORD}


def invite(boss: Person, role: str = "Agent", email: str = "") -> str:
    """Make an invitation; the path of its link."""
    answer = boss.client.post("/settings/people/invite", data={"role": role, "email": email})
    assert answer.status_code == 201, answer.text
    return re.findall(r'id="link">https?://[^/]+(/invitations/[\w-]+)<', answer.text)[0]


def said(client: FlaskClient, address: str, **data: str) -> tuple[int, str]:
    answer = client.post(address, data=data)
    return answer.status_code, unescape(answer.text)


def noted(person: Person) -> list[tuple[str, str, dict[str, list[object]]]]:
    db.session.rollback()
    mine = select(AuditEntry).where(AuditEntry.workspace_id == person.workspace_id).order_by(AuditEntry.at)
    return [(one.actor, one.action, one.changes) for one in db.session.scalars(mine)]


def role_of(person: Person) -> str | None:
    db.session.rollback()
    member = db.session.get(Membership, (person.workspace_id, person.user_id))
    return None if member is None else f"{member.role}{'' if member.is_active else ', out'}"


def test_a_newcomer_joins_by_a_link_in_the_role_that_was_chosen_and_the_link_works_once(
    app: Flask, dana: Person
) -> None:
    link = invite(dana, "Supervisor")
    assert link.rpartition("/")[2] not in str(db.session.scalars(select(Invitation.token_hash)).all())
    ben, late = app.test_client(), app.test_client()
    page = ben.get(link).text
    assert "Join Harbour Support" in page
    assert "Dana Whitfield invites you, as Supervisor." in page
    status, text = said(ben, link, **NEW | {"email": dana.email, "password": "short"})
    assert status == 422
    assert "Log in instead" in text
    assert 'value="Ben Ode"' in text
    assert ben.post(link, data=NEW).status_code == 303
    assert "Ben Ode" in ben.get("/settings").text
    assert ben.get("/settings/tags").status_code == 200
    assert ben.get("/settings/people").status_code == 403
    for answer in (late.get(link), late.post(link, data=NEW | {"email": "late@example.com"})):
        assert answer.status_code == 404
        assert "This invitation does not work" in answer.text
    done = [(actor, action) for actor, action, _ in noted(dana)]
    assert [done[-3], done[-2]] == [("Dana Whitfield", "invited"), ("Ben Ode", "joined")]
    assert db.session.scalar(select(User).where(User.email == "late@example.com")) is None


def test_links_that_are_too_old_or_withdrawn_let_nobody_in(app: Flask, dana: Person, stranger: Person) -> None:
    old, gone = invite(dana), invite(dana, email="Ada@Example.com")
    kept = db.session.scalars(select(Invitation).where(Invitation.email == "ada@example.com")).one()
    assert kept.expires_at - utcnow() > timedelta(days=6, hours=23)
    address = f"/settings/people/invitations/{kept.id}/withdraw"
    assert stranger.client.post(address).status_code == 404
    assert dana.client.post(address).status_code == 303
    db.session.execute(update(Invitation).values(expires_at=utcnow()))
    db.session.commit()
    assert "Expired" in dana.client.get("/settings/people").text
    for link in (old, gone, "/invitations/x"):
        for client in (app.test_client(), stranger.client):
            assert client.get(link).status_code == client.post(link, data=NEW).status_code == 404
    assert len(service.everybody(dana.workspace_id)) == 1


@pytest.mark.parametrize(("act", "data"), [("role", {"role": "Supervisor"}), ("deactivate", {}), ("remove", {})])
def test_what_an_administrator_made_lets_nobody_in_once_they_are_none(
    app: Flask, dana: Person, hire: Callable[..., Person], act: str, data: dict[str, str]
) -> None:
    ben, ada = hire(dana, Role.ADMINISTRATOR, "Ben Ode"), hire(dana)
    others, made = invite(dana), invite(ben, "Administrator")
    answer = ben.client.post(f"/settings/log-in/{ada.user_id}/link").text
    [reset] = re.findall(r"http://localhost(/reset/[\w-]{43})", answer)
    assert [app.test_client().get(link).status_code for link in (others, made, reset)] == [200] * 3
    assert said(dana.client, f"/settings/people/{ben.user_id}/{act}", **data)[0] == 303
    for link in (made, reset):
        assert app.test_client().get(link).status_code == app.test_client().post(link, data=NEW).status_code == 404
    assert app.test_client().get(others).status_code == 200, "what others made goes on"
    assert ("Dana Whitfield", "withdrew the invitation") in [one[:2] for one in noted(dana)]


def test_another_administrators_links_go_on_when_somebody_becomes_one(
    app: Flask, dana: Person, hire: Callable[..., Person]
) -> None:
    ben = hire(dana, Role.ADMINISTRATOR)
    link = invite(ben)
    assert said(dana.client, f"/settings/people/{ben.user_id}/role", role="Administrator")[0] == 303
    assert app.test_client().get(link).status_code == 200


def test_a_letter_goes_out_where_a_mail_server_is_configured(app: Flask, dana: Person) -> None:
    invite(dana, email="ben@example.com")
    assert db.session.scalars(select(Letter)).all() == []
    app.config["SMTP_URL"] = "smtp://mail.example"
    invite(dana, email="ben@example.com")
    letter = db.session.scalars(select(Letter)).one()
    assert (letter.recipient, letter.subject) == ("ben@example.com", "Dana Whitfield invites you to Harbour Support")
    refused = dana.client.post("/settings/people/invite", data={"role": "Emperor", "email": "ben@"})
    assert (refused.status_code, "Give a full e-mail address" in refused.text) == (422, True)


def test_a_workspace_sends_a_hundred_invitations_a_day_and_makes_more_links_to_hand_on(
    app: Flask, dana: Person, stranger: Person
) -> None:
    app.config["SMTP_URL"] = "smtp://mail.example"
    address, form = "/settings/people/invite", {"role": "Agent", "email": "ben@example.com"}
    assert dana.client.post(address, data=form | {"email": "ben@"}).status_code == 422, "which does not count"
    answers = [dana.client.post(address, data=form).status_code for _ in range(101)]
    assert answers == [201] * 100 + [429]
    assert dana.client.post(address, data=form | {"email": " "}).status_code == 201
    assert stranger.client.post(address, data=form).status_code == 201


def test_who_has_an_account_joins_and_switches_and_comes_back_by_invitation_after_being_removed(
    app: Flask, dana: Person, stranger: Person
) -> None:
    link = invite(dana)
    sam = stranger.client
    assert "You are logged in as Sam Stranger" in sam.get(link).text
    assert sam.post(link).status_code == 303
    page = sam.get("/").text
    assert "Harbour Support" in page
    assert f'action="/workspaces/{stranger.workspace_id}/open"' in page
    assert sam.get("/apps").status_code == 403
    assert "You are in this workspace already" in sam.get(invite(dana)).text
    assert sam.post(f"/workspaces/{stranger.workspace_id}/open").status_code == 303
    assert sam.get("/apps").status_code == 200
    assert dana.client.post(f"/workspaces/{stranger.workspace_id}/open").status_code == 404
    sam.post(f"/workspaces/{dana.workspace_id}/open")

    # Removed from one, the session goes on in the other; removed from all, it ends.
    assert said(dana.client, f"/settings/people/{stranger.user_id}/remove")[0] == 303
    assert "Elsewhere" in sam.get("/settings").text
    sam.post(invite(dana))
    sam.post(f"/workspaces/{stranger.workspace_id}/open")
    homeless = members.locked(stranger.workspace_id, stranger.user_id)
    db.session.delete(homeless)
    db.session.commit()
    assert said(dana.client, f"/settings/people/{stranger.user_id}/remove")[0] == 303
    assert sam.get("/settings").location == "/login?next=/settings"
    again = {"email": stranger.email, "password": PASSWORD}
    assert "You are in no workspace any more" in said(sam, "/login", **again)[1]
    link = invite(dana)
    assert sam.post(f"/login?next={link}", data=again).status_code == 303
    assert "Harbour Support" in sam.get("/settings").text


def test_pages_of_a_workspace_that_the_session_has_left_write_nothing_into_the_next(
    app: Flask, dana: Person, stranger: Person
) -> None:
    stranger.client.post(invite(dana))
    app.config["WTF_CSRF_ENABLED"] = True
    page = stranger.client.get("/contacts/new").text
    token = re.findall(r'name="csrf_token" value="(.+?)"', page)[0]
    switch = {"csrf_token": token}
    assert stranger.client.post(f"/workspaces/{stranger.workspace_id}/open", data=switch).status_code == 303
    typed = {"csrf_token": token, "email": "ada@example.com"}
    for _ in range(2):
        assert stranger.client.post("/contacts/new", data=typed).status_code == 400
    assert db.session.scalars(select(Contact)).all() == []


def test_deactivated_people_are_out_at_once_and_can_be_let_in_again(dana: Person, hire: Callable[..., Person]) -> None:
    ada = hire(dana)
    contact = {"email": "c@example.com", "owner": str(ada.user_id)}
    dana.client.post("/contacts/new", data=contact)
    address = f"/settings/people/{ada.user_id}"
    assert said(dana.client, f"{address}/deactivate")[0] == 303
    assert ada.client.get("/contacts").location == "/login?next=/contacts"
    again = {"email": ada.email, "password": PASSWORD}
    assert "You are in no workspace any more" in said(ada.client, "/login", **again)[1]
    assert "deactivated" in dana.client.get(address).text
    assert "Ada Agent" in dana.client.get("/contacts").text
    # They keep what is theirs, and get no more.
    assert f'value="{ada.user_id}"' not in dana.client.get("/contacts/new").text
    theirs = db.session.scalars(select(Contact)).one().id
    assert f'selected value="{ada.user_id}"' in dana.client.get(f"/contacts/{theirs}/edit").text
    assert said(dana.client, f"{address}/activate")[0] == 303
    assert ada.client.post("/login", data=again).status_code == 303
    changed = [(action, changes) for _, action, changes in noted(dana) if "may come in" in changes]
    assert changed == [
        ("deactivated", {"may come in": [True, False]}),
        ("activated", {"may come in": [False, True]}),
    ]


def test_the_last_administrator_stays_one(dana: Person, hire: Callable[..., Person]) -> None:
    hire(dana, Role.SUPERVISOR)
    out = hire(dana, Role.ADMINISTRATOR)
    assert said(dana.client, f"/settings/people/{out.user_id}/deactivate")[0] == 303
    address = f"/settings/people/{dana.user_id}"
    for act, data in (("role", {"role": "Agent"}), ("deactivate", {}), ("remove", {})):
        status, text = said(dana.client, f"{address}/{act}", **data)
        assert (status, "Nobody else administers this workspace" in text) == (422, True), act
        assert role_of(dana) == "Administrator"
    assert said(dana.client, f"/settings/people/{out.user_id}/activate")[0] == 303
    assert said(dana.client, f"{address}/role", role="Agent")[0] == 303
    assert role_of(dana) == "Agent"
    assert dana.client.get(address).status_code == 403
    assert ("Dana Whitfield", "changed the role", {"role": ["Administrator", "Agent"]}) in noted(dana)


def test_two_administrators_who_demote_each_other_at_once_leave_one(
    app: Flask, dana: Person, hire: Callable[..., Person]
) -> None:
    ben = hire(dana, Role.ADMINISTRATOR)
    for _ in range(5):
        db.session.rollback()
        db.session.execute(
            update(Membership).where(Membership.workspace_id == dana.workspace_id).values(role=Role.ADMINISTRATOR)
        )
        db.session.commit()
        start, answers = threading.Barrier(2), []

        def demote(one: Person, other: Person, start: threading.Barrier = start, to: list[int] = answers) -> None:
            start.wait()
            to.append(one.client.post(f"/settings/people/{other.user_id}/role", data={"role": "Agent"}).status_code)

        threads = [threading.Thread(target=demote, args=pair) for pair in ((dana, ben), (ben, dana))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted([role_of(dana), role_of(ben)], key=str) == ["Administrator", "Agent"]
        # The second one comes after the first: still an Administrator then, or no more.
        assert answers.count(303) == 1


def test_one_invitation_that_two_accept_at_once_lets_one_in(app: Flask, dana: Person) -> None:
    link, start, answers = invite(dana), threading.Barrier(2), []

    def accept(number: int) -> None:
        client, form = app.test_client(), NEW | {"email": f"racer{number}@example.com"}
        client.get(link)
        start.wait()
        answers.append(client.post(link, data=form).status_code)

    threads = [threading.Thread(target=accept, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 404]
    db.session.rollback()
    assert len(service.everybody(dana.workspace_id)) == 2
    assert len(db.session.scalars(select(User).where(User.email.startswith("racer"))).all()) == 1


def test_contacts_are_handed_over_in_slices_and_each_is_told(
    dana: Person, hire: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = hire(dana), hire(dana, name="Ben Ode")
    for number in range(5):
        owner = str(ada.user_id) if number else ""
        dana.client.post("/contacts/new", data={"email": f"c{number}@example.com", "owner": owner})
    address = f"/settings/people/{ada.user_id}"
    assert "owns 4 contacts" in dana.client.get(address).text
    status, text = said(dana.client, f"{address}/remove")
    assert (status, "Hand them over first" in text) == (422, True)
    assert said(dana.client, f"{address}/hand-over", to=str(ada.user_id))[0] == 422

    monkeypatch.setattr(slices, "CHUNK", 3)
    monkeypatch.setattr(views, "AT_ONCE_SECONDS", -1)
    answer = dana.client.post(f"{address}/hand-over", data={"to": str(ben.user_id)})
    page = dana.client.get(answer.location).text
    assert re.findall(r"<b>(\d)</b> handed over, <b>0</b> skipped, (\d) to go", page) == [("3", "1")]
    assert "are being handed over" in dana.client.get(address).text
    db.session.rollback()
    handing.work(str(db.session.scalars(select(HandOver.id)).one()))
    assert "<b>4</b> handed over, <b>0</b> skipped." in dana.client.get(answer.location).text
    db.session.rollback()
    owners = sorted(owner or "" for owner in db.session.scalars(select(Contact.owner)))
    assert owners == ["", *[str(ben.user_id)] * 4]
    updates = db.session.scalars(select(Event).where(Event.type == "ContactUpdated")).all()
    told = [subject.changes["owner"][1] for event in updates for subject in event.subjects]
    assert told == [str(ben.user_id)] * 4
    assert jobs.UNFINISHED[HandOver.job]() == []
    assert ("handed contacts over", {"contacts": [None, 4], "to": [None, "Ben Ode"]}) in [
        (action, changes) for _, action, changes in noted(dana)
    ]
    assert said(dana.client, f"{address}/remove")[0] == 303
    assert role_of(ada) is None
    assert db.session.scalars(select(Session).where(Session.user_id == ada.user_id)).all() == []


def test_a_hand_over_that_is_stopped_leaves_the_rest_whose_it_is(
    dana: Person, hire: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = hire(dana)
    for number in range(5):
        dana.client.post("/contacts/new", data={"email": f"c{number}@example.com", "owner": str(ada.user_id)})
    monkeypatch.setattr(slices, "CHUNK", 2)
    monkeypatch.setattr(views, "AT_ONCE_SECONDS", -1)
    progress = dana.client.post(f"/settings/people/{ada.user_id}/hand-over", data={"to": ""}).location
    [stop] = re.findall(r'action="(/settings/people/hand-overs/.+?/stop)"', dana.client.get(progress).text)
    assert dana.client.post(stop).location == progress
    db.session.rollback()
    handing.work(str(db.session.scalars(select(HandOver.id)).one()))
    page = dana.client.get(progress).text
    assert "<b>2</b> handed over, <b>0</b> skipped, 3 left as they were." in page
    assert ("Stopped" in page, stop in page) == (True, False)
    db.session.rollback()
    owners = sorted(owner or "" for owner in db.session.scalars(select(Contact.owner)))
    assert owners == ["", "", *[str(ada.user_id)] * 3]
    assert "owns 3 contacts" in dana.client.get(f"/settings/people/{ada.user_id}").text, "it can begin again"


def test_a_further_workspace_is_made_where_sign_up_is_open_alone(app: Flask, dana: Person) -> None:
    assert said(dana.client, "/workspaces/new", name="")[0] == 422
    assert said(dana.client, "/workspaces/new", name="Second Home")[0] == 303
    page = dana.client.get("/settings").text
    assert "Second Home" in page
    assert f"/workspaces/{dana.workspace_id}/open" in page
    app.config["SIGNUP"] = "first"
    assert dana.client.get("/workspaces/new").status_code == 403
    assert "New workspace" not in dana.client.get("/settings").text
