"""The signature lab: which usual mistake yields what somebody's code computed. Pure: facts in, verdict out.

Secrets go in and never come out: a verdict holds the words for mistakes and nothing that was computed.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from . import mistakes
from .mistakes import Key, Mistake, Variants

MAX_PASTED = 2_000
"""Characters that are looked at: the longest thing that makes sense here is a header with two signatures."""
MAX_TOKENS = 4
MAX_WORK = 48 * 1024 * 1024
"""Bytes that are hashed at most while looking for a mistake: about a fifth of a second."""
OVERHEAD = 500
"""Bytes that could be hashed in the time that a try takes besides."""
SHORTEST = 8
"""Characters from which the beginning of a signature is known as such."""
HASHES = {16: "md5", 20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
"""By the length of what they give."""
RIGHT_HASH = "sha256"

_LABEL = re.compile(r"^\s*webhook-signature\s*[:=]\s*", re.I)
_VERSION = re.compile(r"^(?:v\d|sha-?\d+|hmac-sha-?\d+|hmac)\s*[,=:]\s*", re.I)
_PRINTED = re.compile(r"^b?(['\"`])(.*)\1[,;]?$", re.S)
_HEX = re.compile(r"[0-9a-f]+", re.I)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Signed:
    """What one attempt signed, and the signatures that it carried ("v1,...")."""

    event_id: str
    stamp: str
    body: bytes
    signatures: tuple[str, ...]
    delivery_id: str
    other_stamps: tuple[str, ...] = ()
    """Those of other attempts."""

    @property
    def content(self) -> bytes:
        """The signed string."""
        return f"{self.event_id}.{self.stamp}.".encode() + self.body


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found: a tone and title for a note, and the mistakes, the deepest first."""

    tone: str
    title: str
    text: str = ""
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class Pasted:
    """A digest as it was read, and the mistake in how it was written."""

    digest: bytes
    mistake: Mistake | None = None


RIGHT = Verdict("ok", "It is the right one", "Your code computes what the portal computed.")
UNREADABLE = Verdict(
    "warn", "That is no signature", "Paste what your code computed: v1,... or the digest alone, in base64 or hex."
)
UNKNOWN = Verdict(
    "bad",
    "It is wrong, but none of the usual mistakes",
    "Everything below was computed from the bytes that were sent. Compare it with yours from top to bottom:"
    " what differs first is the cause.",
)


def judge(text: str, signed: Signed, signing: Sequence[Key], others: Sequence[Key]) -> Verdict:
    """What is wrong with a pasted signature. `signing` are the secrets that signed this attempt, `others` did not."""
    found = list(read(text))
    right = [base64.b64decode(one.partition(",")[2]) for one in signed.signatures]
    for pasted in found:
        if pasted.digest in right:
            return _told((pasted.mistake,)) if pasted.mistake else RIGHT
    if _begins_like(text, signed):
        return _told((mistakes.CUT_SHORT,))
    if not found:
        return UNREADABLE
    return _search(found, signed, signing, others)


def read(text: str) -> Iterator[Pasted]:
    """The digests that a pasted text may stand for."""
    for token in _tokens(text):
        if _HEX.fullmatch(token) and len(token) // 2 in HASHES and len(token) % 2 == 0:
            yield Pasted(bytes.fromhex(token), mistakes.HEX)
        if _BASE64.fullmatch(token):
            yield from _from_base64(token)


def _from_base64(token: str) -> Iterator[Pasted]:
    standard = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        digest = base64.b64decode(standard + "=" * (-len(standard) % 4))
    except binascii.Error:
        return
    if len(digest) in HASHES:
        url_safe = mistakes.URL_SAFE if "-" in token or "_" in token else None
        yield Pasted(digest, url_safe or (mistakes.UNPADDED if len(token) % 4 else None))
    if len(digest) // 2 in HASHES and _HEX.fullmatch(digest.decode("latin-1")) and len(digest) % 2 == 0:
        yield Pasted(bytes.fromhex(digest.decode()), mistakes.HEX_IN_BASE64)


def _tokens(text: str) -> list[str]:
    """The signatures in a text, without what commonly stands around them."""
    text = _LABEL.sub("", text[:MAX_PASTED]).strip()
    printed = _PRINTED.match(text)
    text = _LABEL.sub("", printed[2].strip()) if printed else text
    # Several signatures stand apart; a long one may have been broken into lines.
    parts = text.split() if len(re.findall(r"v\d[,=]", text)) > 1 else ["".join(text.split())]
    return [_VERSION.sub("", part) for part in parts[:MAX_TOKENS]]


def _begins_like(text: str, signed: Signed) -> bool:
    rights = [one.partition(",")[2] for one in signed.signatures]
    return any(len(token) >= SHORTEST and right.startswith(token) for token in _tokens(text) for right in rights
               if len(token) < len(right) - 1)  # fmt: skip


def _search(found: Sequence[Pasted], signed: Signed, signing: Sequence[Key], others: Sequence[Key]) -> Verdict:
    """Try what the usual mistakes would compute: one of them, then two at once, as far as the work may go."""
    wanted = {pasted.digest: pasted.mistake for pasted in found}
    names = sorted({HASHES[len(digest)] for digest in wanted})
    work = 0
    for made, digest, message in _tries(signed, signing, others):
        work += (len(message) + OVERHEAD) * len(names)
        if work > MAX_WORK:
            break
        for name in names:
            if (result := digest(name, message)) in wanted:
                odd_hash = None if name == RIGHT_HASH else mistakes.algorithm(name)
                return _told((*made, odd_hash, wanted[result]))
    return UNKNOWN


def _tries(
    signed: Signed, signing: Sequence[Key], others: Sequence[Key]
) -> Iterator[tuple[list[Mistake], mistakes.Digest, bytes]]:
    """What code with no, one or two mistakes computes: the mistakes, how it makes a digest, and of what."""
    axes = [
        mistakes.bodies(signed.body),
        mistakes.stamps(signed.stamp, signed.other_stamps),
        mistakes.ids(signed.event_id, signed.delivery_id),
        mistakes.joints(),
    ]
    all_keys = _all_keys(signing, others)
    for count in range(3):
        for wrong in combinations(range(len(axes) + 1), count):
            for ways in all_keys:
                yield from _with_wrong([ways, *axes], wrong)


def _all_keys(signing: Sequence[Key], others: Sequence[Key]) -> list[Variants]:
    """The keys, once for each secret that signed; where that secret is not known any more, all others are wrong."""
    if signing:
        return [mistakes.keys(one, others) for one in signing]
    return [mistakes.keys(one, ()) for one in others]


def _with_wrong(
    axes: Sequence[Variants], wrong: Sequence[int]
) -> Iterator[tuple[list[Mistake], mistakes.Digest, bytes]]:
    """All tries in which exactly the ingredients of these numbers are wrong."""
    choices = [axis[1:] if number in wrong else axis[:1] for number, axis in enumerate(axes)]
    for picked in product(*choices):
        key, body, stamp, event_id, joint = (value for _, value in picked)
        made = [mistake for mistake, _ in picked if mistake]
        yield made, key, joint(event_id, stamp, body)


def _told(made: Sequence[Mistake | None]) -> Verdict:
    """The verdict on these mistakes."""
    several = tuple(dict.fromkeys(mistake for mistake in made if mistake))
    if not several:
        return RIGHT
    title = several[0].title if len(several) == 1 else f"{len(several)} mistakes at once"
    return Verdict("bad", title, mistakes=several)
