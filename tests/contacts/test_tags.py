"""Tags: made by naming them, changed on a page of their own, without a word to webhooks."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.audit import AuditEntry
from portal.contacts import tagging
from portal.contacts.models import Contact, Tag
from portal.extensions import db
from portal.webhooks.models import Event

Events = Callable[[uuid.UUID], list[Event]]


@pytest.fixture
def vip(dana: Any) -> uuid.UUID:
    """The id of a tag that a contact carries."""
    dana.client.post("/contacts/new", data={"email": "a@example.com", "tags": "VIP"})
    tag_id = db.session.scalars(select(Tag.id)).one()
    db.session.rollback()
    return tag_id


def tags() -> dict[str, str]:
    db.session.rollback()
    return {tag.name: tag.color for tag in db.session.scalars(select(Tag))}


def test_unknown_names_become_tags_in_calm_colours(dana: Any, vip: uuid.UUID) -> None:
    dana.client.post("/contacts/new", data={"email": "b@example.com", "tags": "vip, Renewal,, renewal"})
    assert tags() == {"VIP": tagging.PALETTE[0], "Renewal": tagging.PALETTE[1]}
    second = db.session.scalars(select(Contact).where(Contact.email == "b@example.com")).one()
    assert [tag.name for tag in second.tags] == ["Renewal", "VIP"]


def test_the_form_suggests_the_tags_that_there_are(dana: Any, vip: uuid.UUID) -> None:
    assert '<option value="VIP">' in dana.client.get("/contacts/new").text
    dana.client.post("/settings/tags", data={"new-name": "Beta", "new-color": "#123456"})
    contact = db.session.scalars(select(Contact.id)).one()
    page = dana.client.get(f"/contacts/{contact}/edit").text
    assert '<option value="VIP, Beta">' in page
    assert '<option value="VIP">' not in page


def test_a_tag_is_renamed_and_recoloured_without_an_event(dana: Any, vip: uuid.UUID, events: Events) -> None:
    before = db.session.scalars(select(Contact.changed_at)).one()
    form = {f"{vip}-name": "Very important", f"{vip}-color": "#abcdef"}
    assert dana.client.post(f"/settings/tags/{vip}", data=form).status_code == 303
    assert tags() == {"Very important": "#ABCDEF"}
    assert len(events(dana.workspace_id)) == 1
    assert db.session.scalars(select(Contact.changed_at)).one() == before


def test_a_tag_is_deleted_from_its_contacts_without_an_event(dana: Any, vip: uuid.UUID, events: Events) -> None:
    assert "It is taken off 1 contact. That sends no events." in dana.client.get("/settings/tags").text
    assert dana.client.post(f"/settings/tags/{vip}/delete").status_code == 303
    assert tags() == {}
    assert len(events(dana.workspace_id)) == 1
    assert db.session.scalars(select(Contact)).one().tags == []


def test_a_tag_may_change_the_case_of_its_own_name(dana: Any, vip: uuid.UUID) -> None:
    dana.client.post(f"/settings/tags/{vip}", data={f"{vip}-name": "vip", f"{vip}-color": "#123456"})
    assert tags() == {"vip": "#123456"}


@pytest.mark.parametrize(
    ("name", "color", "message"),
    [
        ("", "#123456", "Give the tag a name."),
        ("vIp", "#123456", "There is a tag with this name already."),
        ("a, b", "#123456", "A tag’s name has no comma: commas part tags from each other."),
        ("x" * 51, "#123456", "Name is too long: 51 characters, at most 50."),
        ("Beta", "red", "Choose a colour, written as #RRGGBB."),
        ("Beta", "", "Choose a colour, written as #RRGGBB."),
    ],
)
def test_bad_tags_are_refused(dana: Any, vip: uuid.UUID, name: str, color: str, message: str) -> None:
    dana.client.post("/settings/tags", data={"new-name": "Other", "new-color": "#000000"})
    other = db.session.scalars(select(Tag.id).where(Tag.name == "Other")).one()
    for address, prefix in (("/settings/tags", "new"), (f"/settings/tags/{other}", other)):
        page = dana.client.post(address, data={f"{prefix}-name": name, f"{prefix}-color": color})
        assert page.status_code == 422
        assert page.text.count(message) == 2
    assert tags() == {"VIP": tagging.PALETTE[0], "Other": "#000000"}


def test_anothers_tags_are_missing(dana: Any, stranger: Any, vip: uuid.UUID) -> None:
    for address in (f"/settings/tags/{vip}", f"/settings/tags/{vip}/delete"):
        assert stranger.client.post(address, data={f"{vip}-name": "Mine", f"{vip}-color": "#000000"}).status_code == 404
    assert "VIP" not in stranger.client.get("/settings/tags").text
    stranger.client.post("/settings/tags", data={"new-name": "VIP", "new-color": "#000000"})
    assert len(db.session.scalars(select(Tag.name)).all()) == 2


def test_many_who_name_one_new_tag_at_once_make_one(app: Flask, dana: Any) -> None:
    def name(_: int) -> uuid.UUID:
        with app.app_context():
            tag_id = tagging.named(dana.workspace_id, ["New"])[0].id
            db.session.commit()
            return tag_id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(name, range(12)))) == 1


def test_what_is_done_to_tags_is_written_down(dana: Any) -> None:
    dana.client.post("/settings/tags", data={"new-name": "Beta", "new-color": "#123456"})
    tag = db.session.scalars(select(Tag.id)).one()
    dana.client.post(f"/settings/tags/{tag}", data={f"{tag}-name": "Gamma", f"{tag}-color": "#123456"})
    dana.client.post(f"/settings/tags/{tag}/delete")
    mine = select(AuditEntry).where(AuditEntry.subject_id == tag).order_by(AuditEntry.at)
    told = [(one.action, one.label, one.changes.get("Name")) for one in db.session.scalars(mine)]
    assert told == [
        ("added a tag", "Beta", [None, "Beta"]),
        ("changed a tag", "Gamma", ["Beta", "Gamma"]),
        ("deleted a tag", "Gamma", ["Gamma", None]),
    ]
