"""Contacts that may be the same person are found whatever the spelling, compared, and made one."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from portal.contacts import custom_fields, duplicates, many
from portal.contacts.field_models import FieldType
from portal.contacts.list_models import TrashedContact
from portal.contacts.models import Contact
from portal.extensions import db
from portal.fields import CAME_BACK
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

Bodies = Callable[[uuid.UUID], list[dict[str, Any]]]


@pytest.fixture
def twins(dana: Any, stranger: Any) -> list[uuid.UUID]:
    """Two with one e-mail, of whom the second knows more, a third with the phone number of the first, and others."""
    size = custom_fields.add(dana.workspace_id, {"name": "Size", "type": FieldType.NUMBER})
    rows = [
        {"first_name": "Ann", "email": "ann@acme.example", "phone_number": "+34 600 112 233", "tags": ["A"]},
        {"first_name": "Anna", "last_name": "Ray", "email": "Ann@ACME.example", "city": "Oslo", "tags": ["B"],
         "custom_fields": {size.id: 7}},
        {"first_name": "A.", "phone_number": "0034-600-112233"},
        {"first_name": "Short", "phone_number": "12"}, {"first_name": "Too", "phone_number": "12"},
    ]  # fmt: skip
    made = [many.create_many(dana.workspace_id, [row], "Dana")[0] for row in rows]
    many.create_many(stranger.workspace_id, rows[:1], "Sam")
    db.session.commit()
    return [one.id for one in made if one]


def test_they_are_listed_by_email_and_by_phone_and_offered_on_the_page_of_each(
    dana: Any, twins: list[uuid.UUID]
) -> None:
    for by, theirs in (("email", twins[:2]), ("phone", [twins[0], twins[2]])):
        [group] = duplicates.groups(dana.workspace_id, by)[0]
        assert [one.id for one in group.contacts] == theirs
        page = dana.client.get(f"/contacts/duplicates?by={by}").text
        assert page.count("Compare and merge") == 1
    assert "2 other contacts have the same" in dana.client.get(f"/contacts/{twins[0]}").text
    assert "may be" not in dana.client.get(f"/contacts/{twins[3]}").text


def test_what_becomes_of_them_is_shown_before_and_told_after(dana: Any, twins: list[uuid.UUID], bodies: Bodies) -> None:
    make_webhook(dana.workspace_id)
    ids, told = [str(key) for key in twins[:2]], len(bodies(dana.workspace_id))
    page = dana.client.get("/contacts/merge", query_string={"id": ids}).text
    assert f'name="keep-first_name" value="{ids[0]}" checked' in page, "the primary's, as far as it says anything ..."
    assert f'name="keep-last_name" value="{ids[1]}" checked' in page, "... else the other's"
    preview = {"id": ids, "primary": ids[0], "was": ids[0], "keep-first_name": ids[1]}
    shown = dana.client.post("/contacts/merge", data=preview).text
    assert '<td class="strong">Anna</td>' in shown
    turned = dana.client.post("/contacts/merge", data=preview | {"primary": ids[1], "keep-first_name": ids[0]}).text
    assert '<td class="strong">Anna</td>' in turned, "another primary proposes its own"
    assert len(bodies(dana.workspace_id)) == told
    answer = dana.client.post("/contacts/merge", data=preview | {"act": "merge"})
    assert answer.location == f"/contacts/{ids[0]}"
    updated, deleted = bodies(dana.workspace_id)[told:]
    merged = updated["contacts"][0]
    names = ("id", "firstName", "lastName", "email", "city")
    assert [merged[key] for key in names] == [ids[0], "Anna", "Ray", "ann@acme.example", "Oslo"]
    assert [tag["name"] for tag in merged["tags"]] == ["A", "B"]
    assert [field["value"] for field in merged["customFields"]] == [7]
    assert deleted == {"event": "ContactDeleted", "ids": [ids[1]]}
    assert db.session.get(TrashedContact, twins[1]), "the other one can be restored"


def test_what_comes_back_after_a_log_in_is_shown_and_merges_nobody(dana: Any, twins: list[uuid.UUID]) -> None:
    form = {"id": [str(key) for key in twins], "primary": str(twins[0]), "act": "merge", CAME_BACK: "y"}
    answer = dana.client.post("/contacts/merge", data=form)
    assert (answer.status_code, "not saved yet" in answer.text) == (200, True)
    assert db.session.query(TrashedContact).all() == []


def test_who_unsubscribed_stays_so_and_a_zero_is_a_value(dana: Any, twins: list[uuid.UUID]) -> None:
    """Whichever of the two stays, as far as nobody chooses otherwise."""
    size = custom_fields.fields_of(dana.workspace_id)[0].id
    first, second = (db.session.get_one(Contact, key) for key in twins[:2])
    first.subscribe_sms, first.custom_fields = False, {str(size): 0}
    second.subscribe_email = False
    db.session.commit()
    for primary in (first, second):
        kept = duplicates.proposed([first, second], primary)
        becomes = duplicates.merged([first, second], primary, kept)
        assert (becomes["subscribe_sms"], becomes["subscribe_email"]) == (False, False)
        assert becomes["custom_fields"] == {str(size): 0 if primary is first else 7}
    chosen = kept | {"subscribe_sms": second.id}
    duplicates.merge(dana.workspace_id, first.id, twins[:2], chosen, "Dana")
    assert (first.subscribe_sms, first.subscribe_email) == (True, False)


def test_who_would_carry_too_many_tags_is_not_merged(dana: Any, twins: list[uuid.UUID], bodies: Bodies) -> None:
    many.update_many(dana.workspace_id, twins[:1], lambda _: {"tags": [f"T{i}" for i in range(50)]}, "Dana")
    db.session.commit()
    told, form = len(bodies(dana.workspace_id)), {"id": [str(key) for key in twins[:2]], "act": "merge"}
    refused = dana.client.post("/contacts/merge", data=form)
    assert (refused.status_code, "more than 50 tags" in refused.text) == (422, True)
    assert (len(bodies(dana.workspace_id)), db.session.query(TrashedContact).count()) == (told, 0)


def test_one_that_is_gone_or_anothers_is_merged_with_nobody(
    dana: Any, stranger: Any, twins: list[uuid.UUID], bodies: Bodies
) -> None:
    told = json.dumps(bodies(dana.workspace_id))
    for ids in ([twins[0], uuid.uuid4()], [twins[0]], [twins[0], twins[0]], []):
        form = {"id": [str(key) for key in ids], "act": "merge"}
        assert "Nothing to merge" in dana.client.post("/contacts/merge", data=form).text
    form = {"id": [str(key) for key in twins], "primary": str(twins[0]), "act": "merge"}
    assert "Nothing to merge" in stranger.client.post("/contacts/merge", data=form).text
    assert json.dumps(bodies(dana.workspace_id)) == told
    assert db.session.query(Contact).count() == 6
