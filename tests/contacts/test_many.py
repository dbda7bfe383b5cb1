"""Many contacts at once: as if each were changed by itself, and told in groups."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.contacts import many, service, tagging
from portal.contacts.models import Contact, Tag
from portal.extensions import db
from portal.webhooks.models import Event
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

Events = Callable[[uuid.UUID], list[Event]]


@pytest.fixture
def ids(dana: Any) -> list[uuid.UUID]:
    """Three contacts of whom one has no city, and a webhook that takes two at a time."""
    make_webhook(dana.workspace_id, contacts_per_request=2)
    rows = [{"first_name": "Al", "city": "Paris", "tags": ["VIP"]}, {"email": "b@x.example"}, {"contact_id": "7"}]
    made = many.create_many(dana.workspace_id, rows, "Dana")
    db.session.commit()
    return [one.id for one in made if one]


def test_many_are_made_as_one_is(dana: Any, ids: list[uuid.UUID], events: Events) -> None:
    alone = service.create(dana.workspace_id, {"first_name": "Al", "city": "Paris", "tags": ["vip"]}, "Dana")
    db.session.commit()
    *together, single = [json.loads(event.body) for event in events(dana.workspace_id)]
    assert [len(body["contacts"]) for body in together] == [2, 1]
    differ = ("id", "contactId", "createdTime")
    first, last = ({key: value for key, value in body["contacts"][0].items() if key not in differ}
                   for body in (together[0], single))  # fmt: skip
    assert first == last
    stored = db.session.get_one(Contact, ids[0])
    for column in Contact.__table__.columns:
        if column.name not in ("id", "contact_id", "created_time", "changed_at", "search_text"):
            assert getattr(stored, column.name) == getattr(alone, column.name), column.name


def test_a_contact_id_that_is_taken_is_told_and_the_others_are_made(dana: Any, ids: list[uuid.UUID]) -> None:
    rows = [{"contact_id": "7"}, {"contact_id": "8"}, {"contact_id": "8"}, {"email": "c@x.example"}]
    made = many.create_many(dana.workspace_id, rows, "Dana")
    assert [one is not None for one in made] == [False, True, False, True]
    assert len(list(db.session.scalars(select(Contact)))) == len(ids) + 2


def test_only_what_really_differs_is_written_and_told(
    dana: Any, stranger: Any, ids: list[uuid.UUID], events: Events
) -> None:
    theirs = service.create(stranger.workspace_id, {"city": "Oslo"}, "Sam").id
    db.session.commit()
    told, missing = len(events(dana.workspace_id)), uuid.uuid4()
    outcome = many.update_many(dana.workspace_id, [*ids, missing, theirs], lambda _: {"city": "", "notes": ""}, "Jon")
    db.session.commit()
    assert (outcome.changed, sorted(outcome.unchanged)) == (ids[:1], sorted(ids[1:]))
    assert sorted(outcome.gone) == sorted([missing, theirs])
    [event] = events(dana.workspace_id)[told:]
    assert event.subjects[0].changes == {"city": ["Paris", ""]}
    cities = {key: db.session.get_one(Contact, key).city for key in [*ids, theirs]}
    assert cities == {ids[0]: "", ids[1]: None, ids[2]: None, theirs: "Oslo"}, "null never becomes a blank"


def test_each_is_revised_as_it_is_now(dana: Any, ids: list[uuid.UUID], events: Events) -> None:
    def add_tag(contact: Contact) -> dict[str, Any]:
        return {"tags": [*(tag.name for tag in contact.tags), "vip", "New"]}

    assert len(many.update_many(dana.workspace_id, ids, add_tag, "Jon").changed) == 3
    db.session.commit()
    tags = [[tag.name for tag in db.session.get_one(Contact, key).tags] for key in ids]
    assert tags == [["New", "VIP"]] * 3
    assert many.update_many(dana.workspace_id, ids, add_tag, "Jon").changed == []
    assert [len(event.subjects) for event in events(dana.workspace_id)[-2:]] == [2, 1]


def test_two_tags_that_are_one_by_now_come_back_as_one(dana: Any) -> None:
    """One was deleted and the other got its name while the contact was in the trash."""
    made = service.create(dana.workspace_id, {"contact_id": "9", "tags": ["Old", "New"]}, "Dana").id
    db.session.commit()
    service.delete(dana.workspace_id, made, "Dana")
    old, new = (db.session.scalars(select(Tag).where(Tag.name == name)).one() for name in ("Old", "New"))
    tagging.delete(old)
    tagging.change(new, "Old", new.color)
    db.session.commit()
    assert many.restore_many(dana.workspace_id, [made], "Dana").changed == [made]
    db.session.commit()
    assert [tag.name for tag in db.session.get_one(Contact, made).tags] == ["Old"]


def test_many_are_deleted_and_what_is_gone_is_told(dana: Any, ids: list[uuid.UUID], events: Events) -> None:
    missing = uuid.uuid4()
    outcome = many.delete_many(dana.workspace_id, [*ids, missing], "Dana")
    db.session.commit()
    assert (sorted(outcome.changed), outcome.gone) == (sorted(ids), [missing])
    bodies = [json.loads(event.body) for event in events(dana.workspace_id)[-2:]]
    assert sorted(key for body in bodies for key in body["ids"]) == sorted(map(str, ids))
    assert not list(db.session.scalars(select(Contact)))
