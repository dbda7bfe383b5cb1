"""The vendor's three examples, reached through the portal's own forms, against what a real receiver got."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook as Verifier

from portal.contacts.schema import body_schema
from portal.webhooks.models import CONTACT_EVENTS
from tests.receiving import Got, Receiver, receiving
from tests.system.installation import Browser, Installation

pytestmark = pytest.mark.both

AVATAR = "https://minio.puteyun.online:8892/cconline/avatar/987a1a5f-6397-4489-9130-b343d8ee5219.jpg"
TYPED = {
    "first_name": "Allen",
    "last_name": "Ji",
    "avatar_url": AVATAR,
    "email": "allen@puteyun.com",
    "phone_number": "12345678",
}
CREATED: dict[str, Any] = {
    "id": None,
    "firstName": "Allen",
    "lastName": "Ji",
    "avatarUrl": AVATAR,
    "email": "allen@puteyun.com",
    "phoneNumber": "12345678",
    "contactId": "987654321",
    "owner": None,
    "ownerName": None,
    "leadStage": "Contact",
    "tags": None,
    "notes": None,
    "companyName": None,
    "jobTitle": None,
    "priority": "Medium",
    "ip": None,
    "countryRegion": None,
    "province": None,
    "city": None,
    "street": None,
    "zipCode": None,
    "language": None,
    "facebookUsername": None,
    "telegramUsername": None,
    "instagramUsername": None,
    "whatsappNumber": None,
    "subscribeEmail": True,
    "subscribeSMS": True,
    "subscribeWhatsapp": True,
    "lastChannel": None,
    "createdTime": None,
    "lastUpdatedTime": None,
    "lastSeenTime": None,
    "lastConnectedTime": None,
    "lastHeardFromTime": None,
    "customFields": [],
}
BLANKED = (
    *("owner", "jobTitle", "countryRegion", "province", "city", "street", "zipCode", "language"),
    *("facebookUsername", "telegramUsername", "instagramUsername", "whatsappNumber"),
)
UPDATED = (
    CREATED
    | dict.fromkeys(BLANKED, "")
    | {"companyName": "Cloudfon", "tags": [("IT", "#F0B20A"), ("Software", "#DB4B4B")]}
)
ASIDE = ("id", "createdTime", "lastUpdatedTime")
"""Ids and times are the installation's own."""


@pytest.fixture(scope="module")
def got(served: Installation) -> Iterator[list[Got]]:
    """A contact made, changed and deleted in the portal, and what the receiver got."""
    served.worker()
    dana = Browser(served.url)
    dana.sign_up()
    with receiving() as receiver:
        yield walk(dana, receiver)


def walk(dana: Browser, receiver: Receiver) -> list[Got]:
    secret = dana.create_webhook(receiver.url)
    for name, color in (("Software", "#DB4B4B"), ("IT", "#F0B20A")):
        dana.post("/settings/tags", {"new-name": name, "new-color": color})
    contact = dana.create_contact(**TYPED, contact_id="987654321")
    answer = dana.post(f"/contacts/{contact}/edit", {"company_name": "Cloudfon", "tags": "Software, IT"})
    assert answer.url.endswith(contact), answer.text
    dana.post(f"/contacts/{contact}/delete", page=f"/contacts/{contact}")
    arrived = receiver.wait(3)
    for one in arrived:
        Verifier(secret).verify(one.body, one.headers)
        assert one.headers["content-type"] == "application/json"
    return arrived


def test_they_are_as_the_vendor_promises(got: list[Got]) -> None:
    created, updated, deleted = (one.json for one in got)
    for body, event, expected in ((created, "ContactCreated", CREATED), (updated, "ContactUpdated", UPDATED)):
        assert list(body) == ["event", "contacts"]
        assert body["event"] == event
        (contact,) = body["contacts"]
        assert list(contact) == list(expected), "the same keys in the same order"
        if contact["tags"]:
            assert [list(tag) for tag in contact["tags"]] == [["id", "name", "color"]] * 2
            contact["tags"] = sorted((tag["name"], tag["color"]) for tag in contact["tags"])
        assert without(contact) == without(expected)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", contact["id"])
        assert re.fullmatch(r"[0-9]{13}", contact["createdTime"])
    assert deleted == {"event": "ContactDeleted", "ids": [created["contacts"][0]["id"]]}


def test_what_arrives_fits_the_schema_of_its_event(got: list[Got]) -> None:
    for one, event_type in zip(got, CONTACT_EVENTS, strict=True):
        jsonschema.validate(one.json, body_schema(event_type), jsonschema.Draft202012Validator)


def test_the_time_of_the_last_update_is_null_until_the_first(got: list[Got]) -> None:
    created, updated, _ = (one.json for one in got)
    assert created["contacts"][0]["lastUpdatedTime"] is None
    assert int(updated["contacts"][0]["lastUpdatedTime"]) > int(updated["contacts"][0]["createdTime"])


def test_the_bytes_are_compact_and_the_changed_fields_are_named(got: list[Got]) -> None:
    assert b'"event":"ContactUpdated","contacts":[{"id":"' in got[1].body
    assert got[1].headers["x-cloudcx-changed"] == "companyName,tags"


def without(contact: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in contact.items() if key not in ASIDE}
