"""Two people on one contact: nothing is overwritten silently, and what only one of them changed stays."""

import html
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.contacts import custom_fields, service
from portal.contacts.field_models import FieldType
from portal.contacts.models import Contact
from portal.extensions import db
from portal.webhooks.models import Event

Typed = Callable[..., dict[str, str]]
Events = Callable[[uuid.UUID], list[Event]]
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def allen(dana: Any) -> str:
    """The address of a contact."""
    form = {
        "first_name": "Allen",
        "email": "allen@acme.example",
        "city": "Paris",
        "company_name": "Acme",
        "tags": "VIP",
    }
    return str(dana.client.post("/contacts/new", data=form).location)


def contact() -> Contact:
    db.session.rollback()
    return db.session.scalars(select(Contact)).one()


def save(dana: Any, address: str, form: dict[str, str]) -> tuple[int, str]:
    answer = dana.client.post(address, data=form)
    return answer.status_code, html.unescape(answer.text)


def choices(page: str) -> dict[str, dict[str, str]]:
    """The values of the choices that a page asks for, by field."""
    found = re.findall(r'type="radio" name="(keep-\w+)" value="((\w+) \w+)"', page)
    return {name: {side: value for one, value, side in found if one == name} for name, _, _ in found}


def version(page: str) -> str:
    return re.findall(r'name="version" value="(.*?)">', page)[0]


def test_what_both_changed_is_shown_and_chosen_and_the_rest_stays_as_each_saved_it(
    dana: Any, allen: str, typed: Typed, events: Events
) -> None:
    mine = typed(dana.client, f"{allen}/edit", city="Nice", job_title="CEO", company_name="Acme Ltd")
    theirs = typed(dana.client, f"{allen}/edit", city="Lyon", language="French", company_name="Acme SA")
    assert save(dana, f"{allen}/edit", theirs)[0] == 303
    status, page = save(dana, f"{allen}/edit", mine)
    assert status == 409
    assert "Dana Whitfield saved Allen while you were editing." in page
    assert "Language stays as they saved it: <q>French</q>" in page
    assert (page.count("Theirs: <q>Lyon</q>"), page.count("Yours: <q>Nice</q>")) == (1, 1)
    assert list(choices(page)) == ["keep-company_name", "keep-city"]
    assert 'value="French"' in page
    assert 'value="Nice"' in page
    assert contact().city == "Lyon"

    again = mine | {"version": version(page), "language": "French"}
    assert save(dana, f"{allen}/edit", again)[0] == 409  # nothing was chosen
    chosen = {"keep-city": choices(page)["keep-city"]["yours"]}
    assert save(dana, f"{allen}/edit", again | chosen)[0] == 409  # one of two
    chosen["keep-company_name"] = choices(page)["keep-company_name"]["theirs"]
    assert save(dana, f"{allen}/edit", again | chosen)[0] == 303
    one = contact()
    assert (one.city, one.company_name, one.job_title, one.language) == ("Nice", "Acme SA", "CEO", "French")
    assert list(events(dana.workspace_id)[-1].subjects[0].changes) == ["jobTitle", "city"]


def test_a_choice_is_about_what_was_shown(dana: Any, allen: str, typed: Typed) -> None:
    mine = typed(dana.client, f"{allen}/edit", city="Nice")
    save(dana, f"{allen}/edit", typed(dana.client, f"{allen}/edit", city="Lyon"))
    _, page = save(dana, f"{allen}/edit", mine)
    save(dana, f"{allen}/edit", typed(dana.client, f"{allen}/edit", city="Metz"))
    chosen = {"version": version(page), "keep-city": choices(page)["keep-city"]["yours"]}
    status, page = save(dana, f"{allen}/edit", mine | chosen)
    assert (status, "Theirs: <q>Metz</q>" in page, contact().city) == (409, True, "Metz")
    chosen = {"version": version(page), "keep-city": choices(page)["keep-city"]["yours"]}
    assert save(dana, f"{allen}/edit", mine | chosen)[0] == 303
    assert contact().city == "Nice"


def test_who_changed_something_else_is_told_once_and_loses_nothing(dana: Any, allen: str, typed: Typed) -> None:
    mine = typed(dana.client, f"{allen}/edit", first_name="Al")
    theirs = {"city": "Lyon", "tags": "Renewal", "notes": "One\r\nTwo"}
    save(dana, f"{allen}/edit", typed(dana.client, f"{allen}/edit", **theirs) | {"subscribe_sms": "y"})
    status, page = save(dana, f"{allen}/edit", mine)
    assert (status, choices(page)) == (409, {})
    assert all(f"{label} stays as they saved it" in page for label in ("City", "Tags", "Notes", "Subscribe SMS"))
    shown = {"version": version(page), "subscribe_sms": "y", **theirs}  # as the page now shows them
    assert save(dana, f"{allen}/edit", mine | shown)[0] == 303
    one = contact()
    assert (one.first_name, one.city, one.subscribe_sms, one.notes) == ("Al", "Lyon", True, "One\nTwo")
    assert [tag.name for tag in one.tags] == ["Renewal"]


def test_a_field_that_was_added_while_a_form_was_open_is_not_cleared_by_it(dana: Any, allen: str, typed: Typed) -> None:
    """A form sends nothing of it, as of a box without a tick; sent again after a refusal it asks for it, too."""
    mine, wrong = (typed(dana.client, f"{allen}/edit", city=city) for city in ("Nice", "Lyon"))
    box = custom_fields.add(dana.workspace_id, {"name": "Box", "type": FieldType.CHECKBOX})
    likes = custom_fields.add(dana.workspace_id, {"name": "Likes", "type": FieldType.CHOICES, "options": ["Tea"]})
    db.session.commit()
    said = {str(box.id): True, str(likes.id): ["Tea"]}
    service.update(dana.workspace_id, contact().id, {"custom_fields": said}, "Jon")
    db.session.commit()
    assert save(dana, f"{allen}/edit", mine)[0] == 303
    assert (contact().city, contact().custom_fields) == ("Nice", said)
    status, page = save(dana, f"{allen}/edit", wrong | {"email": "none", "version": mine["version"]})
    assert (status, len(re.findall(r'name="field_\w+" value="\w+" checked', page))) == (422, 2)
    again = {**wrong, "city": "Nice", "version": version(page), f"field_{likes.id.hex}": "Tea"}
    assert save(dana, f"{allen}/edit", again)[0] == 303, "the box was seen, and its tick taken away"
    assert contact().custom_fields == {str(likes.id): ["Tea"]}


def test_both_who_typed_the_same_and_who_edit_other_groups_do_not_meet(dana: Any, allen: str, typed: Typed) -> None:
    mine = typed(dana.client, f"{allen}/edit", city="Lyon")
    company = typed(dana.client, f"{allen}/group?of=company", company_name="Acme SA")
    save(dana, f"{allen}/edit", typed(dana.client, f"{allen}/edit", city="Lyon"))
    assert save(dana, f"{allen}/group", company)[0] == 303
    assert save(dana, f"{allen}/edit", mine | {"version": "no version", "company_name": "Acme SA"})[0] == 303
    assert (contact().city, contact().company_name) == ("Lyon", "Acme SA")


def test_a_group_is_edited_in_place_and_meets_whoever_edits_the_same(dana: Any, allen: str, typed: Typed) -> None:
    opened = dana.client.get(f"{allen}/group?of=address", headers=HTMX).text
    assert "<html" not in opened
    assert re.findall(r'name="(\w+)"', opened) == [
        "csrf_token", "of", "version", "street", "city", "zip_code", "province", "country_region",
    ]  # fmt: skip
    mine = typed(dana.client, f"{allen}/group?of=address", city="Nice", zip_code="06000")
    save(dana, f"{allen}/edit", typed(dana.client, f"{allen}/edit", city="Lyon", first_name="Al"))
    answer = dana.client.post(f"{allen}/group", data=mine, headers=HTMX)
    page = html.unescape(answer.text)
    assert (answer.status_code, "<html" in page, list(choices(page))) == (409, False, ["keep-city"])
    chosen = {"version": version(page), "keep-city": choices(page)["keep-city"]["theirs"]}
    done = dana.client.post(f"{allen}/group", data=mine | chosen, headers=HTMX)
    assert done.status_code == 200
    assert "06000" in done.text
    assert 'id="timeline" hx-swap-oob="true"' in done.text
    assert 'id="head" hx-swap-oob="true"' in done.text
    assert (contact().city, contact().zip_code, contact().first_name) == ("Lyon", "06000", "Al")


def test_a_group_that_is_wrong_keeps_what_was_typed(dana: Any, allen: str, typed: Typed) -> None:
    form = typed(dana.client, f"{allen}/group?of=contact", email="no address", first_name="Kept")
    for headers in (HTMX, {}):
        answer = dana.client.post(f"{allen}/group", data=form, headers=headers)
        assert (answer.status_code, "<html" in answer.text) == (422, not headers)
        assert 'value="Kept"' in answer.text
        assert re.findall(r'class="invalid-feedback" id="(\w+)-e"', answer.text) == ["email"]
    assert dana.client.get(f"{allen}/group?of=nothing").status_code == 404
    assert dana.client.get(f"{allen}/group?of=own").status_code == 404  # there are no fields of that kind


def test_notes_are_edited_apart_and_stay_null_when_blank(dana: Any, allen: str, typed: Typed, events: Events) -> None:
    save(dana, f"{allen}/group", typed(dana.client, f"{allen}/group?of=notes", notes="Likes tea"))
    assert contact().notes == "Likes tea"
    save(dana, f"{allen}/group", typed(dana.client, f"{allen}/group?of=notes", notes=" "))
    assert (contact().notes, contact().job_title) == (None, None)
    assert len(events(dana.workspace_id)) == 3


def test_tags_come_and_go_one_by_one(dana: Any, allen: str, events: Events) -> None:
    found = dana.client.get(f"{allen}/tags?add=v", headers=HTMX).text
    assert "No other tag of that name: Add makes it." in found
    done = dana.client.post(f"{allen}/tags", data={"add": "Beta, vip"}, headers=HTMX)
    assert [tag.name for tag in contact().tags] == ["Beta", "VIP"]
    assert 'aria-label="Remove tag Beta"' in done.text
    vip = next(str(tag.id) for tag in contact().tags if tag.name == "VIP")
    assert dana.client.post(f"{allen}/tags", data={"remove": vip}).status_code == 303
    assert [tag.name for tag in contact().tags] == ["Beta"]
    assert 'name="pick" value="VIP"' in dana.client.get(f"{allen}/tags?add=V", headers=HTMX).text
    assert "VIP" not in dana.client.get(f"{allen}/tags?add=x", headers=HTMX).text
    dana.client.post(f"{allen}/tags", data={"add": "v", "pick": "VIP"})
    assert [tag.name for tag in contact().tags] == ["Beta", "VIP"]
    assert len(events(dana.workspace_id)) == 4
    for headers in (HTMX, {}):
        refused = dana.client.post(f"{allen}/tags", data={"add": "x" * 51}, headers=headers)
        assert (refused.status_code, "A tag has at most 50 characters" in refused.text) == (422, True)
