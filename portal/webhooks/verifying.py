"""The other side of `signing`: what a receiver finds out about a delivery. The portal plays one itself."""

import hmac
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum

from .signing import sign

TOLERANCE_SECONDS = 300


class Verdict(StrEnum):
    """Whether a request is a delivery that may be trusted."""

    VALID = "valid"
    NOT_VALID = "not valid"
    STALE = "stale"
    UNSIGNED = "unsigned"
    UNKNOWN = "unknown"

    @property
    def reason(self) -> str:
        """What is the matter, as a sentence."""
        return _REASONS[self]


_REASONS = {
    Verdict.VALID: "It comes from this portal and nobody changed a byte on its way.",
    Verdict.NOT_VALID: "It was signed with another secret, or the body was changed on its way.",
    Verdict.STALE: "webhook-timestamp is more than 5 minutes away: it may be a copy that somebody sends again.",
    Verdict.UNSIGNED: "webhook-id, webhook-timestamp or webhook-signature is missing.",
    Verdict.UNKNOWN: "No webhook points here, so no secret is known to check it with.",
}


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> Verdict:
    """Judge a request by the secrets that may have signed it. The names of `headers` are in lower case."""
    event_id, stamp = headers.get("webhook-id"), headers.get("webhook-timestamp") or ""
    given = (headers.get("webhook-signature") or "").split()
    if not event_id or not (stamp.isascii() and stamp.isdigit()) or not given:
        return Verdict.UNSIGNED
    if abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        return Verdict.STALE
    if not secrets:
        return Verdict.UNKNOWN
    expected = [sign(secret, event_id, int(stamp), body).encode() for secret in secrets]
    valid = any(hmac.compare_digest(one, other.encode()) for one in expected for other in given)
    return Verdict.VALID if valid else Verdict.NOT_VALID
