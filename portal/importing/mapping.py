"""Which column goes to which field: guessed from the header and from what the workspace chose before, then chosen."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from ..contacts.forms import MAX_TAG_NAME, MAX_TAGS
from ..contacts.sheet import unguarded
from ..extensions import db
from . import sniffing, storing
from .matching import MATCHES
from .models import How, Import, Stage
from .naming import Goes, Names, exactly, meant
from .reading import Record, Unreadable
from .targets import Refused, Target, targets

REMEMBERED = 20
"""Imports of the workspace whose choices are looked at."""
SAMPLES, SHOWN = 3, 80
"""Values of each column that are shown, and characters of each."""
LONGEST_NAME = 101
"""Characters of a custom field's name, and the apostrophe that may guard it."""
REASON = "Reason"
"""The column of refused rows that says why; never imported."""
LEFT_OUT = ""
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
HOWS = {How.OVERWRITE: "Overwrite", How.FILL: "Fill blanks only", How.APPEND: "Append"}
FIRST_HOW = {"tags": How.APPEND, "notes": How.APPEND}
"""Where something else than overwriting is what most people mean."""


@dataclass
class Choice:
    """What a person chose on the page of columns, and what is wrong with it, by field of the form."""

    columns: list[list[str]] = field(default_factory=list)
    match: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def read(made: Import, has_header: bool | None = None) -> None:
    """Read the first rows by the import's encoding and delimiter, and guess what the columns are. Raises Unreadable.

    None leaves it to the look of the first row whether it names columns.
    """
    found, known = storing.begin_reading(made), targets(made.workspace_id)
    remembered, usual = _remembered(made.workspace_id, known), Names.usual(known)
    if has_header is None:
        has_header = sniffing.is_header(found[0].cells, lambda cell: cell in remembered or cell in usual)
    first, rows = found[0], found[1:] if has_header else found
    if not rows and made.size < sniffing.HEAD:
        raise Unreadable("The file names columns and has no rows below them.")
    width = len(first.cells) if has_header else max(len(one.cells) for one in found)
    made.header_row = first.row if has_header else 0
    made.headers = [name.strip()[:LONGEST_NAME] for name in first.cells] if has_header else [""] * width
    made.samples = [_samples(rows, index) for index in range(width)]
    made.columns = _guess(made, known, remembered, usual)
    made.match = [kind for kind in MATCHES if any(kind == key for key, _ in made.columns)]


def chosen(made: Import, form: Mapping[str, str]) -> Choice:
    """What was chosen in the form, with everything that is wrong with it."""
    known, choice = targets(made.workspace_id), Choice()
    taken: dict[str, int] = {}
    for index in range(len(made.columns)):
        key = form.get(f"to-{index}", LEFT_OUT)
        target = known.get(key)
        how = form.get(f"how-{index}", "")
        choice.columns.append([key, _how(target, how)] if target else [LEFT_OUT, ""])
        if target and how == How.APPEND and how not in target.hows and len(target.hows) > 1:
            choice.problems[f"how-{index}"] = (
                f"Nothing can be appended to {target.column.label}: a contact has only one."
            )
        if target and key in taken:
            choice.problems[f"to-{index}"] = f"{target.column.label} is filled by column {taken[key] + 1} already."
        taken.setdefault(key, index)
    choice.match = _match(form, taken, choice)
    choice.tags = _tags(form.get("tags", ""), known["tags"], choice)
    if not taken.keys() - {LEFT_OUT}:
        choice.problems["to-0"] = "Choose a field for at least one column."
    return choice


def save(made: Import, choice: Choice) -> None:
    """Keep what was chosen; the next file with these headers begins with it."""
    made.columns, made.match, made.tags = choice.columns, choice.match, choice.tags


def _match(form: Mapping[str, str], taken: Mapping[str, int], choice: Choice) -> list[str]:
    wanted = [form.get(f"match-{place}", "") for place in range(len(MATCHES))]
    found = list(dict.fromkeys(kind for kind in wanted if kind in MATCHES))
    for kind in found:
        if kind not in taken:
            choice.problems[f"match-{wanted.index(kind)}"] = f"No column goes to {MATCHES[kind]}."
    if not found:
        choice.problems["match-0"] = "Say by what a contact that exists is found again."
    if not any(kind in taken for kind in MATCHES):
        choice.problems["match-0"] = (
            "A column has to go to Contact ID, Email or Phone number: a contact is known by one."
        )
    return found


def _tags(text: str, target: Target, choice: Choice) -> list[str]:
    try:
        return target.clean(text.strip(), None) if text.strip() else []
    except Refused as refused:
        choice.problems["tags"] = str(refused)
        return list(filter(None, map(str.strip, text.split(","))))[: 2 * MAX_TAGS * MAX_TAG_NAME]


def _how(target: Target, word: str) -> str:
    return word if word in target.hows else _first_how(target)


def _first_how(target: Target) -> str:
    how = FIRST_HOW.get(target.key, How.OVERWRITE)
    return how if how in target.hows else target.hows[0]


def _guess(made: Import, known: Mapping[str, Target], *names: Names) -> list[list[str]]:
    """The remembered or usual field for each column; of two columns for one field the first gets it."""
    found, taken = [], {LEFT_OUT}
    for header, samples in zip(made.headers, made.samples, strict=True):
        key, how = meant(header, *names) or (_looks_like(samples), "")
        key = key if key in known and key not in taken and header != REASON else LEFT_OUT
        taken.add(key)
        found.append([key, _how(known[key], how)] if key else [LEFT_OUT, ""])
    return found


def _looks_like(samples: Sequence[str]) -> str:
    """E-mail addresses say by themselves what they are; of other values nobody can tell."""
    return "email" if samples and all(EMAIL.fullmatch(one) for one in samples) else LEFT_OUT


def _remembered(workspace_id: uuid.UUID, known: Collection[str]) -> Names:
    """What the columns of the workspace's last imports went to, by the name of the column; the latest choice counts."""
    query = select(Import.headers, Import.columns).where(
        Import.workspace_id == workspace_id, Import.stage != Stage.MAPPING
    )
    last = db.session.execute(query.order_by(Import.created_at.desc()).limit(REMEMBERED)).all()
    choices: dict[str, Goes] = {}
    for headers, columns in reversed(last):
        choices |= _choices(headers, columns, known)
    return Names.chosen(choices)


def _choices(headers: Sequence[str], columns: Sequence[Sequence[str]], known: Collection[str]) -> dict[str, Goes]:
    """What one import says of names. Of columns with one name only one can go to its field: the first that does."""
    choices: dict[str, Goes] = {}
    for header, (key, how) in reversed(list(zip(headers, columns, strict=False))):
        name = exactly(unguarded(header))
        if name and (key in known or (key == LEFT_OUT and name not in choices)):
            choices[name] = key, how
    return choices


def _samples(rows: Sequence[Record], index: int) -> list[str]:
    values = (one.cells[index].strip() for one in rows if index < len(one.cells))
    return [value[:SHOWN] for value in dict.fromkeys(values) if value][:SAMPLES]
