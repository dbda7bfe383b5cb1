"""What lies on the bench of the signature lab: how one attempt was signed, step by step. Never a secret or a key."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import select

from ..extensions import db
from . import signing
from .lab import Signed, Verdict, judge
from .log_models import Attempt
from .mistakes import Key, Mistake, decoded
from .models import Delivery, State, Webhook
from .sentences import moment, place

OTHER_WEBHOOKS = 20
"""How many others of the workspace are looked at: whoever mixes up secrets has few."""
OTHER_ATTEMPTS = 20
FINGERPRINT = 8
"""Hexadecimal digits of the SHA-256 of a secret: enough to see that two are the same, and no way back to it."""

OLD = Mistake(
    "The old secret",
    "This attempt was signed with the secret that took its place. Put that one where your code runs;"
    " whoever did not keep it presses Rotate secret on the page of the webhook.",
)
NEW = Mistake(
    "A newer secret than this attempt's",
    "When this attempt was sent, an older secret signed. Press Resend, and look at the attempt that this makes.",
)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of the header, and the secret that made it: its words and fingerprint, if it is still known."""

    value: str
    words: str
    fingerprint: str
    key_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Bench:
    """All steps of one attempt's signature."""

    signed: Signed
    signatures: tuple[Signature, ...]
    at: datetime | None
    body_digest: str
    content_digest: str

    @property
    def content(self) -> bytes:
        return self.signed.content


def lay_out(delivery: Delivery, attempt: Attempt) -> Bench | None:
    """How the attempt was signed; None if it carries no signature, or its body is not kept any more."""
    headers = {name.lower(): value for name, value in attempt.request_headers}
    signatures = tuple(headers.get("webhook-signature", "").split())
    event_id, stamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    body = delivery.event.body
    if not body or not signatures or not event_id or not stamp or not (stamp.isascii() and stamp.isdigit()):
        return None
    signed = Signed(event_id, stamp, body, signatures, str(delivery.id), _other_stamps(attempt, stamp))
    made = {_signature(key, signed): key for key in _own_keys(delivery.webhook)}
    return Bench(
        signed,
        tuple(_shown(value, made.get(value)) for value in signatures),
        datetime.fromtimestamp(int(stamp), UTC) if len(stamp) < 11 else None,
        hashlib.sha256(body).hexdigest(),
        hashlib.sha256(signed.content).hexdigest(),
    )


def judge_pasted(text: str, bench: Bench, webhook: Webhook) -> Verdict:
    """What is wrong with a signature that somebody's code computed for the attempt on the bench."""
    own = _own_keys(webhook)
    right = [key for key in own if _signature(key, bench.signed) in bench.signed.signatures]
    # If none of them signed it, both came after it.
    wrong = [key if right else replace(key, mistake=NEW) for key in own if key not in right]
    return judge(text, bench.signed, right, [*wrong, *_keys_of_others(webhook)])


def _own_keys(webhook: Webhook) -> list[Key]:
    """The webhook's secrets, each with the mistake of using it where it did not sign."""
    keys = [Key(signing.unseal(webhook.secret), "the secret", NEW)]
    if webhook.old_secret:
        until = f", valid until {moment(webhook.old_secret_until)}" if webhook.old_secret_until else ""
        keys.append(Key(signing.unseal(webhook.old_secret), f"the secret before it{until}", OLD))
    return keys


def _keys_of_others(webhook: Webhook) -> list[Key]:
    """The secrets of the workspace's other webhooks, newest first."""
    query = select(Webhook).where(Webhook.workspace_id == webhook.workspace_id, Webhook.id != webhook.id)
    query = query.where(Webhook.state != State.DELETED).order_by(Webhook.created_at.desc(), Webhook.id)
    return [_key_of_other(other) for other in db.session.scalars(query.limit(OTHER_WEBHOOKS))]


def _key_of_other(webhook: Webhook) -> Key:
    mistake = Mistake(
        f"The secret of another webhook, {place(webhook.url)}",
        f"Each webhook has a secret of its own: take the one of this webhook, not that of {place(webhook.url)}.",
    )
    return Key(signing.unseal(webhook.secret), "another webhook's", mistake)


def _other_stamps(attempt: Attempt, stamp: str) -> tuple[str, ...]:
    """The timestamps of the delivery's other attempts, newest first."""
    query = select(Attempt.started_at).where(Attempt.delivery_id == attempt.delivery_id, Attempt.id != attempt.id)
    times = db.session.scalars(query.order_by(Attempt.number.desc()).limit(OTHER_ATTEMPTS))
    return tuple(dict.fromkeys(other for at in times if (other := str(int(at.timestamp()))) != stamp))


def _signature(key: Key, signed: Signed) -> str:
    return signing.sign(key.secret, signed.event_id, int(signed.stamp), signed.body)


def _shown(value: str, key: Key | None) -> Signature:
    if key is None:
        return Signature(value, "a secret that was replaced since", "")
    fingerprint = hashlib.sha256(key.secret.encode()).hexdigest()[:FINGERPRINT]
    return Signature(value, key.words, fingerprint, len(decoded(key.secret)))
