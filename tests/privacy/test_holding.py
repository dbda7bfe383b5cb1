"""One list of places: what is exported of a contact is what is erased, place by place."""

import base64
import io
import json
import uuid
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select

from portal.contacts.models import Avatar
from portal.extensions import db
from portal.privacy import views
from portal.sandbox.models import SandboxRequest
from portal.webhooks.verifying import Verdict
from tests.conftest import Person
from tests.importing.conftest import Wizard, table
from tests.privacy.test_erasing import erase, make_contact, said, send_all
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

WORDS = ("zelda", "quixworth", "600112233", "owls")
PLACES = {
    "contact": "Quixworth collects owls.",
    "pictures": "base64",
    "events": "Quixworth collects owls.",
    "sandbox_requests": "evt_sandbox",
    "rows_of_imports": "ZQ@quixworth.example",
    "searches": "quixworth",
    "audit_entries": "exported personal data",
}
"""What stands in the export of each place."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks waits for the end, however busy the machine is."""
    monkeypatch.setattr(views, "AT_ONCE_SECONDS", 600.0)


def everywhere(dana: Person) -> uuid.UUID:
    """A contact of whom something stands in each place."""
    webhook, key, wizard = make_webhook(dana.workspace_id), make_contact(dana), Wizard(dana)
    picture = io.BytesIO()
    Image.new("RGB", (2, 2)).save(picture, "PNG")
    picture.seek(0)
    dana.client.post(f"/contacts/{key}/avatar", data={"picture": (picture, "a.png")})
    send_all(webhook)
    head = ("Email", "City")
    wizard.checked(table(head, ("ZQ@quixworth.example", "Oslo")))
    wizard.run(wizard.checked(table(head, ("ann@one.example", "Oslo"), ("", "zq@quixworth.example"))))
    dana.client.post("/contacts/views", data={"name": "Hers", "q": "quixworth"})
    dana.client.post("/deliveries/bulk", data={"act": "resend", "q": "Zelda"})
    request = SandboxRequest(workspace_id=dana.workspace_id, headers=[["webhook-id", "evt_sandbox"]], length=9,
                             verdict=Verdict.VALID, answer=200)  # fmt: skip
    request.body = f'{{"contacts":[{{"id":"{key}","firstName":"Zelda"}}]}}'.encode()
    db.session.add(request)
    db.session.commit()
    return key


def exported(dana: Person, key: uuid.UUID) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(dana.client.get(f"/contacts/{key}/personal-data.json").text)
    return held


@pytest.mark.parametrize("is_trashed", [False, True], ids=["there", "in the trash"])
def test_each_place_is_exported_and_erased(app: Flask, dana: Person, is_trashed: bool) -> None:
    key = everywhere(dana)
    if is_trashed:
        dana.client.post(f"/contacts/{key}/delete")
    held = exported(dana, key)
    assert held.keys() == {"contact_id", "exported_at"} | PLACES.keys()
    for place, word in PLACES.items():
        assert word in json.dumps(held[place]), place
    assert [one["is_refused"] for one in held["rows_of_imports"]] == [False, True]
    assert [one["searched"] for one in held["searches"]] == ["quixworth", "Zelda"]
    picture = db.session.scalars(select(Avatar)).one()
    assert base64.b64decode(held["pictures"][0]["base64"]) == picture.data
    assert held["contact"]["email"] == "zq@quixworth.example"
    assert erase(dana, key).status_code == 303
    assert [word for word in WORDS if word in said()] == []
    assert db.session.scalars(select(Avatar)).all() == []


def test_of_one_in_the_trash_the_same_is_told_as_before(dana: Person) -> None:
    key = make_contact(dana)
    dana.client.post(f"/contacts/{key}/tags", data={"add": "Owl friend"})
    before = exported(dana, key)["contact"]
    dana.client.post(f"/contacts/{key}/delete")
    assert exported(dana, key)["contact"] == before
    assert before["firstName"] == "Zelda"
