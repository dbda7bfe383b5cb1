"""The usual mistakes of code that verifies signatures: how to mend them, and what they would compute. Pure.

Each function lists what stands in for one ingredient of a signature (the key, the body, the timestamp, the id, the way
they are joined), together with the mistake that puts it there.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .signing import PREFIX

OWN_CLOCK_SECONDS = range(-3, 16)
"""How far the clock of a receiver that takes its own time instead of the header's may be from the header."""
MAX_JSON = 256 * 1024
"""Bodies larger than this are not written anew in all the ways that there are."""
NOTHINGS = ("", "undefined", "null", "None", "nil")
"""What languages make of a header that was not found."""

Digest = Callable[[str, bytes], bytes]
"""Computes with the hash of that name over a message."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What the code did, as a short title, and what to do instead."""

    title: str
    fix: str


@dataclass(frozen=True, slots=True)
class Key:
    """A secret, never shown; what people call it; and the mistake of using it, if it is not the one that signed."""

    secret: str = field(repr=False)
    words: str
    mistake: Mistake | None = None


Variants = list[tuple[Mistake | None, Any]]

NO_BYTES_CHANGED = "Take the bytes of the request as they come, before anything reads them as JSON or as text."
RAW = (
    f"{NO_BYTES_CHANGED} Flask: request.get_data(). Express: express.raw({{ type: '*/*' }}). PHP: php://input."
    " Rails: request.raw_post. Spring: byte[]. Go: io.ReadAll."
)
HEX = Mistake("Hex instead of base64", "The digest is right. Write it in base64, not as hexadecimal digits.")
URL_SAFE = Mistake(
    "The other base64 alphabet", "The digest is right. Use standard base64, with + and / where yours has - and _."
)
UNPADDED = Mistake("The = at the end is missing", "The digest is right. Keep the padding of base64: = up to 4 signs.")
HEX_IN_BASE64 = Mistake(
    "Base64 of the hexadecimal digits",
    "Put the digest's raw bytes into base64: digest() instead of hexdigest(), and in PHP true as last argument.",
)
NEWLINE = Mistake(
    "A newline that was trimmed or added",
    f"{NO_BYTES_CHANGED} Do not trim, and use echo -n or printf where a shell computes.",
)
LINE_ENDS = Mistake("Line ends were changed", f"{NO_BYTES_CHANGED} Something turned \\n into \\r\\n or back.")
TRIMMED = Mistake("White space around the body was trimmed", NO_BYTES_CHANGED)
NO_BODY = Mistake(
    "The body was empty", "Something read the body before your code did. Keep its bytes, or read it only once."
)
ENCODED = Mistake("The body in another encoding", f"{NO_BYTES_CHANGED} The body is UTF-8: never decode and encode it.")
REPR = Mistake("The body as the language prints it", "Join bytes with bytes: putting them into a text adds signs.")
PART = Mistake("Only a part of the body", f"Sign the whole body, not what stands in one of its fields. {RAW}")
WITH_PREFIX = Mistake(
    "The secret as text, with whsec_ before it",
    "The key is not the text. Take what follows whsec_ and decode it from base64: these bytes are the key.",
)
AS_TEXT = Mistake(
    "The secret as text, not decoded", "What follows whsec_ is base64: decode it, and take the bytes as the key."
)
PREFIX_DECODED = Mistake("whsec_ was decoded too", "Cut whsec_ off first, then decode what is left from base64.")
NO_KEY = Mistake("An empty secret", "Your code found no secret: look whether its variable is set where your code runs.")
NO_HMAC = Mistake("A plain hash instead of an HMAC", "Use HMAC with the key: a hash alone proves nothing.")
MILLISECONDS = Mistake(
    "Milliseconds instead of seconds", "Sign webhook-timestamp as the text that came, in seconds. Do not convert it."
)
WRONG_STAMP = Mistake(
    "The timestamp was converted", "Sign webhook-timestamp as the text that came: no number, no date."
)
OWN_CLOCK = Mistake(
    "Your own clock instead of the header", "Sign the webhook-timestamp that came. Compare it with your clock apart."
)
OTHER_ATTEMPT = Mistake(
    "The timestamp of another attempt", "Each attempt has a timestamp of its own: take both headers from one request."
)
NO_STAMP = Mistake("No timestamp was found", "Read the header webhook-timestamp. Names of headers have no case.")
NO_ID = Mistake("No id was found", "Read the header webhook-id. Names of headers have no case.")
CUT_ID = Mistake("The id was changed", "Sign the whole webhook-id as it came, with msg_ at its beginning.")
BODY_ALONE = Mistake(
    "The body alone", "Sign webhook-id, webhook-timestamp and body, joined by dots: id.timestamp.body."
)
PART_MISSING = Mistake("A part is missing", "Sign all three, joined by dots: id.timestamp.body.")
ORDER = Mistake("The wrong order", "First webhook-id, then webhook-timestamp, then the body: id.timestamp.body.")
SEPARATOR = Mistake("The wrong sign between parts", "A dot and nothing else belongs between them: id.timestamp.body.")
CUT_SHORT = Mistake(
    "Only the beginning of it",
    "It begins like the right one and then ends. Copy all of it, or look for what cuts it.",
)


def algorithm(name: str) -> Mistake:
    """The mistake of computing with the hash of that name."""
    shown = name.upper().replace("SHA", "SHA-")
    return Mistake(f"{shown} instead of SHA-256", "Compute HMAC-SHA256. The length of what you pasted gives it away.")


def written_anew(how: str) -> Mistake:
    """The mistake of signing what a JSON library writes after reading the body."""
    return Mistake(f"The body was parsed and written anew ({how})", f"One changed space changes the signature. {RAW}")


def keyed(key: bytes) -> Digest:
    """HMAC with that key."""
    return lambda name, message: hmac.digest(key, message, name)


def decoded(secret: str) -> bytes:
    """The key of a secret."""
    return base64.b64decode(secret.removeprefix(PREFIX))


def keys(signing: Key, others: Iterable[Key]) -> Variants:
    """Ways of using the right secret or another one."""
    found: Variants = [(signing.mistake, keyed(decoded(signing.secret)))]
    found += [(signing.mistake or mistake, keyed(key)) for mistake, key in _misread(signing.secret)]
    found += [(NO_KEY, keyed(b"")), (NO_HMAC, _plain)]
    for key in (decoded(signing.secret), signing.secret.encode()):
        found += [(NO_HMAC, partial(_around, key)), (NO_HMAC, partial(_around, b"", after=key))]
    for other in others:
        found += [(other.mistake, keyed(decoded(other.secret)))]
        found += [(other.mistake, keyed(key)) for _, key in _misread(other.secret)]
    return found


def bodies(body: bytes) -> Variants:
    """What else may be taken for the body."""
    line = body.rstrip(b"\r\n")
    found: Variants = [(None, body), (NEWLINE, line), (NEWLINE, body + b"\n")]
    found += [(NEWLINE, body + b"\r\n"), (TRIMMED, body.strip()), (NO_BODY, b"")]
    found += [(LINE_ENDS, body.replace(b"\n", b"\r\n")), (LINE_ENDS, body.replace(b"\r\n", b"\n"))]
    found += [(ENCODED, other) for other in _encodings(body)]
    found += [(REPR, repr(body).encode()), (REPR, b"[object Object]"), (ENCODED, base64.b64encode(body))]
    found += _rewritten(body)
    return _different(found)


def stamps(stamp: str, others: Sequence[str]) -> Variants:
    """What else may be taken for the timestamp; `others` are those of other attempts."""
    found: Variants = [(None, stamp)]
    if stamp.isascii() and stamp.isdigit() and len(stamp) < 15:
        seconds = int(stamp)
        found += [(MILLISECONDS, f"{seconds}000"), (MILLISECONDS, str(seconds // 1000))]
        found += [(MILLISECONDS, str(seconds / 1000)), (WRONG_STAMP, f"{seconds}.0")]
        found += [(OTHER_ATTEMPT, other) for other in others]
        found += [(OWN_CLOCK, str(seconds + off)) for off in OWN_CLOCK_SECONDS]
    return _different(found + [(NO_STAMP, nothing) for nothing in NOTHINGS])


def ids(event_id: str, delivery_id: str) -> Variants:
    """What else may be taken for the id."""
    found: Variants = [(None, event_id), (CUT_ID, event_id.removeprefix("msg_")), (CUT_ID, delivery_id)]
    return _different(found + [(NO_ID, nothing) for nothing in NOTHINGS])


def joints() -> Variants:
    """Ways of joining id, timestamp and body."""
    found: list[tuple[Mistake | None, str]] = [
        (None, "{i}.{t}.{b}"), (BODY_ALONE, "{b}"), (PART_MISSING, "{t}.{b}"), (PART_MISSING, "{i}.{b}"),
        (PART_MISSING, "{i}.{t}"), (PART_MISSING, "{i}.{t}."), (PART_MISSING, "{t}{b}"), (PART_MISSING, "{i}{b}"),
        (ORDER, "{t}.{i}.{b}"), (ORDER, "{i}.{b}.{t}"), (ORDER, "{t}.{b}.{i}"), (ORDER, "{b}.{i}.{t}"),
        (ORDER, "{b}.{t}.{i}"), (ORDER, "{b}{t}"), (SEPARATOR, "v0:{t}:{b}"), (SEPARATOR, "v1.{i}.{t}.{b}"),
    ]  # fmt: skip
    found += [(SEPARATOR, sign.join(("{i}", "{t}", "{b}"))) for sign in ("", ":", ",", "|", "\n", " ", "-", "_", ". ")]
    return [(mistake, partial(_join, template.encode())) for mistake, template in found]


def _join(template: bytes, event_id: str, stamp: str, body: bytes) -> bytes:
    # One after the other would replace what looks like a place in the body too.
    before, _, after = template.partition(b"{b}")
    before, after = (
        side.replace(b"{i}", event_id.encode()).replace(b"{t}", stamp.encode()) for side in (before, after)
    )
    return before + body + after if b"{b}" in template else before


def _plain(name: str, message: bytes) -> bytes:
    return hashlib.new(name, message, usedforsecurity=False).digest()


def _around(before: bytes, name: str, message: bytes, after: bytes = b"") -> bytes:
    return _plain(name, before + message + after)


def _misread(secret: str) -> Iterator[tuple[Mistake, bytes]]:
    """The key as it comes out of a secret that is not decoded, or not as it should be."""
    text = secret.removeprefix(PREFIX)
    for end in ("", "\n"):
        yield WITH_PREFIX, (secret + end).encode()
        yield AS_TEXT, (text + end).encode()
    for start in (PREFIX.replace("_", "/"), PREFIX.rstrip("_")):  # decoders that take it for a letter, or skip it
        letters = (start + text).rstrip("=")
        letters = letters[:-1] if len(letters) % 4 == 1 else letters
        yield PREFIX_DECODED, base64.b64decode(letters + "=" * (-len(letters) % 4))


def _encodings(body: bytes) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + body
    yield body.decode("latin-1").encode()
    yield body.decode("utf-8", "replace").encode()
    yield body.decode("utf-8", "ignore").encode()
    text = body.decode("utf-8", "replace")
    for name in ("latin-1", "cp1252", "ascii"):
        yield from (text.encode(name, errors) for errors in ("replace", "ignore"))
    yield from (text.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be"))


def _rewritten(body: bytes) -> Iterator[tuple[Mistake, bytes]]:
    try:
        data = json.loads(body) if len(body) <= MAX_JSON else None
    except (ValueError, RecursionError):
        return
    if isinstance(data, dict):
        for how, text in _writings(data):
            yield written_anew(how), text.encode("utf-8", "surrogatepass")
        for part in data.values():
            yield PART, json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _writings(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How JSON libraries write it, by what they are known for."""
    for is_sorted, order in ((False, ""), (True, ", keys sorted")):
        for escapes, letters in ((False, ""), (True, ", other letters as \\u")):
            write = partial(json.dumps, data, sort_keys=is_sorted, ensure_ascii=escapes)
            yield f"without spaces{letters}{order}", (compact := write(separators=(",", ":")))
            yield f"with spaces after comma and colon{letters}{order}", write()
            for indent, name in ((2, "2 spaces"), (4, "4 spaces"), ("\t", "a tab")):
                yield f"indented by {name}{letters}{order}", write(indent=indent)
            yield f"slashes as \\/, as PHP does{letters}{order}", compact.replace("/", "\\/")
            angled = compact.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
            yield f"< > & as \\u, as Go does{letters}{order}", angled
    yield "as Python prints a dictionary", str(data)


def _different(variants: Variants) -> Variants:
    """Without those that equal one before them: nobody can tell them apart."""
    seen: dict[Any, Mistake | None] = {}
    for mistake, value in variants:
        seen.setdefault(value, mistake)
    return [(mistake, value) for value, mistake in seen.items()]
