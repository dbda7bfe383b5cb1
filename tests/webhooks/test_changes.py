"""What an event says about its contacts: old and new, then and now, in people's words."""

import json
import uuid
from typing import Any

import pytest

from portal.contacts.present import SOURCE
from portal.webhooks import changes
from portal.webhooks.changes import Story, Tag, Value, stories
from portal.webhooks.models import Event, EventType, Subject

ALLEN, PRIYA = uuid.uuid4(), uuid.uuid4()


def event(kind: EventType = EventType.UPDATED, body: Any = None, **changed: list[Any]) -> Event:
    made = Event(type=kind, body=body if isinstance(body, bytes) else json.dumps(body).encode(), actor="Jon Park")
    made.subjects = [Subject(contact_id=ALLEN, label="Allen Ji", changes=changed)]
    return made


def sent(**values: Any) -> dict[str, Any]:
    return {"event": "ContactUpdated", "contacts": [{"id": str(ALLEN), **values}]}


def story(made: Event, now: dict[str, Any] | None = None) -> Story:
    return stories(made, {ALLEN: {"id": str(ALLEN), **now}} if now is not None else {}, SOURCE.labels)[0]


def rows(some: tuple[changes.Row, ...]) -> dict[str, tuple[str, str]]:
    return {row.label: (row.left.text, row.right.text) for row in some}


def test_fields_are_called_as_in_the_forms_and_values_are_plain() -> None:
    made = event(leadStage=["Lead", "Customer"], subscribeSMS=[True, False], city=["Porto", ""], owner=["a", "b"],
                 ownerName=[None, "Jon"], createdTime=["0", "1795577518000"],
                 customFields=[[], [{"a": 1}]])  # fmt: skip
    assert rows(story(made).changed) == {
        "Lead stage": ("Lead", "Customer"),
        "Subscribe SMS": ("on", "off"),
        "City": ("Porto", ""),
        "Owner": ("", "Jon"),
        "Created": ("1 Jan 1970, 00:00:00 UTC", "25 Nov 2026, 03:31:58 UTC"),
        "Custom fields": ("", '[{"a": 1}]'),
    }


def test_an_owner_without_a_name_is_still_told() -> None:
    assert rows(story(event(owner=[None, "4711"])).changed) == {"Owner's id": ("", "4711")}


def test_tags_say_which_came_and_which_went() -> None:
    kept, gone, new = ({"id": n, "name": f"Tag {n}", "color": "#000000"} for n in "123")
    row = story(event(tags=[[kept, gone], [kept, new]])).changed[0]
    assert row.left == Value(tags=(Tag("Tag 1"), Tag("Tag 2", "removed")))
    assert row.right == Value(tags=(Tag("Tag 1"), Tag("Tag 3", "added")))
    assert story(event(tags=[None, [new]])).changed[0].left == Value()


def test_a_creation_tells_what_the_contact_was_created_with() -> None:
    body = sent(firstName="Allen", lastName=None, jobTitle="", tags=[{"id": "1", "name": "VIP"}], customFields=[])
    made = story(event(EventType.CREATED, body), {"firstName": "Allen"})
    assert [row.label for row in made.changed] == ["First name", "Tags"]


def test_then_and_now_are_held_beside_each_other() -> None:
    made = story(event(body=sent(firstName="Allen", city=None, jobTitle="CTO")), {"firstName": "Al", "city": ""})
    assert rows(made.differs) == {"First name": ("Allen", "Al"), "Job title": ("CTO", "")}
    assert rows(made.same) == {}
    same = story(event(body=sent(firstName="Allen")), {"firstName": "Allen"})
    assert (rows(same.same), same.differs, same.is_gone) == ({"First name": ("Allen", "Allen")}, (), False)


def test_of_a_deleted_contact_there_is_what_was_sent() -> None:
    made = story(event(body=sent(firstName="Allen")))
    assert (made.is_gone, rows(made.same)) == (True, {"First name": ("Allen", "")})
    assert story(event(EventType.DELETED, {"ids": [str(ALLEN)]})).is_gone


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"contacts":3}', b'{"contacts":["x",{}]}', b"[" * 99_999])
def test_a_body_that_says_nothing_about_contacts_is_no_trouble(body: bytes) -> None:
    made = story(event(body=body, city=["a", "b"]), {"city": "b"})
    assert (rows(made.changed), made.differs, made.same) == ({"City": ("a", "b")}, (), ())


def test_each_contact_of_a_batch_is_told_apart_and_only_so_many() -> None:
    made = event(body={"contacts": [{"id": str(ALLEN), "city": "Porto"}, {"id": str(PRIYA), "city": "Pune"}]})
    made.subjects.append(Subject(contact_id=PRIYA, label="Priya", changes={"city": ["x", "Pune"]}))
    made.subjects += [Subject(contact_id=uuid.uuid4(), label=f"{n}", changes={}) for n in range(500)]
    told = stories(made, {ALLEN: {"city": "Porto"}, PRIYA: {"city": "Delhi"}}, SOURCE.labels)
    assert len(told) == changes.SUBJECTS
    assert [rows(one.differs) for one in told[:2]] == [{}, {"City": ("Pune", "Delhi")}]


def test_long_texts_are_folded_and_cut() -> None:
    value = Value("word " * 10_000)
    assert value.is_long
    assert len(value.beginning) <= changes.LONG
    assert len(value.shown) == changes.LONGEST
    assert not Value("x" * changes.LONG).is_long
    assert len(Value("x" * 200).beginning) == changes.LONG
