"""The schemas for machines: true bodies fit them, bodies with one thing changed do not, the document names the same."""

import copy
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from flask import Flask

from portal.contacts import service as contacts
from portal.contacts.payload import KEYS, sample
from portal.contacts.schema import CONTACT, FIELDS
from portal.docs.asyncapi import HEADERS, document
from portal.docs.schemas import body_schema, with_dialect
from portal.extensions import db, utcnow
from portal.webhooks import alarms, signing
from portal.webhooks.models import ALARMS, CONTACT_EVENTS, Event, EventType, Trigger
from tests.docs.reading import table
from tests.system.test_contract import CREATED, UPDATED
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

AN_ID = "392a0465-fc1b-4820-abc7-e96cb5d98774"
VENDORS: dict[EventType, dict[str, Any]] = {
    EventType.CREATED: {
        "event": "ContactCreated",
        "contacts": [CREATED | {"id": AN_ID, "createdTime": "1730877830000"}],
    },
    EventType.UPDATED: {
        "event": "ContactUpdated",
        "contacts": [
            UPDATED
            | {"id": AN_ID, "createdTime": "1730877830000"}
            | {"tags": [{"id": AN_ID, "name": name, "color": color} for name, color in UPDATED["tags"]]}
        ],
    },
    EventType.DELETED: {"event": "ContactDeleted", "ids": [AN_ID]},
}
"""The vendor's own examples, as tests/system/test_contract.py has them."""


def fits(body: Any, event_type: EventType) -> bool:
    return jsonschema.Draft202012Validator(body_schema(event_type)).is_valid(body)


@pytest.mark.parametrize("event_type", EventType)
def test_a_schema_is_a_true_json_schema_of_2020_12(event_type: EventType) -> None:
    jsonschema.Draft202012Validator.check_schema(body_schema(event_type))


@pytest.mark.parametrize("event_type", CONTACT_EVENTS)
def test_the_vendors_examples_and_our_own_fit(event_type: EventType) -> None:
    assert fits(VENDORS[event_type], event_type)
    assert fits(json.loads(sample()[event_type]), event_type)


@pytest.mark.parametrize("event_type", ALARMS)
def test_alarms_fit_their_own_schema_only_and_only_whole(event_type: EventType) -> None:
    body = json.loads(alarms.sample_bodies()[event_type])
    assert [other for other in EventType if fits(body, other)] == [event_type]
    for key in body:
        assert not fits({name: value for name, value in body.items() if name != key}, event_type)
        assert not fits(body | {key: 1.5}, event_type)


@pytest.mark.parametrize("event_type", CONTACT_EVENTS)
def test_a_body_fits_no_other_event(event_type: EventType) -> None:
    assert [other for other in CONTACT_EVENTS if fits(VENDORS[event_type], other)] == [event_type]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_bodies_of_real_contacts_fit(app: Flask) -> None:
    workspace = make_workspace()
    allen = contacts.create(workspace, {"email": "allen@acme.example", "subscribe_sms": False}, "Dana")
    contacts.update(workspace, allen.id, {"city": "", "owner": "", "notes": "a\nb", "tags": ["VIP", "IT"]}, "Dana")
    contacts.update(workspace, allen.id, {"tags": [], "notes": "", "email": "", "phone_number": "1"}, "Dana")
    contacts.delete(workspace, allen.id, "Dana")
    db.session.commit()
    events = list(db.session.scalars(db.select(Event).order_by(Event.created_at)))
    assert [event.type for event in events] == [EventType.CREATED, *[EventType.UPDATED] * 2, EventType.DELETED]
    for event in events:
        jsonschema.validate(json.loads(event.body), body_schema(event.type), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("key", KEYS)
def test_a_contact_with_a_field_less_or_of_another_type_does_not_fit(key: str) -> None:
    less, other = (copy.deepcopy(VENDORS[EventType.UPDATED]) for _ in range(2))
    del less["contacts"][0][key]
    other["contacts"][0][key] = 1730877830000
    assert not fits(less, EventType.UPDATED)
    assert not fits(other, EventType.UPDATED)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "a field more": lambda body: body["contacts"][0].update(nickname="Al"),
    "something beside the contacts": lambda body: body.update(sentAt="1730877830000"),
    "no contact": lambda body: body.update(contacts=[]),
    "an id in capitals": lambda body: body["contacts"][0].update(id=AN_ID.upper()),
    "an empty list of tags": lambda body: body["contacts"][0].update(tags=[]),
    "a tag without a color": lambda body: body["contacts"][0]["tags"][0].pop("color"),
    "a tag with something more": lambda body: body["contacts"][0]["tags"][0].update(size=1),
    'a first name of ""': lambda body: body["contacts"][0].update(firstName=""),
    "a time that is a date": lambda body: body["contacts"][0].update(createdTime="2024-11-06"),
    "custom fields of null": lambda body: body["contacts"][0].update(customFields=None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_body_that_breaks_the_contract_does_not_fit(change: str) -> None:
    body = copy.deepcopy(VENDORS[EventType.UPDATED])
    CHANGES[change](body)
    assert not fits(body, EventType.UPDATED)


def test_the_table_of_fields_says_what_the_schema_says() -> None:
    expected = [[f"`{key}`", kind(schema), unset(schema), meaning] for key, (schema, meaning) in FIELDS.items()]
    assert table("Fields of a contact") == expected
    assert list(FIELDS) == list(KEYS) == list(CONTACT["properties"])


def kind(schema: dict[str, Any]) -> str:
    """The type in the table's words."""
    if schema.get("pattern") == "^[0-9]+$":
        return "time"
    name = types(schema)[0]
    return "list" if name == "array" else name


def unset(schema: dict[str, Any]) -> str:
    """What stands there for nothing, in the table's words."""
    if "null" in types(schema):
        return "`null`" if schema.keys() - {"type"} else '`null` or `""`'
    return "`[]`" if types(schema) == ["array"] else "always set"


def types(schema: dict[str, Any]) -> list[str]:
    given = schema["type"]
    return given if isinstance(given, list) else [given]


def test_the_table_of_headers_says_what_the_document_says() -> None:
    assert table("Headers") == [[f"`{name}`", facts["description"]] for name, facts in HEADERS.items()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_headers_that_are_sent_are_those_of_the_document(app: Flask) -> None:
    webhook = make_webhook(make_workspace(), old_secret=signing.seal(signing.new_secret()), old_secret_until=utcnow())
    webhook.old_secret_until = utcnow().replace(year=utcnow().year + 1)
    event = make_event(webhook.workspace_id)
    event.subjects[0].changes = {"city": [None, "Porto"], "tags": [None, []]}
    sent = signing.request_headers(delivery_of(event, webhook), 1, Trigger.AUTOMATIC, utcnow())
    assert list(sent) == list(HEADERS)
    schema = document()["components"]["messageTraits"]["signed"]["headers"]
    assert jsonschema.Draft202012Validator(schema).is_valid(sent)
    assert [name for name in sent if not jsonschema.Draft202012Validator(schema).is_valid(without(sent, name))] == list(
        HEADERS
    )[:-1], "only the last may be missing"


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_everybody_gets_the_schemas_and_the_document(app: Flask) -> None:
    visitor = app.test_client()
    for event_type in EventType:
        assert visitor.get(f"/docs/schemas/{event_type}.json").json == with_dialect(body_schema(event_type))
    served = visitor.get("/docs/asyncapi.json")
    assert served.content_type == "application/json"
    assert served.json == document()
    assert visitor.get("/docs/schemas/ContactMerged.json").status_code == 404


def test_the_document_refers_to_nothing_that_is_not_there() -> None:
    whole = document()
    found = list(references(whole))
    assert len(found) >= 12
    for reference in found:
        place = whole
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
        assert place


def references(node: Any) -> Any:
    """All `$ref` below a node."""
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and "$ref" in node:
        yield node["$ref"]
    for child in children:
        yield from references(child)


def test_the_documents_messages_carry_the_schemas_and_true_examples() -> None:
    parts = document()["components"]
    for event_type in EventType:
        (example,) = parts["messages"][event_type]["examples"]
        assert jsonschema.Draft202012Validator(parts["schemas"][event_type]).is_valid(example["payload"])
        assert parts["schemas"][event_type] == body_schema(event_type)
