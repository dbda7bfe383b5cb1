"""Signing secrets and signed headers, as Standard Webhooks prescribes (https://www.standardwebhooks.com)."""

import base64
import hmac
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ..extensions import utcnow
from ..sealing import seal as seal
from ..sealing import unseal as unseal
from .models import Delivery, EventType, Trigger, Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32
USER_AGENT = "CloudCX-Webhooks/1.0"


def new_secret() -> str:
    """A fresh signing secret: "whsec_" and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def secrets_of(webhook: Webhook) -> list[str]:
    """The secrets that sign now: the current one, and the one before while its rotation lasts."""
    kept = [unseal(webhook.secret)]
    if webhook.old_secret and webhook.old_secret_until and webhook.old_secret_until > utcnow():
        kept.append(unseal(webhook.old_secret))
    return kept


def custom_headers(webhook: Webhook) -> dict[str, str]:
    """The headers that people gave to the webhook."""
    headers: dict[str, str] = json.loads(unseal(webhook.headers)) if webhook.headers else {}
    return headers


def seal_headers(headers: dict[str, str]) -> bytes | None:
    """Encrypt what `custom_headers` reads: such headers often carry credentials."""
    return seal(json.dumps(headers)) if headers else None


def sign(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """One signature: "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body"."""
    return _signature(_key(secret), event_id, timestamp, body)


@dataclass(frozen=True, slots=True)
class About:
    """What the headers say of an event; `changed` are the names of what it changed."""

    event_id: str
    event_type: EventType
    body: bytes
    changed: Collection[str]


class Signer:
    """The portal's headers of requests to one webhook, whose secrets are opened once."""

    def __init__(self, webhook: Webhook) -> None:
        self.keys = [_key(secret) for secret in secrets_of(webhook)]

    def headers(self, about: About, number: int, trigger: Trigger, at: datetime) -> dict[str, str]:
        """Those of attempt `number` made at `at`."""
        timestamp = int(at.timestamp())
        signatures = [_signature(key, about.event_id, timestamp, about.body) for key in self.keys]
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": about.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signatures),
            "x-cloudcx-event": about.event_type,
            "x-cloudcx-attempt": str(number),
            "x-cloudcx-trigger": trigger,
        }
        if about.changed:
            headers["x-cloudcx-changed"] = ",".join(sorted(about.changed))
        return headers


def request_headers(delivery: Delivery, number: int, trigger: Trigger, at: datetime) -> dict[str, str]:
    """The portal's headers of attempt `number` made at `at`."""
    event = delivery.event
    changed = {key for subject in event.subjects for key in subject.changes}
    return Signer(delivery.webhook).headers(About(event.id, event.type, event.body, changed), number, trigger, at)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))


def _signature(key: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    digest = hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()
