"""Signing secrets and signed headers, as Standard Webhooks prescribes (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import datetime

from ..extensions import utcnow
from ..sealing import seal as seal
from ..sealing import unseal as unseal
from .models import Delivery, Trigger, Webhook

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
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def request_headers(delivery: Delivery, number: int, trigger: Trigger, at: datetime) -> dict[str, str]:
    """The portal's headers of attempt `number` made at `at`."""
    event, timestamp = delivery.event, int(at.timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            sign(secret, event.id, timestamp, event.body) for secret in secrets_of(delivery.webhook)
        ),
        "x-cloudcx-event": event.type,
        "x-cloudcx-attempt": str(number),
        "x-cloudcx-trigger": trigger,
    }
    if changed := sorted({key for subject in event.subjects for key in subject.changes}):
        headers["x-cloudcx-changed"] = ",".join(changed)
    return headers
