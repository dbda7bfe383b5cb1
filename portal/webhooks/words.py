"""The words by which contacts are found: of names, e-mails, phone numbers and contact IDs, those of before too.

A search finds contacts whose words begin with its own. Both sides are folded alike: case and accents don't matter.
"""

import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Table,
    and_,
    exists,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from ..extensions import db
from ..rows import Insert, Ready, insert, ready
from .log_models import SearchWord

LONGEST = 64
"""Characters of a word that count."""
MOST = 60
"""Words of one change, or of one search, at most."""
BACKWARDS = "\x00"
"""Begins a number that is written backwards, so that its last digits find it too."""
WORD = cast(Table, SearchWord.__table__)
PROBE = 8
"""To look a contact's word up takes as long as to read so many words on in an index."""
_PIECE = re.compile(r"\w+")
_NUMBER = re.compile(r"[+(\d][\d\s()./-]*")


def remember(workspace_id: uuid.UUID, contact_id: uuid.UUID, texts: Iterable[str]) -> None:
    """Let the contact be found by these texts, and still by those of before; one statement."""
    insert(known(workspace_id, {contact_id: texts}))


def known(workspace_id: uuid.UUID, known_by: Mapping[uuid.UUID, Iterable[str]]) -> Ready | None:
    """What lets each of these contacts be found by its texts, and still by those of before, ready to be inserted."""
    pairs = [(contact_id, word) for contact_id, texts in known_by.items() for word in folded(texts)]
    rows = [{"contact_id": contact_id, "word": word, "workspace_id": workspace_id} for contact_id, word in pairs]
    return ready(WORD, rows, _unless_there)


def _unless_there(new: Insert) -> Insert:
    return new.on_conflict_do_nothing()


def folded(texts: Iterable[str]) -> list[bytes]:
    """The words of these texts, as they are stored: none with which another one begins, for that one is found by it."""
    found = sorted({word for text in texts for word in _cut_words(text)})
    return [word for word, following in pairwise([*found, b""]) if not following.startswith(word)][:MOST]


@lru_cache(maxsize=4096)
def _cut_words(text: str) -> frozenset[bytes]:
    """Kept for a while: what a contact is found by in the list, the log is asked for a moment later."""
    return frozenset(map(_cut, _words(text)))


def asked(text: str) -> list[list[bytes]]:
    """What a search asks for: each of the beginnings, or of its alternatives, must begin a word of the contact."""
    text = fold(text)
    if _NUMBER.fullmatch(text) and (digits := _digits(text)):
        backwards = BACKWARDS + digits.lstrip("0")[::-1]
        return [[_cut(digits), _cut(text), _cut(backwards)]]
    pieces = (chunk if "@" in chunk else (_PIECE.findall(chunk) or chunk) for chunk in text.split())
    words = [word for found in pieces for word in ([found] if isinstance(found, str) else found)]
    return [[_cut(word)] for word in dict.fromkeys(words)][:MOST]


def known_by(contact_id: Any, beginnings: list[list[bytes]]) -> ColumnElement[bool]:
    """SQL: the contact has all of these."""
    word = aliased(SearchWord)
    each = [[exists().where(word.contact_id == contact_id, _begins(word, one)) for one in ones] for ones in beginnings]
    return and_(true(), *(or_(*ones) for ones in each))


def contacts(workspace_id: uuid.UUID, beginnings: list[list[bytes]], most: int, looks: int) -> list[uuid.UUID] | None:
    """The contacts that have all of these; None when they are more, or when it takes more looks to tell."""
    ranges = [_range(workspace_id, ones, looks + 1) for ones in beginnings]
    if len(ranges) == 1:
        return _few(select(ranges[0].c.contact_id), most)
    counts = [select(func.count()).select_from(one).scalar_subquery() for one in ranges]
    sizes = db.session.execute(select(*counts)).one()
    first = min(range(len(sizes)), key=lambda number: sizes[number])
    if sizes[first] > looks:
        return None
    query = select(ranges[first].c.contact_id)
    for number, size in enumerate(sizes):
        if number != first and size <= min(looks, sizes[first] * PROBE):
            query = query.where(ranges[first].c.contact_id.in_(select(ranges[number].c.contact_id)))
        elif number != first:
            query = query.where(known_by(ranges[first].c.contact_id, [beginnings[number]]))
    return _few(query, most)


def _range(workspace_id: uuid.UUID, ones: list[bytes], limit: int) -> Subquery:
    """The contacts with a word that begins with one of these, as far as is looked."""
    mine = select(SearchWord.contact_id).where(SearchWord.workspace_id == workspace_id)
    # A range at a time is what both databases read from an index; "or" is not.
    return union_all(*(select(mine.where(_begins(SearchWord, one)).limit(limit).subquery()) for one in ones)).subquery()


def _few(query: Select[Any], most: int) -> list[uuid.UUID] | None:
    found = db.session.scalars(query.distinct().limit(most + 1)).all()
    return list(found) if len(found) <= most else None


def _begins(word: type[SearchWord], beginning: bytes) -> ColumnElement[bool]:
    return and_(word.word >= beginning, word.word < beginning + b"\xff")


def _words(text: str) -> Iterable[str]:
    """A text's words; an address also as a whole, and what is no more than a number also from its end."""
    text = fold(text)
    if _NUMBER.fullmatch(text) and (digits := _digits(text)):
        yield from (digits, BACKWARDS + digits[::-1], text)
    for chunk in text.split():
        yield chunk
        yield from _PIECE.findall(chunk)
        if "@" in chunk:
            yield chunk.partition("@")[2]


def fold(text: str) -> str:
    """The text as it is compared: without case and accents."""
    if text.isascii():  # most are, and imports fold millions
        return text.lower().replace("\x00", "").strip()
    signs = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in signs if not unicodedata.combining(sign)).casefold().replace("\x00", "").strip()


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _cut(word: str) -> bytes:
    return word[:LONGEST].encode("utf-8", "replace")
