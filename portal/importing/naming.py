"""What the name of a column means: by its exact spelling first, then by one without case, accents and signs."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from ..contacts.payload import COLUMNS
from ..contacts.sheet import kept_by_portal, unguarded
from .targets import OTHER_NAMES, Target

Goes = tuple[str, str]
"""The key of a field, "" for a column that is left out, and how; "" for how it is usual."""


@dataclass(frozen=True, slots=True)
class Names:
    """What columns go to by their names; None where that could be several."""

    exact: Mapping[str, Goes | None]
    loose: Mapping[str, Goes | None]

    @classmethod
    def chosen(cls, choices: Mapping[str, Goes]) -> Self:
        """By what people chose, of exact names. Two that are alike say nothing about a third."""
        loose = _one_each((folded(name), goes) for name, goes in choices.items())
        return cls(choices, {name: goes for name, goes in loose.items() if goes})

    @classmethod
    def usual(cls, known: Mapping[str, Target]) -> Self:
        """By what fields are called here and in other programs; here goes first. An export's names mean themselves."""
        labels = [(one.column.label, one.key) for one in known.values()]
        alone = [(one.label, one.key) for one in kept_by_portal()]
        keys = [(name, key) for key in known.keys() & COLUMNS.keys() for name in (key, COLUMNS[key])]
        exact = _one_each((exactly(name), (key, "")) for name, key in [*labels, *alone])
        return cls(exact, _SYNONYMS | _one_each((folded(name), (key, "")) for name, key in [*labels, *keys]))

    def __contains__(self, header: str) -> bool:
        """Whether it is a name at all, whatever it means."""
        return exactly(unguarded(header)) in self.exact or folded(header) in self.loose


def meant(header: str, *known: Names) -> Goes | None:
    """What the first says that knows the exact name, else the first that knows one like it; None if nobody can tell."""
    spellings = [(names.exact, exactly(unguarded(header))) for names in known]
    spellings += [(names.loose, folded(header)) for names in known]
    return next((names[name] for names, name in spellings if name in names), None)


def exactly(name: str) -> str:
    """A name but for its case, which tells no two fields apart."""
    return unicodedata.normalize("NFC", name.strip().casefold())


def folded(name: str) -> str:
    """A name without case, accents and signs; of signs alone nothing is left."""
    signs = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[\W_]+", "", "".join(sign for sign in signs if not unicodedata.combining(sign)))


def _one_each(names: Iterable[tuple[str, Goes]]) -> dict[str, Goes | None]:
    found: dict[str, Goes | None] = {}
    for name, goes in names:
        if name:
            found[name] = goes if found.get(name, goes) == goes else None
    return found


_SYNONYMS: dict[str, Goes | None] = {
    folded(name): (key, "") for key, text in OTHER_NAMES.items() for name in text.split(";")
}
