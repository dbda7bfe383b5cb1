"""The audit log: who did what, when and from where; found again, taken away as a file, and never changed."""

import csv
import io
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from itertools import chain

import pytest
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DatabaseError

from portal import audit, audit_log
from portal.accounts.models import Membership, Role, Workspace
from portal.audit import AuditEntry
from portal.contacts.models import Contact
from portal.extensions import db, utcnow
from tests.conftest import PASSWORD, Person
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

REFUSED = "P0001|SQLITE_CONSTRAINT_TRIGGER"
"""By a trigger, on PostgreSQL and on SQLite."""
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


def entries(person: Person) -> list[AuditEntry]:
    db.session.rollback()
    mine = select(AuditEntry).where(AuditEntry.workspace_id == person.workspace_id)
    return list(db.session.scalars(mine.order_by(AuditEntry.at, AuditEntry.id)))


def shown(person: Person, query: str = "") -> list[str]:
    """The actions of the rows of the page, in their order."""
    page = person.client.get(f"/settings/audit{query}").text
    return re.findall(r'<td class="some">(?!<span)(.+?) <span', page)


@pytest.mark.parametrize("statement", [update(AuditEntry).values(actor="Nobody"), delete(AuditEntry)])
def test_the_database_refuses_to_change_or_delete_an_entry(dana: Person, statement: object) -> None:
    before = entries(dana)
    with pytest.raises(DatabaseError, match=REFUSED):
        db.session.execute(statement)  # type: ignore[call-overload]
    db.session.rollback()
    assert entries(dana) == before


def test_an_entry_says_who_when_from_where_and_what_changed(app: Flask, dana: Person) -> None:
    begun = utcnow()
    browser = app.test_client()
    browser.post("/login", data={"email": dana.email, "password": PASSWORD}, headers={"User-Agent": FIREFOX})
    browser.post("/apps/sandbox/mode", data={"mode": "error"}, headers={"User-Agent": "\0<b>" * 50})
    browser.post("/logout")
    signed_in, changed, signed_out = entries(dana)[-3:]
    assert (signed_in.actor, signed_in.action, signed_in.label) == (dana.name, "signed in", dana.name)
    assert (signed_in.address, signed_in.browser) == ("127.0.0.1", "Firefox on Windows")
    assert begun <= signed_in.at <= changed.at <= signed_out.at <= utcnow()
    assert (changed.changes, changed.browser, changed.label) == ({"answers": ["ok", "error"]}, "", "Harbour Support")
    assert signed_out.action == "signed out"


def test_what_is_older_than_a_year_may_go(dana: Person) -> None:
    webhook = make_webhook(dana.workspace_id)
    for days in (audit.KEPT_DAYS - 1, audit.KEPT_DAYS + 1):
        audit.note("Jon Park", "paused", webhook)
        [entry] = [one for one in db.session.new if isinstance(one, AuditEntry)]
        entry.at = utcnow() - timedelta(days=days)
        db.session.commit()
    young, old = (AuditEntry.at > utcnow() - timedelta(days=days) for days in (audit.KEPT_DAYS, 10_000))
    with pytest.raises(DatabaseError, match=REFUSED):
        db.session.execute(delete(AuditEntry).where(old))
    db.session.rollback()
    db.session.execute(delete(AuditEntry).where(~young))
    db.session.commit()
    assert len([one for one in entries(dana) if one.actor == "Jon Park"]) == 1


@pytest.mark.parametrize(
    ("user_agent", "browser"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Chrome/140 Safari/537 Edg/140", "Edge on macOS"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140 Mobile Safari/537", "Chrome on Android"),
        ("curl/8.1", ""),
    ],
)
def test_browsers_are_named_coarsely(user_agent: str, browser: str) -> None:
    assert audit.browser_of(user_agent) == browser


def test_a_note_takes_workspaces_and_members_and_keeps_nothing_of_contacts(dana: Person) -> None:
    member = db.session.scalars(select(Membership).where(Membership.user_id == dana.user_id)).one()
    contact = Contact(id=uuid.uuid4(), workspace_id=dana.workspace_id, first_name="Priya", contact_id="1")
    audit.note("Dana", "changed the role", member, {"role": "Agent"}, {"role": "Supervisor"})
    audit.note("Dana", "renamed", db.session.get_one(Workspace, dana.workspace_id), {"name": "A"}, {"name": "A"})
    audit.note("Dana", "merged", contact, {"Email": "priya@x.example"}, {"Email": "raman@x.example"})
    audit.note("Dana", "made", member, after={"role": "Agent"})
    db.session.commit()
    role, merged, made = (one for one in entries(dana) if one.actor == "Dana")
    assert (role.subject_id, role.label, role.changes) == (dana.user_id, dana.name, {"role": ["Agent", "Supervisor"]})
    assert (merged.subject_id, merged.label, merged.changes) == (contact.id, "", {"Email": ["", ""]})
    assert made.changes == {"role": [None, "Agent"]}


def test_it_is_searched_by_person_action_thing_and_day(dana: Person) -> None:
    webhook = make_webhook(dana.workspace_id, "https://hooks.acme.example/in?key=1")
    audit.note("Jon Park", "paused", webhook)
    db.session.commit()
    audit.note("Jon Park", "resumed", webhook)
    db.session.commit()
    today, tomorrow = f"{utcnow():%Y-%m-%d}", f"{utcnow() + timedelta(days=1):%Y-%m-%d}"
    assert shown(dana, "?person=park+jon") == ["resumed", "paused"]
    assert shown(dana, "?action=PAUS") == shown(dana, f"?thing=acme.example&action=paused&day={today}") == ["paused"]
    assert shown(dana, f"?thing={webhook.id}") == shown(dana, "?thing=webhook") == ["resumed", "paused"]
    assert "signed in" in shown(dana, "?thing=session")
    assert shown(dana, f"?day={tomorrow}") == shown(dana, "?person=%25") == shown(dana, "?thing=\0zzz") == []
    assert len(shown(dana, "?day=9999-12-31")) == len(shown(dana, "?day=x")) == len(entries(dana))
    assert "key=1" not in dana.client.get("/settings/audit").text
    part = dana.client.get("/settings/audit?action=paused", headers=PARTIAL).text
    assert part.lstrip().startswith('<div id="audit">')


def test_its_pages_and_its_file_hold_all_of_it_once(
    dana: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "PAGE", 3)
    monkeypatch.setattr(audit_log, "BATCH", 2)
    webhook = make_webhook(dana.workspace_id)
    for number in range(7):
        audit.note("=HYPERLINK(1)", f"a{number}", webhook, {"URL": "\x1b[2J"}, {"URL": number})
    db.session.commit()
    pages, address = [], "/settings/audit?person=HYPER"
    for _ in range(3):
        text = dana.client.get(address).text
        pages.append(re.findall(r"\ba(\d) <span", text))
        older = re.search(r'href="(\S+)">Older', text)
        address = older[1].replace("&amp;", "&") if older else address
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted([*chain(*pages)]) == list("0123456")
    back = re.search(r'href="(\S+)">Newer', dana.client.get(address).text)
    assert back
    assert re.findall(r"\ba(\d) <span", dana.client.get(back[1].replace("&amp;", "&")).text) == pages[1]
    file = dana.client.get("/settings/audit.csv?person=HYPER")
    assert (file.mimetype, file.headers["Content-Disposition"].startswith("attachment")) == ("text/csv", True)
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert [row["action"][1] for row in rows] == [*chain(*pages)]
    assert {row["person"] for row in rows} == {"'=HYPERLINK(1)"}
    assert "\x1b" not in file.text
    assert entries(dana)[-1].action == "exported the audit log"
    assert "exported the audit log" not in [one.action for one in entries(stranger)]


def test_two_of_one_name_are_told_apart(dana: Person, hire: Callable[..., Person]) -> None:
    twin = hire(dana, Role.ADMINISTRATOR, dana.name)
    for one in (dana, twin):
        one.client.get("/deliveries.csv")
    exported = [entry for entry in entries(dana) if entry.action == "exported deliveries"]
    assert [(one.actor, one.actor_id) for one in exported] == [(dana.name, dana.user_id), (dana.name, twin.user_id)]
    who = [one.actor_id for one in entries(dana) if one.action == "signed in"]
    assert who == [dana.user_id, twin.user_id], "though nobody is signed in until then"
    page = dana.client.get("/settings/audit").text
    assert set(re.findall(r'tiny muted">([^<]+@[^<]+)<', page)) == {dana.email, twin.email}
    assert shown(dana, f"?person={twin.email}&action=exported") == ["exported deliveries"]
    rows = list(csv.DictReader(io.StringIO(dana.client.get("/settings/audit.csv?action=exported+deliveries").text)))
    assert [row["email"] for row in rows] == [twin.email, dana.email]


def test_who_failed_and_who_helped_is_told_by_id(app: Flask, dana: Person, hire: Callable[..., Person]) -> None:
    ada = hire(dana)
    app.test_client().post("/login", data={"email": ada.email, "password": "wrong"})
    dana.client.post(f"/settings/log-in/{ada.user_id}/link")
    told = {one.action: (one.actor_id, one.subject_id) for one in entries(dana)}
    assert told["failed to sign in"] == (ada.user_id, ada.user_id)
    assert told["made a link for a new password"] == (dana.user_id, ada.user_id)


@pytest.mark.parametrize("name", ["The portal", " the  PORTAL", "\uff34he portal"])
def test_nobody_is_called_like_the_portal(app: Flask, dana: Person, name: str) -> None:
    answer = dana.client.post("/account", data={"name": name})
    assert (answer.status_code, "Tell us your own name" in answer.text) == (422, True)
    form = {"workspace": "W", "name": name, "email": "new@example.com", "password": PASSWORD}
    assert app.test_client().post("/signup", data=form).status_code == 422


def test_what_takes_data_away_or_changes_settings_leaves_an_entry(dana: Person, app: Flask) -> None:
    webhook = make_webhook(dana.workspace_id)
    for address in ("pause", "resume", "rotate", "test"):
        dana.client.post(f"/apps/webhooks/{webhook.id}/{address}")
    dana.client.get("/deliveries.csv")
    dana.client.post("/deliveries/bulk", data={"act": "resend"})
    dana.client.post(f"/apps/webhooks/{webhook.id}/replay", data={"days": "7"})
    dana.client.post(f"/apps/webhooks/{webhook.id}/delete")
    actions = [one.action for one in entries(dana)]
    assert actions == [
        "created the workspace", "signed in", "paused", "resumed", "rotated the secret", "sent a test",
        "exported deliveries", "resent deliveries in bulk", "replayed 7 days", "deleted",
    ]  # fmt: skip
