"""What an import does to contacts, and what it does not: modes, matching, events, workers that die."""

import uuid
from contextvars import Context
from threading import Thread

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.audit import AuditEntry
from portal.contacts import custom_fields, export
from portal.contacts.field_models import FieldType
from portal.contacts.models import Contact
from portal.extensions import db
from portal.importing import work
from portal.importing.models import Import, ImportChunk, ImportKey, Stage
from tests.conftest import Person
from tests.importing.conftest import Wizard, facts, read, table, words
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both


def test_each_field_overwrites_fills_or_appends_as_chosen(wizard: Wizard) -> None:
    wizard.add(email="a@x.example", first_name="Ana", city="Porto", notes="One.", tags="VIP", job_title="")
    rows = ("a@x.example", "Anna", "Faro", "Two.", "vip, New", "CEO")
    data = table(("Email", "First name", "City", "Notes", "Tags", "Job title"), rows)
    form = {"how-1": "overwrite", "how-2": "fill", "how-3": "append", "how-4": "append", "how-5": "fill"}
    wizard.imported(data, **form, tags="Spring, vip")
    found = wizard.contacts()["a@x.example"]
    assert (found.first_name, found.city, found.job_title) == ("Anna", "Porto", "CEO")
    assert found.notes == "One.\nTwo."
    assert {tag.name for tag in found.tags} == {"VIP", "New", "Spring"}
    again = wizard.imported(data, **form, tags="Spring, vip")
    assert again.counts == {"unchanged": 1}
    wizard.imported(data, **form | {"how-4": "overwrite", "how-3": "overwrite"})
    found = wizard.contacts()["a@x.example"]
    assert (found.notes, {tag.name for tag in found.tags}) == ("Two.", {"VIP", "New"})


def test_empty_cells_change_nothing_and_null_never_becomes_blank(wizard: Wizard) -> None:
    wizard.add(email="a@x.example", first_name="Ana", notes="One.")
    before = wizard.contacts()["a@x.example"]
    unset = [column.name for column in before.__table__.columns if getattr(before, column.name) is None]
    blanks = table(("Email", "First name", "Notes", "City", "Company name"), ("a@x.example", "", " ", "", ""))
    count = len(wizard.events())
    assert wizard.imported(blanks).counts == {"unchanged": 1}
    assert len(wizard.events()) == count
    wizard.imported(table(("Email", "City", "Company name"), ("a@x.example", "Porto", "")))
    found = wizard.contacts()["a@x.example"]
    assert (found.first_name, found.notes, found.city) == ("Ana", "One.", "Porto")
    assert {name for name in unset if getattr(found, name) is not None} == {"city", "last_updated_time"}


def test_the_first_key_that_knows_a_contact_decides(wizard: Wizard) -> None:
    ana = wizard.add(email="a@x.example", phone_number="+34 600 112 233", contact_id="7001")
    wizard.add(email="b@x.example", contact_id="7002")
    by = {"match-0": "contactId", "match-1": "email", "match-2": "phoneNumber"}
    head = ("Contact ID", "Email", "Phone", "City")
    wizard.imported(table(head, ("7001", "new@x.example", "", "Porto"), ("", "B@X.example", "", "Faro")), **by)
    assert wizard.contacts()["new@x.example"].id == ana
    assert wizard.contacts()["b@x.example"].city == "Faro"
    wizard.imported(table(head, ("", "", "0034600112233", "Braga")), **by)
    assert wizard.contacts()["new@x.example"].city == "Braga"
    made = wizard.imported(
        table(head, ("9999", "b@x.example", "", "Elsewhere")), **by | {"match-0": "email", "match-1": ""}
    )
    assert "has the contact ID 7002" in wizard.refused(made)[2]
    made = wizard.imported(table(head, ("9999", "b@x.example", "", "Elsewhere")), **by)
    numbers = set(db.session.scalars(select(Contact.contact_id).where(Contact.email == "b@x.example")))
    assert (made.counts, numbers) == ({"new": 1}, {"7002", "9999"})
    made = wizard.imported(table(head, ("", "b@x.example", "", "Lost")), **by)
    assert "2 contacts have this e-mail address" in wizard.refused(made)[2]


def test_custom_fields_are_imported_by_their_names_and_rules(wizard: Wizard) -> None:
    space = wizard.person.workspace_id
    custom_fields.add(space, {"name": "Renewal", "type": FieldType.DATE, "length": None, "options": []})
    custom_fields.add(space, {"name": "Seats", "type": FieldType.NUMBER, "length": None, "options": []})
    custom_fields.add(space, {"name": "Plan", "type": FieldType.CHOICES, "options": ["Basic", "Gold"], "length": None})
    needed = {"name": "Region", "type": FieldType.TEXT, "length": 5, "options": [], "is_required": True}
    custom_fields.add(space, needed)
    db.session.commit()
    rows = [("a@x.example", "2026-12-01", "12", "gold", "North"), ("b@x.example", "1 Dec", "", "", "North"),
            ("c@x.example", "", "", "", "Northwest"), ("d@x.example", "", "", "", "")]  # fmt: skip
    made = wizard.imported(table(("Email", "renewal", "SEATS", "Plan", "Region"), *rows))
    values = wizard.contacts()["a@x.example"].custom_fields.values()
    assert sorted(map(str, values)) == ["12", "2026-12-01", "North", "['Gold']"]
    refused = wizard.refused(made)
    assert [part in refused[row] for row, part in ((3, "is a date"), (4, "too long"), (5, "needs Region"))] == [
        True
    ] * 3


def test_dry_run_and_run_agree_and_say_what_is_sent_where(wizard: Wizard) -> None:
    webhook = make_webhook(wizard.person.workspace_id)
    webhook.contacts_per_request = 10
    db.session.commit()
    wizard.add(email="p0@x.example", city="Porto")
    rows = [(f"p{i}@x.example", "Porto" if i % 2 else "Faro") for i in range(45)] + [("nobody", "X")]
    db.session.commit()
    events = len(wizard.events())
    made = wizard.checked(table(("Email", "City"), *rows))
    assert (made.stage, made.forecast) == (Stage.CHECKED, {"new": 44, "changed": 1, "refused": 1})
    assert len(wizard.events()) == events
    page = words(wizard.person.client.get(f"/contacts/import/{made.id}"))
    assert "45 contacts would be made or changed" in page
    assert "ContactCreated 44 about 5" in page
    assert "ContactUpdated 1 about 1" in page
    done = wizard.run(made)
    counts, sent = done.counts, wizard.events()[events:]
    assert counts == {"new": 44, "changed": 1, "refused": 1}
    assert (len(sent), sum(len(one.subjects) for one in sent)) == (6, 45)
    assert db.session.scalar(select(func.count()).select_from(ImportChunk)) == 0
    assert db.session.scalar(select(func.count()).select_from(ImportKey)) == 0


def test_columns_that_cannot_be_are_said_at_their_fields(wizard: Wizard) -> None:
    data = table(("Email", "Mail", "City"), ("a@x.example", "b@x.example", "Porto"))
    for form, sentence in (
        ({"to-1": "email"}, "Email is filled by column 1 already."),
        ({"to-0": ""}, "A column has to go to Contact ID, Email or Phone number"),
        ({"match-0": "", "match-1": "", "match-2": ""}, "Say by what a contact that exists is found again."),
        ({"match-1": "phoneNumber"}, "No column goes to Phone number."),
        ({"how-0": "append"}, "Nothing can be appended to Email"),
        ({"tags": "t" * 51}, "A tag has at most 50 characters"),
        ({"to-0": "", "to-1": "", "to-2": ""}, "Choose a field for at least one column."),
    ):
        answer = wizard.mapped(data, **form)
        assert (answer.status_code, sentence in words(answer)) == (422, True), (form, words(answer))
    answer = wizard.mapped(data, **{"to-1": "nonsense", "how-2": "nonsense", "match-1": "nonsense"})
    assert answer.status_code == 303


def test_what_was_chosen_is_remembered_for_the_next_file_with_such_headers(wizard: Wizard) -> None:
    data = table(("E-mail", "Town", "Size"), ("a@x.example", "Porto", "3"))
    wizard.imported(data, **{"to-1": "province", "how-1": "fill", "to-2": "notes"})
    address = wizard.upload(table(("size", "TOWN", "E-mail"), ("4", "Faro", "b@x.example"))).location
    made = db.session.get_one(Import, uuid.UUID(str(address).split("/")[-2]))
    assert made.columns == [["notes", "append"], ["province", "fill"], ["email", "overwrite"]]


def test_a_killed_worker_goes_on_where_it_was_and_does_each_row_once(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(f"p{i}@x.example", f"note {i}") for i in range(25)]
    made = wizard.checked(table(("Email", "Notes"), *rows))
    key = made.id
    work.begin(made, Stage.RUNNING)
    db.session.commit()
    assert wizard.slice(key, 10)
    with monkeypatch.context() as dying:
        dying.setattr(db.session, "commit", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            wizard.slice(key, 10)
    db.session.rollback()
    db.session.expunge_all()
    half = db.session.get_one(Import, key)
    assert (half.count("new"), half.row, len(wizard.contacts())) == (9, 10, 9)
    done = wizard.worked(key, 10)
    assert (done.stage, done.counts, len(wizard.contacts()), len(wizard.events())) == (Stage.DONE, {"new": 25}, 25, 25)


def test_two_workers_do_each_row_once(app: Flask, wizard: Wizard) -> None:
    made = wizard.checked(table(["Email"], *([f"p{i}@x.example"] for i in range(120))))
    key = made.id
    work.begin(made, Stage.RUNNING)
    db.session.commit()

    def run() -> None:
        with app.app_context():
            work.work(str(key))

    threads = [Thread(target=Context().run, args=[run]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = wizard.worked(key)
    assert (done.counts, len(wizard.contacts()), len(wizard.events())) == ({"new": 120}, 120, 120)


def test_stop_keeps_what_is_done_and_throws_the_file_away(wizard: Wizard) -> None:
    made = wizard.checked(table(["Email"], *([f"p{i}@x.example"] for i in range(25))))
    key = made.id
    work.begin(made, Stage.RUNNING)
    db.session.commit()
    wizard.slice(key, 10)
    wizard.person.client.post(f"/contacts/import/{key}/stop")
    assert not wizard.slice(key)
    page = words(wizard.person.client.get(f"/contacts/import/{key}"))
    assert "Stopped" in page
    assert len(wizard.contacts()) == made_of(key).count("new") == 9
    assert db.session.scalar(select(func.count()).select_from(ImportChunk)) == 0
    for path in ("run", "columns", "reading"):
        wizard.person.client.post(f"/contacts/import/{key}/{path}", data={"to-0": "email", "match-0": "email"})
        assert made_of(key).stage == Stage.STOPPED


def made_of(key: uuid.UUID) -> Import:
    db.session.rollback()
    return db.session.get_one(Import, key, populate_existing=True)


def test_refused_rows_are_mended_in_a_file_and_loaded_again(wizard: Wizard) -> None:
    rows = [
        ("a@x.example", "=SUM(A1)", "'+x"),
        ("bo at x", "=1+1", "''-y, with; \"all\"\nof it"),
        ("c@x.example", "", ""),
    ]
    made = wizard.imported(table(("Email", "Company name", "Notes"), *rows, delimiter=";"))
    answer = wizard.person.client.get(f"/contacts/import/{made.id}/refused.csv")
    text = answer.data.decode("utf-8-sig")
    taken = select(AuditEntry.actor_id).where(AuditEntry.action == "exported the refused rows of an import")
    assert db.session.scalars(taken).all() == [wizard.person.user_id]
    assert text.startswith("Email;Company name;Notes;Reason\r\n")
    assert text.count("Give a full e-mail address") == 1
    assert ";=" not in text
    mended = wizard.imported(text.replace("bo at x", "bo@x.example").encode("utf-8-sig"))
    assert (mended.counts, mended.columns[-1]) == ({"new": 1}, ["", ""])
    bo = wizard.contacts()["bo@x.example"]
    assert (bo.company_name, bo.notes) == ("=1+1", '\'-y, with; "all"\nof it')
    assert wizard.contacts()["a@x.example"].notes == "+x"


def test_an_export_imported_again_changes_nothing_here_and_says_the_same_elsewhere(
    wizard: Wizard, stranger: Person
) -> None:
    field = {"name": "=Seats", "type": FieldType.NUMBER, "length": None, "options": []}
    for space in (wizard.person.workspace_id, stranger.workspace_id):
        custom_fields.add(space, field)
    db.session.commit()
    nasty = [
        ("a@x.example", "=1+1", "+34 600 112 233", "7", "One\nTwo, \"three\"; four", "VIP, Beta"),
        ("b@x.example", "'Aix", "", "", "'=x", ""), ("c@x.example", "''-y", "", "1.5", "@", "VIP"),
        ("d@x.example", "－wide", "", "0", "-", ""), ("", "Zoë 東京", "600112234", "", "", ""),
    ]  # fmt: skip
    made = wizard.imported(
        table(("Email", "Company", "Phone", "=Seats", "Notes", "Tags"), *nasty), **{"to-3": seats(wizard)}
    )
    assert made.counts == {"new": 5}
    wizard.person.client.post("/contacts/new", data={"email": "e@x.example", "owner": str(wizard.person.user_id),
                              "lead_stage": "Lead", "priority": "Low"})  # fmt: skip
    file = wizard.person.client.get("/contacts.csv")
    assert not [cell for row in read(file) for cell in row if cell.startswith(("=", "+", "-", "@", "－"))]
    before, count = facts(wizard.contacts().values()), len(wizard.events())
    assert wizard.imported(file.data).counts == {"unchanged": 6}
    assert (facts(wizard.contacts().values()), len(wizard.events())) == (before, count)
    there = Wizard(stranger)
    moved = there.imported(file.data)
    assert (moved.count("new"), next(iter(there.refused(moved).values()))[:5]) == (5, "Owner")
    again = there.person.client.get("/contacts.csv")
    rows = {tuple(row) for row in read(file)} - {tuple(row) for row in read(again)}
    assert [row[3] for row in rows] == ["e@x.example"]


def seats(wizard: Wizard) -> str:
    return f"custom:{custom_fields.fields_of(wizard.person.workspace_id)[0].id}"


def test_an_export_has_the_contacts_that_match_and_the_columns_that_were_chosen(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "BATCH", 3)
    wizard.imported(
        table(("Email", "City"), *((f"p{i}@x.example", "Porto") for i in range(10)), ("q@y.example", "Faro"))
    )
    assert len(read(wizard.person.client.get("/contacts.csv"))) == 12
    rows = read(wizard.person.client.get("/contacts.csv?q=y.example&column=city&column=createdTime"))
    assert rows[0] == ["City", "Created"]
    assert [row[0] for row in rows[1:]] == ["Faro"]
    assert "Export 1 contact" in words(wizard.person.client.get("/contacts/export?q=y.example"))
    assert "Nothing to export" in words(wizard.person.client.get("/contacts/export?q=nobody"))
