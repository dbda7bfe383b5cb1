"""The settings pages of custom fields and lists, and what they make of the contact form."""

import html
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.contacts.custom_fields import fields_of
from portal.contacts.field_models import CustomField, FieldType, ListWord
from portal.contacts.models import Contact
from portal.extensions import db
from portal.webhooks.models import Event

Events = Callable[[uuid.UUID], list[Event]]
Typed = Callable[..., dict[str, str]]


def define(dana: Any, name: str, kind: str = "text", **facts: str) -> CustomField:
    form = {"name": name, "type": kind, "is_visible": "y", **facts}
    answer = dana.client.post("/settings/fields/new", data=form)
    assert answer.status_code == 303, answer.text
    db.session.rollback()
    return db.session.scalars(select(CustomField).where(CustomField.name == name)).one()


def input_of(field: CustomField) -> str:
    return f"field_{field.id.hex}"


def words(dana: Any, kind: str = "lead_stage") -> dict[str, uuid.UUID]:
    db.session.rollback()
    mine = (ListWord.workspace_id == dana.workspace_id, ListWord.kind == kind)
    return {one.name: one.id for one in db.session.scalars(select(ListWord).where(*mine).order_by(ListWord.position))}


def shown_errors(page: str) -> list[str]:
    return re.findall(r'class="invalid-feedback" id="[\w-]+-e">(.*?)</span>', html.unescape(page))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "Give the field a name."),
        ({"name": "sIZE"}, "There is a field with this name already."),
        ({"name": "x" * 101}, "Name is too long: 101 characters, at most 100."),
        ({"type": "picture"}, "Type is one of the list. Choose again."),
        ({"length": "0"}, "Length is a number from 1 to 10,000."),
        ({"length": "many"}, "Length is a number from 1 to 10,000."),
        ({"type": "choice"}, "Give the choices, one a line."),
        ({"type": "choices", "option_lines": "a\nb, c"}, "A choice has no comma and at most 100 characters."),
        ({"type": "choice", "option_lines": "\n".join(map(str, range(101)))}, "A field has at most 100 choices."),
        ({"is_required": "y", "is_visible": ""}, "What is required must be visible, too."),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_can_be_no_field_is_refused_at_its_place(dana: Any, changes: dict[str, str], message: str) -> None:
    define(dana, "Size")
    form = {"name": "Plan", "type": "text", "is_visible": "y", "help": "Kept", **changes}
    if not form["is_visible"]:
        del form["is_visible"]
    page = dana.client.post("/settings/fields/new", data=form)
    assert (page.status_code, shown_errors(page.text), 'value="Kept"' in page.text) == (422, [message], True)
    assert len(fields_of(dana.workspace_id)) == 1


def test_a_contact_is_filled_in_by_fields_of_every_type(dana: Any, typed: Typed, events: Events, bodies: Any) -> None:
    typed_values = {
        "text": "Gold", "longText": "a\r\nb", "number": "7.50", "date": "2024-02-29", "dateTime": "2026-11-25T14:30",
        "choice": "Red", "choices": "Blue", "checkbox": "y", "url": "https://a.example", "email": "a@b.example",
        "phone": "+34 600",
    }  # fmt: skip
    fields = {
        kind: define(dana, f"My {kind}", kind, option_lines="Red\nBlue\nred", help="Say it") for kind in FieldType
    }
    hidden = define(dana, "Hidden", is_visible="")
    dana.client.post(f"/settings/fields/{hidden.id}", data={"name": "Hidden"})
    page = dana.client.get("/contacts/new").text
    assert page.count("Say it") == len(FieldType)
    assert ">Hidden</label>" not in page
    form = {input_of(fields[FieldType(kind)]): value for kind, value in typed_values.items()}
    address = dana.client.post("/contacts/new", data={"email": "a@b.example", **form}).location
    (made,) = bodies(dana.workspace_id)
    assert {one["type"]: one["value"] for one in made["contacts"][0]["customFields"]} == {
        "text": "Gold", "longText": "a\nb", "number": 7.5, "date": "2024-02-29", "dateTime": "2026-11-25T14:30:00Z",
        "choice": "Red", "choices": ["Blue"], "checkbox": True, "url": "https://a.example", "email": "a@b.example",
        "phone": "+34 600",
    }  # fmt: skip
    page = dana.client.get(address).text
    for words_ in ("7.5", "2026-11-25 14:30 UTC", 'href="https://a.example"', 'href="mailto:a@b.example"', "yes"):
        assert words_ in page
    for where in ("edit", "group?of=own"):  # what the browser sends back is what is there
        dana.client.post(f"{address}/{where}", data={"of": "own", **typed(dana.client, f"{address}/{where}")})
    assert len(events(dana.workspace_id)) == 1
    wrong = {input_of(fields[FieldType.NUMBER]): "7,5", input_of(fields[FieldType.TEXT]): "Silver"}
    refused = dana.client.post(f"{address}/edit", data=typed(dana.client, f"{address}/edit", **wrong))
    assert (refused.status_code, shown_errors(refused.text)) == (422, ["My number is a number, such as 12 or 3.5."])
    assert ('value="7,5"' in refused.text, 'value="Silver"' in refused.text) == (True, True)


def test_what_is_required_is_asked_for_and_what_was_an_option_may_stay(dana: Any, typed: Typed) -> None:
    plan = define(dana, "Plan", "choice", option_lines="Gold\nSilver", is_required="y")
    refused = dana.client.post("/contacts/new", data={"email": "a@b.example"})
    assert (refused.status_code, shown_errors(refused.text)) == (422, ["Plan is required."])
    form = {"email": "a@b.example", input_of(plan): "Gold"}
    address = dana.client.post("/contacts/new", data=form).location
    facts = {"name": "Plan", "option_lines": "Silver", "is_required": "y", "is_visible": "y"}
    assert dana.client.post(f"/settings/fields/{plan.id}", data=facts).status_code == 303
    page = dana.client.post(f"{address}/edit", data=typed(dana.client, f"{address}/edit", city="Porto"))
    assert page.status_code == 303
    other = dana.client.post("/contacts/new", data=form)
    assert (other.status_code, shown_errors(other.text)) == (422, ["Plan is one of the list; “Gold” is not."])


def test_fields_are_renamed_ordered_and_deleted(dana: Any, events: Events) -> None:
    assert "No fields of your own yet" in dana.client.get("/settings/fields").text
    first, second = define(dana, "First"), define(dana, "Second")
    dana.client.post("/contacts/new", data={"email": "a@b.example", input_of(first): "kept"})
    moved = dana.client.post(f"/settings/fields/{second.id}/move", data={"steps": "-1"})
    page = dana.client.get(moved.location).text
    assert page.index(">Second<") < page.index(">First<")
    assert re.search(r'value="1" autofocus>.*?Move Second down', page, re.S)
    dana.client.post(f"/settings/fields/{first.id}", data={"name": "Renamed", "is_visible": "y"})
    assert "1 contact has a value of it, which is deleted, too." in dana.client.get(f"/settings/fields/{first.id}").text
    assert "No contact has a value of it." in dana.client.get(f"/settings/fields/{second.id}").text
    db.session.rollback()
    assert db.session.scalars(select(Contact)).one().custom_fields == {str(first.id): "kept"}
    assert dana.client.post(f"/settings/fields/{first.id}/delete").status_code == 303
    db.session.rollback()
    assert db.session.scalars(select(Contact)).one().custom_fields == {}
    assert len(events(dana.workspace_id)) == 1


def test_lists_are_edited_word_by_word(dana: Any, stranger: Any, events: Events) -> None:
    dana.client.post("/contacts/new", data={"email": "a@b.example", "lead_stage": "Prospect"})
    added = {"kind": "lead_stage", "lead_stage-name": "Partner"}
    assert dana.client.post("/settings/lists", data=added).status_code == 303
    again = dana.client.post("/settings/lists", data=added)
    assert (again.status_code, shown_errors(again.text)) == (422, ["There is a lead stage with this name already."])
    ids = words(dana)
    assert list(ids)[-1] == "Partner"
    dana.client.post(f"/settings/lists/{ids['Partner']}/move", data={"steps": "-1"})
    assert list(words(dana))[-2:] == ["Partner", "Former customer"]
    renamed = dana.client.post(f"/settings/lists/{ids['Prospect']}", data={f"{ids['Prospect']}-name": "Likely"})
    assert renamed.status_code == 303
    assert db.session.scalars(select(Contact.lead_stage)).one() == "Likely"
    blank = dana.client.post(f"/settings/lists/{ids['Lead']}", data={f"{ids['Lead']}-name": ""})
    assert (blank.status_code, shown_errors(blank.text)) == (422, ["Give it a name."])

    assert "1 contact carries it." in dana.client.get("/settings/lists").text
    refused = dana.client.post(f"/settings/lists/{ids['Prospect']}/delete")
    assert (refused.status_code, "Choose what they get instead." in refused.text) == (422, True)
    foreign = {"instead": str(words(stranger)["Lead"])}
    assert dana.client.post(f"/settings/lists/{ids['Prospect']}/delete", data=foreign).status_code == 404
    instead = {"instead": str(ids["Partner"])}
    assert dana.client.post(f"/settings/lists/{ids['Prospect']}/delete", data=instead).status_code == 303
    db.session.rollback()
    assert db.session.scalars(select(Contact.lead_stage)).one() == "Partner"
    assert len(events(dana.workspace_id)) == 1
    assert "Prospect" in words(stranger)
    form = dana.client.get("/contacts/new").text
    assert 'value="Partner"' in form
    assert 'value="Likely"' not in form


def test_a_contact_keeps_a_word_that_is_on_no_list(dana: Any, typed: Typed) -> None:
    """As after two Administrators, or an import, at once."""
    address = dana.client.post("/contacts/new", data={"email": "a@b.example"}).location
    db.session.execute(db.update(Contact).values(lead_stage="Gone", priority=None))
    db.session.commit()
    saved = dana.client.post(f"{address}/edit", data=typed(dana.client, f"{address}/edit", city="Porto"))
    assert saved.status_code == 303
    db.session.rollback()
    one = db.session.scalars(select(Contact)).one()
    assert (one.lead_stage, one.priority, one.city) == ("Gone", None, "Porto")
