"""Custom fields and the lists: one change of a definition, no flood of events, and both databases can filter."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from portal.contacts import custom_fields, lists, service
from portal.contacts.field_models import CustomField, FieldType, WordKind
from portal.contacts.models import Contact
from portal.contacts.ordering import move
from portal.contacts.timeline import Change, changes
from portal.extensions import db
from portal.webhooks.models import Event

Events = Callable[[uuid.UUID], list[Event]]
Bodies = Callable[[uuid.UUID], list[dict[str, Any]]]


def add(workspace_id: uuid.UUID, name: str, kind: FieldType, **facts: Any) -> CustomField:
    return custom_fields.add(workspace_id, {"name": name, "type": kind, **facts})


@pytest.fixture
def fields(dana: Any) -> dict[str, CustomField]:
    """Of four types, by name."""
    kinds = {"Score": FieldType.NUMBER, "Plan": FieldType.CHOICES, "Since": FieldType.DATE, "Beta": FieldType.CHECKBOX}
    return {name: add(dana.workspace_id, name, kind, options=["Blue", "É"]) for name, kind in kinds.items()}


def filled(fields: dict[str, CustomField], **values: Any) -> dict[str, Any]:
    return {"custom_fields": {fields[name].id: value for name, value in values.items()}}


def test_events_carry_values_by_the_names_of_now_and_tell_what_changed(
    dana: Any, fields: dict[str, CustomField], bodies: Bodies, events: Events
) -> None:
    key = dana.workspace_id
    first = filled(fields, Plan=["Blue", "É"], Score=0, Beta=True, Since=None)
    first["custom_fields"][uuid.uuid4()] = "of no field"
    contact = service.create(key, {"email": "a@example.com", **first}, "Dana")
    same = filled(fields, Plan=["Blue", "É"], Beta=True, Since="")
    assert not service.update(key, contact.id, same, "Dana")
    custom_fields.change(fields["Score"], {"name": "Points"})
    assert service.update(key, contact.id, filled(fields, Score=7.5, Beta=None), "Dana")
    db.session.commit()
    created, updated = (body["contacts"][0]["customFields"] for body in bodies(key))
    assert [(one["name"], one["type"], one["value"]) for one in created] == [
        ("Score", "number", 0), ("Plan", "choices", ["Blue", "É"]), ("Beta", "checkbox", True),
    ]  # fmt: skip
    assert [(one["id"], one["name"], one["value"]) for one in updated] == [
        (str(fields["Score"].id), "Points", 7.5), (str(fields["Plan"].id), "Plan", ["Blue", "É"]),
    ]  # fmt: skip
    (subject,) = events(key)[1].subjects
    assert list(subject.changes) == ["customFields"]
    assert list(changes(subject.changes)) == [Change("changed Points", "0", "7.5"), Change("changed Beta", "on", "")]


def test_both_databases_filter_and_sort_by_values(dana: Any, fields: dict[str, CustomField]) -> None:
    rows = {
        "a": {"Score": 9, "Since": "2024-01-31", "Plan": ["É"]},
        "b": {"Score": 10.5, "Since": "2023-12-01", "Plan": ["Blue"], "Beta": True},
        "c": {},
    }
    for number, values in rows.items():
        service.create(dana.workspace_id, {"contact_id": number, **filled(fields, **values)}, "Dana")
    score, since, beta = (custom_fields.column_of(fields[name]) for name in ("Score", "Since", "Beta"))
    for condition, expected in [
        (score > 9.5, ["b"]), (score == 9, ["a"]), (since < "2024", ["b"]), (since.is_(None), ["c"]), (beta, ["b"]),
        (custom_fields.has_chosen(fields["Plan"], "É"), ["a"]), (custom_fields.has_chosen(fields["Plan"], "Bl"), []),
    ]:  # fmt: skip
        assert db.session.scalars(select(Contact.contact_id).where(condition)).all() == expected, condition
    ordered = select(Contact.contact_id).where(score.is_not(None)).order_by(score)
    assert db.session.scalars(ordered).all() == ["a", "b"]
    assert [custom_fields.uses(dana.workspace_id)[one.id] for one in fields.values()] == [2, 2, 2, 1]


def test_a_deleted_field_is_taken_off_its_contacts_without_an_event(
    dana: Any, stranger: Any, fields: dict[str, CustomField], events: Events, bodies: Bodies
) -> None:
    contact = service.create(dana.workspace_id, {"contact_id": "1", **filled(fields, Score=1, Beta=True)}, "Dana")
    changed_at = contact.changed_at
    custom_fields.delete(fields["Score"])
    db.session.commit()
    assert db.session.get_one(Contact, contact.id).custom_fields == {str(fields["Beta"].id): True}
    assert contact.changed_at == changed_at
    assert len(events(dana.workspace_id)) == 1
    service.update(dana.workspace_id, contact.id, {"city": "Porto"}, "Dana")
    db.session.commit()
    assert list(events(dana.workspace_id)[1].subjects[0].changes) == ["city"]
    assert [one["name"] for one in bodies(dana.workspace_id)[1]["contacts"][0]["customFields"]] == ["Beta"]


def test_names_are_unique_in_a_workspace_and_rows_keep_their_order(dana: Any, stranger: Any, fields: Any) -> None:
    add(stranger.workspace_id, "Score", FieldType.TEXT)
    with pytest.raises(custom_fields.NameTaken):
        add(dana.workspace_id, "sCORE", FieldType.TEXT)
    with pytest.raises(custom_fields.NameTaken):
        custom_fields.change(fields["Plan"], {"name": "BETA"})
    custom_fields.change(fields["Plan"], {"name": "PLAN"})

    def order() -> list[str]:
        db.session.flush()
        return [one.name for one in custom_fields.fields_of(dana.workspace_id)]

    assert order() == ["Score", "PLAN", "Since", "Beta"]
    unmoved = ["Score", "Since", "PLAN", "Beta"]
    for row, steps, expected in [
        ("Plan", 1, unmoved),
        ("Beta", 1, unmoved),
        ("Score", -1, unmoved),
        ("Beta", -1, ["Score", "Since", "Beta", "PLAN"]),
    ]:
        move(custom_fields.fields_of(dana.workspace_id), fields[row], steps)
        assert order() == expected


def test_a_renamed_stage_is_renamed_on_its_contacts_without_an_event(
    dana: Any, stranger: Any, events: Events, bodies: Bodies
) -> None:
    mine, other = (service.create(one.workspace_id, {"contact_id": "1"}, "Dana").id for one in (dana, stranger))
    word = next(one for one in lists.words_of(dana.workspace_id, WordKind.STAGE) if one.name == "Contact")
    with pytest.raises(lists.WordTaken):
        lists.rename(word, "cusTOMER")
    lists.rename(word, "Known")
    db.session.commit()
    assert len(events(dana.workspace_id)) == 1
    service.update(dana.workspace_id, mine, {"city": "Porto"}, "Dana")
    newcomer = service.create(dana.workspace_id, {"contact_id": "2"}, "Dana")
    assert (newcomer.lead_stage, newcomer.priority) == ("Known", "Medium")
    assert db.session.get_one(Contact, other).lead_stage == "Contact"
    db.session.commit()
    assert list(events(dana.workspace_id)[1].subjects[0].changes) == ["city"]
    assert bodies(dana.workspace_id)[1]["contacts"][0]["leadStage"] == "Known"


def test_a_stage_in_use_is_deleted_for_another_one_only(dana: Any, events: Events) -> None:
    contact = service.create(dana.workspace_id, {"contact_id": "1"}, "Dana")
    words = {one.name: one for one in lists.words_of(dana.workspace_id, WordKind.STAGE)}
    priority = lists.words_of(dana.workspace_id, WordKind.PRIORITY)[0]
    assert lists.uses(dana.workspace_id, WordKind.STAGE) == {"Contact": 1}
    with pytest.raises(lists.InUse):
        lists.delete(words["Contact"])
    lists.delete(words["Lead"])
    lists.delete(words["Contact"], words["Customer"])
    db.session.commit()
    db.session.refresh(contact)
    assert (contact.lead_stage, len(events(dana.workspace_id))) == ("Customer", 1)
    assert lists.defaults(dana.workspace_id)["lead_stage"] == "Customer"
    assert [one.name for one in lists.words_of(dana.workspace_id, WordKind.STAGE)] == [
        "Prospect", "Customer", "Former customer",
    ]  # fmt: skip
    for one in lists.words_of(dana.workspace_id, WordKind.PRIORITY)[1:]:
        lists.delete(one, priority)
    with pytest.raises(lists.LastWord):
        lists.delete(priority)
