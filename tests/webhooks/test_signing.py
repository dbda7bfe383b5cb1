"""Receivers verify what we send with the field's own library, and secrets are safe at rest."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet, InvalidToken
from flask import Flask
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from portal.extensions import utcnow
from portal.webhooks import publisher, signing
from portal.webhooks.models import Trigger
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

BODY = '{"event":"ContactCreated","name":"Zoë"}'.encode()


def headers(secret: str, body: bytes = BODY, at: datetime | None = None) -> dict[str, str]:
    stamp = int((at or utcnow()).timestamp())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": signing.sign(secret, "msg_1", stamp, body),
    }


def test_the_standard_library_verifies_our_signature() -> None:
    secret = signing.new_secret()
    assert Verifier(secret).verify(BODY, headers(secret)) == {"event": "ContactCreated", "name": "Zoë"}


@pytest.mark.parametrize("spoil", ["body", "secret", "time"])
def test_it_refuses_what_was_changed(spoil: str) -> None:
    secret = signing.new_secret()
    signed = headers(secret, at=utcnow() - timedelta(minutes=10) if spoil == "time" else None)
    verifier = Verifier(signing.new_secret() if spoil == "secret" else secret)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(BODY + b" " if spoil == "body" else BODY, signed)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {signing.new_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(one.startswith("whsec_") and len(one) > 44 for one in made)


def test_a_sealed_secret_does_not_show(app: Flask) -> None:
    assert b"whsec" not in signing.seal("whsec_abc")
    assert signing.unseal(signing.seal("whsec_abc")) == "whsec_abc"


def test_new_keys_seal_and_old_ones_still_open(app: Flask) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    app.config["ENCRYPTION_KEYS"] = [old]
    sealed = signing.seal("whsec_abc")
    app.config["ENCRYPTION_KEYS"] = [new, old]
    assert signing.unseal(sealed) == "whsec_abc"
    app.config["ENCRYPTION_KEYS"] = [new]
    with pytest.raises(InvalidToken):
        signing.unseal(sealed)


def test_both_secrets_sign_for_a_day_after_a_rotation(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    before = signing.secrets_of(webhook)[0]
    after = publisher.rotate_secret(webhook)
    assert signing.secrets_of(webhook) == [after, before]
    webhook.old_secret_until = utcnow() - timedelta(seconds=1)
    assert signing.secrets_of(webhook) == [after]


def test_a_delivery_carries_the_headers_of_the_design(app: Flask) -> None:
    workspace = make_workspace()
    webhook = make_webhook(workspace)
    delivery = delivery_of(make_event(workspace, uuid.uuid4(), body=BODY), webhook)
    delivery.event.subjects[0].changes = {"notes": [None, "x"], "city": ["a", "b"]}
    publisher.rotate_secret(webhook)
    sent = signing.request_headers(delivery, 3, Trigger.MANUAL, datetime(2026, 11, 23, tzinfo=UTC))
    assert sent["content-type"] == "application/json"
    assert sent["webhook-id"] == delivery.event_id
    assert sent["webhook-timestamp"] == "1795392000"
    assert [one[:3] for one in sent["webhook-signature"].split(" ")] == ["v1,", "v1,"]
    assert sent["x-cloudcx-event"] == "ContactUpdated"
    assert sent["x-cloudcx-attempt"] == "3"
    assert sent["x-cloudcx-trigger"] == "manual"
    assert sent["x-cloudcx-changed"] == "city,notes"
