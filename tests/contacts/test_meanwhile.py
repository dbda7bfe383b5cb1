"""Two people on one contact: nothing is overwritten silently, and what only one of them changed stays."""

import html
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

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
    theirs = {"city": "Lyon", "tags": "Renewal", "subscribe_sms": "", "notes": "One\r\nTwo"}
    form = typed(dana.client, f"{allen}/edit", **theirs)
    del form["subscribe_sms"]
    save(dana, f"{allen}/edit", form)
    status, page = save(dana, f"{allen}/edit", mine)
    assert (status, choices(page)) == (409, {})
    assert all(f"{label} stays as they saved it" in page for label in ("City", "Tags", "Notes", "Subscribe SMS"))
    shown = {"version": version(page), **theirs}
    del shown["subscribe_sms"], mine["subscribe_sms"]  # as the page now shows them
    assert save(dana, f"{allen}/edit", mine | shown)[0] == 303
    one = contact()
    assert (one.first_name, one.city, one.subscribe_sms, one.notes) == ("Al", "Lyon", False, "One\nTwo")
    assert [tag.name for tag in one.tags] == ["Renewal"]


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
    assert 'name="add" value="VIP"' in dana.client.get(f"{allen}/tags?add=V", headers=HTMX).text
    assert "VIP" not in dana.client.get(f"{allen}/tags?add=x", headers=HTMX).text
    assert len(events(dana.workspace_id)) == 3
    for headers in (HTMX, {}):
        refused = dana.client.post(f"{allen}/tags", data={"add": "x" * 51}, headers=headers)
        assert (refused.status_code, "A tag has at most 50 characters" in refused.text) == (422, True)
