"""The payload is the contract, to the key."""

import json
import uuid
from datetime import UTC, datetime

import pytest

from portal.contacts.models import Contact, Tag
from portal.contacts.payload import SAMPLE_ID, body, contact_payload, sample
from portal.webhooks.models import CONTACT_EVENTS, EventType

# Written down from the vendor's page, on purpose not taken from the code.
KEYS = [
    "id", "firstName", "lastName", "avatarUrl", "email", "phoneNumber", "contactId", "owner", "ownerName",
    "leadStage", "tags", "notes", "companyName", "jobTitle", "priority", "ip", "countryRegion", "province", "city",
    "street", "zipCode", "language", "facebookUsername", "telegramUsername", "instagramUsername", "whatsappNumber",
    "subscribeEmail", "subscribeSMS", "subscribeWhatsapp", "lastChannel", "createdTime", "lastUpdatedTime",
    "lastSeenTime", "lastConnectedTime", "lastHeardFromTime", "customFields",
]  # fmt: skip
ALLEN = uuid.UUID("392A0465-FC1B-4820-ABC7-E96CB5D98774")


@pytest.fixture
def allen() -> Contact:
    return Contact(
        id=ALLEN, first_name="Allen", contact_id="987654321", owner="", subscribe_email=True, subscribe_sms=True,
        subscribe_whatsapp=False, created_time=datetime(2024, 11, 6, 7, 23, 50, tzinfo=UTC), custom_fields={},
    )  # fmt: skip


def test_a_contact_has_the_36_keys_in_their_order(allen: Contact) -> None:
    assert len(KEYS) == 36
    assert list(contact_payload(allen, None, ())) == KEYS


def test_ids_and_times_are_strings_and_flags_are_booleans(allen: Contact) -> None:
    payload = contact_payload(allen, "Jon Park", ())
    assert payload["id"] == "392a0465-fc1b-4820-abc7-e96cb5d98774"
    assert payload["contactId"] == "987654321"
    assert payload["createdTime"] == "1730877830000"
    assert payload["ownerName"] == "Jon Park"
    assert (payload["subscribeSMS"], payload["subscribeWhatsapp"]) == (True, False)


def test_milliseconds_are_cut_and_never_rounded_up(allen: Contact) -> None:
    allen.last_seen_time = datetime(2024, 11, 6, 7, 23, 50, 999_999, tzinfo=UTC)
    assert contact_payload(allen, None, ())["lastSeenTime"] == "1730877830999"


def test_what_is_unset_is_null_and_what_is_empty_stays_empty(allen: Contact) -> None:
    payload = contact_payload(allen, None, ())
    assert payload["owner"] == ""
    unset = [key for key, value in payload.items() if value is None]
    set_here = {"id", "firstName", "contactId", "owner", "createdTime", "customFields"}
    assert unset == [key for key in KEYS if key not in set_here and not key.startswith("subscribe")]
    assert payload["customFields"] == []


def test_tags_are_null_or_a_list_by_name(allen: Contact) -> None:
    assert contact_payload(allen, None, ())["tags"] is None
    allen.tags = [Tag(id=ALLEN, name="software", color="#DB4B4B"), Tag(id=SAMPLE_ID, name="IT", color="#F0B20A")]
    assert contact_payload(allen, None, ())["tags"] == [
        {"id": str(SAMPLE_ID), "name": "IT", "color": "#F0B20A"},
        {"id": str(ALLEN), "name": "software", "color": "#DB4B4B"},
    ]


@pytest.mark.parametrize("event_type", [EventType.CREATED, EventType.UPDATED])
def test_a_body_is_compact_utf_8_with_the_event_first(event_type: EventType) -> None:
    assert body(event_type, [{"firstName": "Tomás \u6771"}]) == (
        b'{"event":"' + event_type.encode() + '","contacts":[{"firstName":"Tomás \u6771"}]}'.encode()
    )


def test_a_deletion_carries_ids_only() -> None:
    assert body(EventType.DELETED, [str(ALLEN)]) == (
        b'{"event":"ContactDeleted","ids":["392a0465-fc1b-4820-abc7-e96cb5d98774"]}'
    )


def test_samples_look_like_the_real_thing_and_name_no_real_contact() -> None:
    samples = {event_type: json.loads(text) for event_type, text in sample().items()}
    assert list(samples) == list(CONTACT_EVENTS)
    for event_type in (EventType.CREATED, EventType.UPDATED):
        (contact,) = samples[event_type]["contacts"]
        assert list(contact) == KEYS
        assert contact["id"] == str(SAMPLE_ID)
    assert samples[EventType.DELETED] == {"event": "ContactDeleted", "ids": [str(SAMPLE_ID)]}
    assert samples[EventType.CREATED]["contacts"][0]["lastUpdatedTime"] is None
    assert samples[EventType.UPDATED]["contacts"][0]["jobTitle"] == ""
