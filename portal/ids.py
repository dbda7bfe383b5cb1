"""Ids of what is written by the thousand."""

import secrets
import time
import uuid

VERSION, VARIANT = 7 << 76, 2 << 62
PARTS = 1 << 12
"""Of a millisecond, that twelve bits tell apart."""


def new_id() -> uuid.UUID:
    """A UUID that sorts behind those made before it: version 7, with parts of the millisecond (RFC 9562, 6.2, 3).

    Indexes grow at their end by it, where the page that is written is there already. It can't be guessed: 62 bits of it
    are random.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    return uuid.UUID(
        int=milliseconds << 80 | VERSION | (rest * PARTS // 1_000_000) << 64 | VARIANT | secrets.randbits(62)
    )
