"""The contract's rules of null and "", reached through the portal's own forms."""

from collections.abc import Callable
from typing import Any

import pytest

MAIN_GROUP = {
    "owner", "companyName", "jobTitle", "countryRegion", "province", "city", "street", "zipCode", "language",
    "facebookUsername", "telegramUsername", "instagramUsername", "whatsappNumber",
}  # fmt: skip
ALLEN = {"first_name": "Allen", "last_name": "Ji", "email": "allen@puteyun.com", "phone_number": "12345678"}

Typed = Callable[..., dict[str, str]]
Bodies = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def allen(dana: Any, typed: Typed) -> str:
    """The address of a contact made as in the vendor's example."""
    avatar = "https://minio.puteyun.online:8892/cconline/avatar/987a1a5f.jpg"
    form = typed(dana.client, "/contacts/new", **ALLEN, contact_id="987654321", avatar_url=avatar)
    return str(dana.client.post("/contacts/new", data=form).location)


def test_creating_is_as_in_the_example(dana: Any, allen: str, bodies: Bodies) -> None:
    (event,) = bodies(dana.workspace_id)
    (contact,) = event["contacts"]
    assert event["event"] == "ContactCreated"
    assert contact["id"] == allen.rpartition("/")[2]
    assert contact.pop("createdTime").isdigit()
    expected = {
        "id": contact["id"], "firstName": "Allen", "lastName": "Ji", "email": "allen@puteyun.com",
        "avatarUrl": "https://minio.puteyun.online:8892/cconline/avatar/987a1a5f.jpg", "phoneNumber": "12345678",
        "contactId": "987654321", "leadStage": "Contact", "priority": "Medium", "subscribeEmail": True,
        "subscribeSMS": True, "subscribeWhatsapp": True, "customFields": [],
    }  # fmt: skip
    assert {key: value for key, value in contact.items() if value is not None} == expected


def test_a_real_edit_writes_empty_strings_to_the_blanks_of_the_main_group(
    dana: Any, allen: str, typed: Typed, bodies: Bodies
) -> None:
    form = typed(dana.client, f"{allen}/edit", company_name="Cloudfon", tags="Software, IT")
    assert dana.client.post(f"{allen}/edit", data=form).status_code == 303
    created, updated = (event["contacts"][0] for event in bodies(dana.workspace_id))
    assert {key for key, value in updated.items() if value == ""} == MAIN_GROUP - {"companyName"}
    assert updated["companyName"] == "Cloudfon"
    assert [(tag["name"], list(tag)) for tag in updated["tags"]] == [
        ("IT", ["id", "name", "color"]), ("Software", ["id", "name", "color"]),
    ]  # fmt: skip
    stay_null = ["notes", "ip", "ownerName", "lastChannel", "lastSeenTime", "lastConnectedTime", "lastHeardFromTime"]
    assert [updated[key] for key in stay_null] == [None] * len(stay_null)
    assert int(updated["lastUpdatedTime"]) >= int(updated["createdTime"])
    same = ["id", "firstName", "avatarUrl", "email", "phoneNumber", "contactId", "leadStage", "priority", "createdTime"]
    assert [updated[key] for key in same] == [created[key] for key in same]


def test_blanked_names_email_phone_avatar_and_notes_become_null(
    dana: Any, allen: str, typed: Typed, bodies: Bodies
) -> None:
    blank = dict.fromkeys(["first_name", "last_name", "email", "phone_number", "avatar_url", "notes"], "")
    notes = typed(dana.client, f"{allen}/edit", notes="Prefers mornings.\r\nNever calls.")
    dana.client.post(f"{allen}/edit", data=notes)
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", **blank))
    noted, blanked = (event["contacts"][0] for event in bodies(dana.workspace_id)[1:])
    assert noted["notes"] == "Prefers mornings.\nNever calls."
    assert [blanked[key] for key in ("firstName", "lastName", "email", "phoneNumber", "avatarUrl", "notes")] == [
        None
    ] * 6


def test_an_untouched_save_sends_and_touches_nothing(dana: Any, allen: str, typed: Typed, bodies: Bodies) -> None:
    """Neither before the first edit, when blanks are null, nor after it, when they are "", nor with several lines."""
    for _ in range(2):
        dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit"))
    assert len(bodies(dana.workspace_id)) == 1
    form = typed(dana.client, f"{allen}/edit", notes="One\r\nTwo", owner=str(dana.user_id), tags="VIP, IT")
    dana.client.post(f"{allen}/edit", data=form)
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit"))
    assert "Nothing changed, so nothing was sent." in dana.client.get(allen).text
    assert len(bodies(dana.workspace_id)) == 2


def test_only_the_order_or_case_of_tags_is_no_change(dana: Any, allen: str, typed: Typed, bodies: Bodies) -> None:
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", tags="VIP, IT"))
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", tags=" it ,,vip, IT"))
    assert len(bodies(dana.workspace_id)) == 2


def test_an_owner_is_sent_with_the_name_that_the_person_has_now(
    dana: Any, allen: str, typed: Typed, bodies: Bodies
) -> None:
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", owner=str(dana.user_id)))
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", owner=""))
    owned, free = (event["contacts"][0] for event in bodies(dana.workspace_id)[1:])
    assert (owned["owner"], owned["ownerName"]) == (str(dana.user_id), "Dana Whitfield")
    assert (free["owner"], free["ownerName"]) == ("", None)


def test_the_contact_id_can_never_be_changed(dana: Any, allen: str, typed: Typed, bodies: Bodies) -> None:
    form = typed(dana.client, f"{allen}/edit", first_name="Al") | {"contact_id": "1"}
    dana.client.post(f"{allen}/edit", data=form)
    assert bodies(dana.workspace_id)[1]["contacts"][0]["contactId"] == "987654321"


def test_deleting_sends_the_id(dana: Any, allen: str, bodies: Bodies) -> None:
    assert dana.client.post(f"{allen}/delete").location == "/contacts"
    assert bodies(dana.workspace_id)[1] == {"event": "ContactDeleted", "ids": [allen.rpartition("/")[2]]}
    assert dana.client.get(allen).status_code == 404
