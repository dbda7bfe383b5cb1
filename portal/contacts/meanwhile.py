"""Two people on one contact: what somebody else saved since a form was opened, field by field.

A form carries its `version`: a fingerprint of each of its fields as they were when it was made. When it comes back, a
field is one of four: as it was; changed here; changed by somebody else, which then stays as they saved it; or changed
by both, which is a clash, and the person chooses. A field that was added since then is none of these: the browser says
nothing about it, which in a form looks like a tick that was taken away. Nothing of all this is kept on the server.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wtforms import Field

from .forms import ContactForm

THEIRS, YOURS = "theirs", "yours"


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that somebody else changed meanwhile; `yours` is what was typed here, if that is something else."""

    name: str
    label: str
    theirs: str
    seen: str
    """The fingerprint of theirs: a choice is about what was shown, and not about what was saved after that."""
    yours: str | None = None


@dataclass(slots=True)
class Meanwhile:
    """What was found. `stays` are the fields that stay as somebody else saved them."""

    differences: list[Difference] = field(default_factory=list)
    stays: set[str] = field(default_factory=set)

    @property
    def clashes(self) -> list[Difference]:
        """What both changed, to different ends: somebody has to choose."""
        return [one for one in self.differences if one.yours is not None]


def version(form: ContactForm, but: Mapping[str, str] | None = None) -> str:
    """The form's fields as they are, for its hidden field; `but` are fingerprints of before that stay."""
    prints = {name: _print(one) for name, one in form.inputs.items()}
    return json.dumps(prints | {name: old for name, old in (but or {}).items() if name in prints})


def compare(form: ContactForm, now: ContactForm, carried: str, choices: Mapping[str, str]) -> Meanwhile:
    """Hold what was typed beside what the contact says now and beside what it said when the form was made.

    `choices` has for each clash that was shown "theirs" or "yours" with the fingerprint of what was shown.
    """
    found = Meanwhile()
    for name, old in prints(carried).items():
        if name not in form or name not in now:
            continue
        theirs, yours = _print(now[name]), _print(form[name])
        if theirs == old:
            continue
        choice = choices.get(f"keep-{name}", "")
        if yours in (old, theirs) or choice == f"{THEIRS} {theirs}":
            found.stays.add(name)
        if yours != theirs and choice not in (f"{THEIRS} {theirs}", f"{YOURS} {theirs}"):
            typed = None if yours == old else words(form[name])
            found.differences.append(Difference(name, form[name].label.text, words(now[name]), theirs, typed))
    return found


def add_late(form: ContactForm, now: ContactForm, carried: str) -> None:
    """Let the fields that the version knows nothing of say what the contact says."""
    known = prints(carried)
    for name in form.inputs.keys() - known.keys() if known else ():
        form[name].data = now[name].data


def adopt(form: ContactForm, now: ContactForm, found: Meanwhile, carried: str) -> str:
    """Show in the form what stays as somebody else saved it. Returns its new version: only clashes keep the old one."""
    for name in found.stays:
        form[name].data = now[name].data
    old = prints(carried)
    return version(now, {one.name: old[one.name] for one in found.clashes})


def prints(carried: str) -> dict[str, str]:
    """A version's fingerprints; none of what is no version."""
    try:
        read = json.loads(carried)
    except ValueError:
        return {}
    return {str(name): str(one) for name, one in read.items()} if isinstance(read, dict) else {}


def words(input_: Field) -> str:
    """What a field says, as a person reads it."""
    data = input_.data
    if isinstance(data, bool):
        return "on" if data else "off"
    if isinstance(data, list):
        return ", ".join(data)
    if input_.type == "SelectField":
        return next((one.label for one in input_.iter_choices() if one.value == (data or "") and one.value), "")
    return str(data or "")


def _print(input_: Field) -> str:
    """The same for what is the same to a person: null and "", CR LF and LF, tags in whatever order and case."""
    data: Any = input_.data
    if input_.short_name == "tags":
        data = sorted({word.strip().casefold() for word in (data or "").split(",")} - {""})
    elif isinstance(data, str):
        data = data.replace("\r\n", "\n").strip()
    text = json.dumps(data if data not in (None, "") else None)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
