"""Live parts of pages: htmx asks for them again and again, and gets them only when they have changed."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from flask import request

from ..extensions import utcnow
from ..web import wants_fragment

CALM, QUICK = "2s", "300ms"
"""How often a part asks: always, and in the first seconds of something that a person just did."""
QUICK_SECONDS = 5
STALE_SECONDS = 30
"""What is unchanged for so long is sent all the same, so that "8 s ago" stays about true."""

UNCHANGED = "", 204


@dataclass(frozen=True, slots=True)
class Live:
    """Where a part asks for its next version, and how often."""

    address: str
    pace: str = CALM

    @property
    def is_quick(self) -> bool:
        """Whether something is under way."""
        return self.pace == QUICK


def version(*facts: object) -> str:
    """A short name of what a part shows, for the `v` of its address: it changes when one of the facts does."""
    facts += (int(utcnow().timestamp()) // STALE_SECONDS,)
    return hashlib.blake2s(repr(facts).encode(), digest_size=8).hexdigest()


def pace(since: datetime | None) -> str:
    """How often to ask about something that a person did at `since`, if anything is under way."""
    return QUICK if since and (utcnow() - since).total_seconds() < QUICK_SECONDS else CALM


def is_shown(version: str) -> bool:
    """Whether the part that asks shows this version already; then the answer is UNCHANGED."""
    return wants_fragment() and request.args.get("v") == version
