"""Letters: requests about to be made. Many are written at once, so it is done in a few cheap steps."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from ..extensions import utcnow
from . import signing, throttle
from .models import EventType, Trigger, Webhook
from .outbound import Result

MASK = "••••••"
SECRET_LENGTH = 8
"""Characters from which a word of a custom header is looked for in what comes back."""
Claimed = Row[uuid.UUID, int, Trigger, EventType, str, bytes, bool, list[dict[str, Any]]]
"""A delivery that may be sent: its id, attempts, trigger, event type, event's id and body, whether it is due, and what
its event changed of each contact."""


@dataclass(frozen=True, slots=True)
class Letter:
    """All that the network needs to make one attempt, read before and kept after the transaction."""

    delivery_id: uuid.UUID
    webhook_id: uuid.UUID
    number: int
    trigger: Trigger
    was_due: bool
    is_probe: bool
    """The only one in flight, to find out whether the receiver is back."""
    url: str
    headers: dict[str, str]
    own_headers: frozenset[str]
    """Names of those that people gave: their values may be secrets and are not logged."""
    body: bytes
    started_at: datetime
    next_at: datetime | None = None
    """When the next one may be sent, if the webhook has a throttle."""


def write(webhook: Webhook, claimed: Sequence[Claimed], probing: bool) -> list[Letter]:
    """A letter for each of these deliveries of one webhook, in their order; its secrets are opened once for all."""
    if not claimed:
        return []
    own = signing.custom_headers(webhook)
    signer, own_names = signing.Signer(webhook), frozenset(own)

    def letter(row: Claimed) -> Letter:
        key, attempts, trigger, event_type, event_id, body, was_due, changes = row
        now, number = utcnow(), attempts + 1
        trigger = Trigger.PROBE if probing and trigger == Trigger.AUTOMATIC else trigger
        about = signing.About(event_id, event_type, body, set().union(*changes or ()))
        headers = signer.headers(about, number, trigger, now) | own
        return Letter(key, webhook.id, number, trigger, was_due, probing, webhook.url, headers, own_names, body, now)

    return [letter(row) for row in claimed]


def in_turn(letters: Sequence[Letter], turn: throttle.Turn) -> list[Letter]:
    """As many as the throttle lets go; tests wait for nobody and count for nothing."""
    tests = [letter for letter in letters if letter.trigger == Trigger.TEST]
    others = [letter for letter in letters if letter.trigger != Trigger.TEST][: turn.room]
    return tests + [replace(letter, next_at=turn.after(count)) for count, letter in enumerate(others, start=1)]


def attempt(letter: Letter, result: Result) -> dict[str, Any]:
    """The row that is kept of an attempt."""
    phases = result.phases
    return {
        "delivery_id": letter.delivery_id,
        "webhook_id": letter.webhook_id,
        "number": letter.number,
        "trigger": letter.trigger,
        "started_at": letter.started_at,
        "duration_ms": result.duration_ms,
        "url": letter.url,
        "request_headers": [
            [name, MASK if name in letter.own_headers else value] for name, value in letter.headers.items()
        ],
        "status": result.status,
        "reason": _veiled(result.reason, letter),
        "failure": result.failure,
        "response_headers": [[name, _veiled(value, letter)] for name, value in result.headers],
        "response_body": _veiled_body(letter, result.body),
        "response_length": result.length,
        "remote": result.remote,
        "phases": {name: getattr(phases, name) for name in ("dns", "connect", "tls", "first_byte", "body")},
    }


def _veiled(text: str, letter: Letter) -> str:
    """Without the values of custom headers: some receivers send back what they got."""
    values = [letter.headers[name] for name in letter.own_headers]
    secrets = {part for value in values for part in (value, *value.split()) if len(part) >= SECRET_LENGTH}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _veiled_body(letter: Letter, body: bytes) -> bytes:
    """Only where there is something to veil: what is no UTF-8 stays as it came."""
    veiled = _veiled(body.decode("utf-8", "surrogateescape"), letter) if letter.own_headers else None
    return body if veiled is None else veiled.encode("utf-8", "surrogateescape")
