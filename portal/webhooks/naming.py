"""Whether texts that people typed or uploaded name a person: by whole words, without case and accents.

Never by a part of a word: "Tom" does not stand in "Customer".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from .words import fold

SHORTEST, SHORTEST_ID = 3, 5
"""Characters from which a name, and from which a number is taken to name somebody."""
EDGE = r"[\s,;:()<>\"'/|]"
"""What stands around a word. No dot and no @: the words of an e-mail address are many people's."""
BETWEEN_DIGITS = str.maketrans("", "", " \t()./-")
Texts = Iterable[str | None]


@dataclass(frozen=True, slots=True)
class Person:
    """What names a person, folded."""

    names: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    """Phone numbers as digits, and contact IDs: what says nothing else is one of these."""

    @classmethod
    def of(cls, names: Texts, emails: Texts, phones: Texts = (), contact_id: str = "") -> Self:
        """The person of these facts; blanks and what is too short to name anybody are left out."""
        numbers = {_number(fold(text)) for text in phones if text} | {fold(contact_id)}
        ids = frozenset(one for one in numbers if len(one) >= SHORTEST_ID)
        return cls(_texts(names), _texts(emails), ids)

    def is_sought(self, text: str) -> bool:
        """Whether who looks for this text looks for the person; one of the names is enough."""
        return self.is_told_by([text]) or any(_stands(name, fold(text)) for name in self.names)

    def is_told_by(self, cells: Sequence[str]) -> bool:
        """Whether a row is about the person: first and last name together, for one alone is many people's."""
        line = fold("\n".join(map(str, cells)))
        words = {word for name in self.names for word in name.split()}
        named = len(words) > 1 and all(_stands(word, line) for word in words)
        return named or any(_stands(email, line) for email in self.emails) or self._is_numbered_by(line)

    def _is_numbered_by(self, line: str) -> bool:
        shorter = line.translate(BETWEEN_DIGITS)  # files have many rows, and few have the number
        if not any(one.translate(BETWEEN_DIGITS) in shorter for one in self.ids):
            return False
        return any(text.strip() in self.ids or _number(text) in self.ids for text in line.split("\n"))


def _texts(texts: Texts) -> frozenset[str]:
    return frozenset(folded for text in texts if text and len(folded := fold(text)) >= SHORTEST)


def _stands(word: str, text: str) -> bool:
    around = rf"(?:(?<={EDGE})|^){re.escape(word)}[.!?]?(?:(?={EDGE})|$)"
    return word in text and re.search(around, text) is not None


def _number(folded: str) -> str:
    """The digits of what is no more than a phone number, 00 being a plus."""
    if not re.fullmatch(r"[+(\d][\d\s()./-]*", folded):
        return ""
    return re.sub(r"[^0-9]", "", folded).removeprefix("00")
