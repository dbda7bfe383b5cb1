"""What the columns of a file are taken for: by names, by what was chosen before, and never without a check."""

from typing import Any

import pytest
from sqlalchemy import func, select

from portal.contacts import custom_fields
from portal.contacts.field_models import FieldType
from portal.extensions import db
from portal.importing.models import ImportKey, Stage
from tests.importing.conftest import Wizard, facts, table

pytestmark = pytest.mark.both


def test_a_name_that_stands_twice_is_remembered_by_the_column_that_was_taken(wizard: Wizard) -> None:
    data = table(("Email", "City", "City", "Size"), ("a@x.example", "Porto", "Faro", "3"))
    taken = [["email", "overwrite"], ["city", "overwrite"], ["", ""], ["", ""]]
    assert [wizard.imported(data).columns, wizard.imported(data).columns] == [taken, taken]
    assert wizard.imported(table(("Email", "City"), ("a@x.example", "Braga"))).columns[1] == ["city", "overwrite"]
    for form, first in (
        ({"to-2": "province"}, "city"),
        ({"to-1": ""}, ""),
        ({"to-1": "", "to-2": "province"}, "province"),
    ):
        wizard.imported(data, **form)
        assert wizard.planned(data).columns[1:3] == [[first, "overwrite" if first else ""], ["", ""]]


def test_a_field_that_is_deleted_is_remembered_no_more(wizard: Wizard) -> None:
    key = f"custom:{custom_fields.add(wizard.person.workspace_id, text_field('Town')).id}"
    data = table(("Email", "Town"), ("a@x.example", "Porto"))
    assert wizard.imported(data).columns[1] == [key, "overwrite"]
    custom_fields.delete(custom_fields.fields_of(wizard.person.workspace_id)[0])
    assert wizard.imported(data).columns[1] == ["city", "overwrite"]


def test_fields_whose_names_are_alike_are_told_apart_or_left_to_people(wizard: Wizard) -> None:
    names = ("Price (€)", "Price ($)", "C", "C++", "Año", "Ano", "€", "City", "Created", "first_name", "=x", "'=x")
    for name in names:
        custom_fields.add(wizard.person.workspace_id, text_field(name))
    keys = {one.name: f"custom:{one.id}" for one in custom_fields.fields_of(wizard.person.workspace_id)}
    rows = [("a@x.example", *(f"{number}" for number in range(len(names))))]
    form = {f"to-{number}": keys[name] for number, name in enumerate(names, 1)}
    wizard.imported(table(("Email", *(f"column {number}" for number in range(len(names)))), *rows), **form)
    file = wizard.person.client.get("/contacts.csv")
    before, count = facts(wizard.contacts().values()), len(wizard.events())
    for _ in range(2):  # by the names, and then by what was chosen for them
        again = wizard.imported(file.data)
        assert (again.counts, facts(wizard.contacts().values())) == ({"unchanged": 1}, before)
    assert len(wizard.events()) == count
    found = {header: key for header, (key, _) in zip(again.headers, again.columns, strict=True)}
    assert [found[name] for name in names[:6]] == [keys[name] for name in names[:6]]
    assert (found["'=x"], found["''=x"]) == (keys["=x"], keys["'=x"])  # guarded in the file
    head = ("Email", "price", "ano*", "c#", "", "created", "CITY", "E mail", "PRICE ($)", "postal-code")
    guessed = wizard.planned(table(head, ["b@x.example", *"123456789"])).columns
    assert [key for key, _ in guessed] == ["email", "", "", "", "", "", "", "", keys["Price ($)"], "zipCode"]


def text_field(name: str) -> dict[str, Any]:
    return {"name": name, "type": FieldType.TEXT, "length": None, "options": []}


def test_what_is_read_again_is_checked_again_before_it_runs(wizard: Wizard) -> None:
    made = wizard.checked("Email,City\na@x.example,Łódź\n".encode("cp1250"))
    address = f"/contacts/import/{made.id}"
    wizard.person.client.post(f"{address}/reading", data={"encoding": "cp1250", "delimiter": ",", "is_data": "y"})
    assert wizard.person.client.post(f"{address}/run").location == address
    assert wizard.person.client.get(address).location == f"{address}/columns"
    read_again = wizard.made(made.id)
    assert (read_again.stage, read_again.forecast, read_again.counts) == (Stage.MAPPING, None, {})
    assert db.session.scalar(select(func.count()).select_from(ImportKey)) == 0
    assert wizard.contacts() == {}
