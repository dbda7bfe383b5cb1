"""The list: filters of every kind, columns, views; and that looking stops after a while and says so."""

import html
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.contacts import custom_fields, listing, lists, many, walking
from portal.contacts.field_models import CustomField, FieldType, WordKind
from portal.contacts.known import columns_of
from portal.contacts.list_models import ContactView
from portal.contacts.models import Contact, Tag
from portal.extensions import db, utcnow
from tests.turns import share

pytestmark = pytest.mark.both

Shown = Callable[..., list[str]]
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
PEOPLE: list[dict[str, Any]] = [
    {"first_name": "Ann", "city": "Paris", "lead_stage": "Customer", "tags": ["VIP", "Beta"],
     "email": "Ann@Acme.example", "phone_number": "+34 600 112 233", "subscribe_sms": False, "company_name": "Acme"},
    {"first_name": "Bea", "city": "paris", "lead_stage": "Lead", "tags": ["VIP"], "priority": "High",
     "notes": "50%_off"},
    {"first_name": "Cid", "city": "", "lead_stage": "Lead", "phone_number": "0034600112233"},
]  # fmt: skip


@pytest.fixture
def shown(dana: Any) -> Shown:
    """The first names on the page of the list that asks for these filters, by name."""

    def read(*filters: str, **others: str) -> list[str]:
        answer = dana.client.get("/contacts", query_string={"f": filters, "sort": "name", **others})
        assert answer.status_code == 200
        return re.findall(r'<a class="strong" href="/contacts/[0-9a-f-]{36}">(\w+)', answer.text)

    return read


@pytest.fixture
def people(dana: Any) -> dict[str, str]:
    """Ann, Bea and Cid with custom fields; what filters name them by."""
    size = custom_fields.add(dana.workspace_id, {"name": "Size", "type": FieldType.NUMBER})
    since = custom_fields.add(dana.workspace_id, {"name": "Since", "type": FieldType.DATE})
    likes = custom_fields.add(
        dana.workspace_id, {"name": "Likes", "type": FieldType.CHOICES, "options": ["Red", "Grün", "Dark red"]}
    )
    ann, bea, _ = many.create_many(dana.workspace_id, PEOPLE, "Dana")
    assert ann
    assert bea
    values = {ann.id: {size.id: 10.5, since.id: "2026-03-01", likes.id: ["Grün", "Dark red"]},
              bea.id: {size.id: 9, since.id: "2026-03-02", likes.id: ["Red"]}}  # fmt: skip
    many.update_many(dana.workspace_id, values, lambda contact: {"custom_fields": values[contact.id]}, "Dana")
    old = update(Contact).where(Contact.first_name == "Ann").values(created_time=utcnow() - timedelta(days=3))
    db.session.execute(old)
    db.session.commit()
    vip = db.session.scalars(select(Tag).where(Tag.name == "VIP")).one()
    today, before = utcnow().date(), utcnow().date() - timedelta(days=3)
    return {"vip": str(vip.id), "size": f"x-{size.id}", "since": f"x-{since.id}", "likes": f"x-{likes.id}",
            "owner": str(dana.user_id), "today": str(today), "before": str(before)}  # fmt: skip


CASES = [
    ("city.is.PARIS", "Ann Bea"),
    ("city.not.Paris", "Cid"),
    ("city.contains.ari", "Ann Bea"),
    ("city.empty", "Cid"),
    ("city.filled", "Ann Bea"),
    ("name.contains.EA", "Bea"),
    ("name.is.ann", "Ann"),
    ("email.is.ann@acme.example", "Ann"),
    ("email.contains.acme.ex", "Ann"),
    ("phone_number.is.+34 600 112 233", "Ann"),
    ("company_name.is.acme", "Ann"),
    ("notes.contains.%_", "Bea"),
    ("lead_stage.is.Lead", "Bea Cid"),
    ("lead_stage.not.Lead", "Ann"),
    ("priority.is.High", "Bea"),
    ("owner.empty", "Ann Bea Cid"),
    ("owner.is.{owner}", ""),
    ("tags.is.{vip}", "Ann Bea"),
    ("tags.not.{vip}", "Cid"),
    ("tags.empty", "Cid"),
    ("tags.filled", "Ann Bea"),
    ("subscribe_sms.is.no", "Ann"),
    ("subscribe_sms.is.yes", "Bea Cid"),
    ("created_time.on.{before}", "Ann"),
    ("created_time.after.{before}", "Bea Cid"),
    ("created_time.before.{today}", "Ann"),
    ("last_seen_time.empty", "Ann Bea Cid"),
    ("{size}.is.10.5", "Ann"),
    ("{size}.above.9", "Ann"),
    ("{size}.below.10", "Bea"),
    ("{size}.empty", "Cid"),
    ("{since}.on.2026-03-01", "Ann"),
    ("{since}.after.2026-03-01", "Bea"),
    ("{since}.before.2026-03-02", "Ann"),
    ("{likes}.is.Red", "Bea"),
    ("{likes}.is.Grün", "Ann"),
    ("{likes}.not.Red", "Ann Cid"),
    ("nonsense.is.x", ""),
    ("city.above.x", ""),
    ("created_time.on.31 March", ""),
    ("tags.is.' OR 1=1", ""),
    ("city.is.", ""),
    ("city.contains.\0", ""),
]
"""A filter, and the first names of those who are left."""


def test_every_kind_of_filter_keeps_those_of_whom_it_is_so(shown: Shown, people: dict[str, str], stranger: Any) -> None:
    many.create_many(stranger.workspace_id, PEOPLE, "Sam")
    db.session.commit()
    for asked, names in CASES:
        assert shown(asked.format(**people)) == names.split(), asked
    assert shown("city.is.Paris", f"tags.is.{people['vip']}", "lead_stage.is.Lead") == ["Bea"]
    assert shown("city.is.Paris", q="ann") == ["Ann"]


def test_each_column_can_be_asked_all_that_its_kind_allows(dana: Any, people: dict[str, str], shown: Shown) -> None:
    """On both databases, for every column that there is: an answer, and the form of the filter."""
    for number, (name, column) in enumerate(columns_of(dana.workspace_id).items()):
        form = dana.client.get("/contacts", query_string={"add": name}).text
        value = next(iter(column.choices), {"number": "1", "date": "2026-01-01"}.get(column.kind, "x"))
        operators = [*listing.filters.OPERATORS[column.kind]]
        assert [one for one in operators if f'value="{one}"' not in form] == []
        for operator in share(operators, number):
            asked = {"field": name, "op": operator, "value": value, "sort": "name"}
            answer = dana.client.get("/contacts/filter", query_string=asked)
            assert f"f={name}.{operator}" in answer.location
            assert dana.client.get(answer.location, headers=HTMX).status_code == 200, answer.location
    refused = dana.client.get("/contacts/filter?field=created_time&op=on&value=soon", follow_redirects=True)
    assert "Give a day." in refused.text


def test_looking_stops_after_a_while_says_so_and_goes_on(
    dana: Any, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no index finds is looked for a few thousand contacts at a time; here, five."""
    monkeypatch.setattr(walking, "WINDOW", 5)
    rows = [{"contact_id": f"{i:02}", "city": "Oslo" if i in (1, 7, 11) else "Rome"} for i in range(12)]
    many.create_many(dana.workspace_id, rows, "Dana")
    db.session.commit()
    assert looked_through(dana, "/contacts?f=city.is.Oslo&sort=name") == [["01"], ["07"], ["11"]]
    assert "1+</b> match" in dana.client.get("/contacts?f=city.is.Oslo&sort=name").text
    assert shown("lead_stage.is.Contact", n="25") == [f"{i:02}" for i in range(12)], "what is few needs no looking"


def test_looking_stops_also_where_contacts_stand_in_groups(dana: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of priorities, three of each: of 12 contacts five are looked at for a page."""
    monkeypatch.setattr(walking, "WINDOW", 5)
    priorities = (None, "Low", "Medium", "High")
    rows = [{"contact_id": f"{i:02}", "city": "Oslo" if i in (1, 5, 9) else "Rome", "priority": priorities[i // 3]}
            for i in range(12)]  # fmt: skip
    many.create_many(dana.workspace_id, rows, "Dana")
    db.session.commit()
    for sort, order in (("priority", ["01", "05", "09"]), ("-priority", ["09", "05", "01"])):
        pages = looked_through(dana, f"/contacts?f=city.is.Oslo&sort={sort}")
        assert ([one for page in pages for one in page], len(pages)) == (order, 3)
    assert "1+</b> match" in dana.client.get("/contacts?f=city.is.Oslo&sort=-priority").text


def looked_through(dana: Any, address: str) -> list[list[str]]:
    """What is on the pages from there on, as far as they lead."""
    found = []
    while address:
        page = dana.client.get(address).text
        found.append(re.findall(r'href="/contacts/[0-9a-f-]{36}">(\w+)', page))
        link = re.search(r'href="([^"]+)">(?:Next|Look further)</a>', page)
        address = html.unescape(link[1]) if link else ""
    return found


def test_columns_are_chosen_ordered_and_remembered_for_each_person(dana: Any, stranger: Any) -> None:
    def heads() -> list[str]:
        page = dana.client.get("/contacts").text
        return [
            re.sub("(?s)<.*?>", "", head).strip() for head in re.findall(r"<th class=[^>]*>(.*?)</th>", page, re.S)
        ][1:]

    many.create_many(dana.workspace_id, PEOPLE, "Dana")
    db.session.commit()
    assert heads()[:2] == ["Name", "Company name"]
    for act, name in (("add", "city"), ("up", "city"), ("remove", "company_name"), ("down", "lead_stage")):
        assert dana.client.post("/contacts/columns", data={act: name}).status_code == 303
    assert heads() == ["Name", "Tags", "Lead stage", "Owner", "Created", "City", "Changed"]
    assert ">Paris<" in dana.client.get("/contacts").text
    assert dana.client.post("/contacts/columns", data={"add": "workspace_id"}).status_code == 400
    dana.client.post("/contacts/columns", data={"remove": "name"})
    assert heads()[0] == "Name", "the way to the contact stays"


def test_a_view_keeps_filters_order_and_columns_under_a_name(dana: Any, people: dict[str, str], shown: Shown) -> None:
    form = {"name": "Leads", "f": "lead_stage.is.Lead", "sort": "-name"}
    address = dana.client.post("/contacts/views", data=form).location
    assert re.findall(r'class="strong" href="[^"]+">(\w+)', dana.client.get(address).text) == ["Cid", "Bea"]
    dana.client.post("/contacts/views", data={"name": "leads", "f": "city.is.Paris"})
    assert db.session.query(ContactView).filter(ContactView.name != "").count() == 1, "the same name replaces it"
    refused = dana.client.post("/contacts/views", data={"name": " ", "f": "city.is.Paris"})
    assert (refused.status_code, "Give the view a name." in refused.text) == (422, True)
    assert "city.is.Paris" in refused.text, "nothing is lost"
    view = db.session.query(ContactView).filter(ContactView.name != "").one()
    assert view.user_id == dana.user_id
    dana.client.post(f"/contacts/views/{view.id}/delete")
    assert shown() == ["Ann", "Bea", "Cid"]


def test_a_filter_that_asks_for_what_is_gone_holds_for_nobody_and_can_be_taken_away(
    dana: Any, people: dict[str, str], shown: Shown
) -> None:
    """A tag, a word of a list or a field that was deleted; whatever it is asked of, and however the list is ordered."""
    view = dana.client.post("/contacts/views", data={"name": "Big", "f": f"{people['size']}.above.9"}).location
    dana.client.post(f"/settings/tags/{people['vip']}/delete")
    custom_fields.delete(db.session.get_one(CustomField, uuid.UUID(people["size"].removeprefix("x-"))))
    db.session.commit()
    for asked in (f"tags.not.{people['vip']}", "lead_stage.not.Emperor", f"owner.not.{uuid.uuid4()}"):
        for sort in ("name", "stage", "-changed"):
            assert shown(asked, "city.is.Paris", sort=sort) == [], (asked, sort)
        assert shown(asked, q="a") == [], asked
    for address, label in ((view, "A field"), (f"/contacts?f=tags.is.{people['vip']}", "Tags")):
        page = dana.client.get(address).text
        chip = re.search(r'<a class="chip on" href="([^"]+)">(.+?) <b dir="auto">asks for what was deleted</b>', page)
        assert chip, address
        assert (chip[2], "Nobody fits these filters" in page) == (label, True)
        assert "Ann" in dana.client.get(html.unescape(chip[1])).text


def test_a_view_asks_for_a_word_of_a_list_by_its_new_name(dana: Any, people: dict[str, str]) -> None:
    filters = ["lead_stage.is.Lead", "city.is.Lead", "lead_stage.not.Customer"]
    dana.client.post("/contacts/views", data={"name": "Leads", "f": filters, "sort": "name"})
    word = next(one for one in lists.words_of(dana.workspace_id, WordKind.STAGE) if one.name == "Lead")
    dana.client.post(f"/settings/lists/{word.id}", data={f"{word.id}-name": "Likely"})
    db.session.rollback()
    view = db.session.query(ContactView).filter(ContactView.name != "").one()
    assert [value for name, value in view.address if name == "f"] == ["lead_stage.is.Likely", *filters[1:]]


def test_a_view_that_is_saved_from_a_view_keeps_the_columns_that_are_shown(dana: Any, people: dict[str, str]) -> None:
    dana.client.post("/contacts/columns", data={"add": "city"})
    first = dana.client.post("/contacts/views", data={"name": "With city", "f": "city.filled"}).location
    dana.client.post("/contacts/columns", data={"remove": "city"})
    page = dana.client.get(first).text
    form = page.partition('action="/contacts/views"')[2].partition("</form>")[0]
    sent = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    second = dana.client.post("/contacts/views", data={**sent, "name": "Copy"}).location
    assert second != first
    assert ">Paris<" in dana.client.get(second).text
    assert ">Paris<" not in dana.client.get("/contacts").text


def test_a_page_is_as_long_as_asked(dana: Any, shown: Shown) -> None:
    many.create_many(dana.workspace_id, [{"contact_id": f"{i:03}"} for i in range(60)], "Dana")
    db.session.commit()
    assert [len(shown(n=n)) for n in ("25", "50", "100", "7", str(uuid.uuid4()))] == [25, 50, 60, 50, 50]
