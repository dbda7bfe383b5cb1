"""What some rows of a file would do, decided one by one: make a contact, change one, nothing, or be refused."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from ..contacts.many import locked
from ..contacts.models import Contact
from ..contacts.sheet import unguarded
from ..extensions import db
from ..fields import text_problem, trim
from .matching import MATCHES, NOBODY, Kinds, Known, keys_of, possible, spelled
from .models import How, Import
from .reading import LONGEST_CELL, Record
from .targets import Refused, Target, targets

TAGS = "tags"
NUL = "\0"
"""PostgreSQL's text can't hold it: what does is neither looked up nor told in a reason."""


Versions = frozenset[tuple[uuid.UUID, datetime]]


@dataclass(frozen=True, slots=True)
class Mapped:
    """A column that goes to a field."""

    index: int
    target: Target
    how: How


@dataclass(slots=True)
class Plan:
    """What the rows do. Values are as `contacts.service` takes them."""

    create: list[tuple[Record, dict[str, Any]]] = field(default_factory=list)
    change: list[tuple[Record, uuid.UUID, dict[str, Any]]] = field(default_factory=list)
    unchanged: int = 0
    refused: list[tuple[Record, str]] = field(default_factory=list)
    wanted: Sequence[Kinds] = ()
    """The keys of the rows."""
    seen: Versions = frozenset()
    """The contacts that the rows could be about, as they were."""

    @property
    def counts(self) -> dict[str, int]:
        return {"new": len(self.create), "changed": len(self.change), "unchanged": self.unchanged,
                "refused": len(self.refused)}  # fmt: skip


def still_holds(workspace_id: uuid.UUID, plan: Plan) -> bool:
    """Whether none of the contacts that the rows could be about came, went or changed since it was made. If so, they
    stay as they are until the commit."""
    ids = possible(workspace_id, plan.wanted)
    mine = select(Contact.id, Contact.changed_at).where(Contact.workspace_id == workspace_id, Contact.id.in_(ids))
    rows = db.session.execute(mine.order_by(Contact.id).with_for_update()) if ids else ()
    return plan.seen == frozenset((key, at) for key, at in rows)


class Planner:
    """Plans rows of one import by what it says of columns and by the fields and people of its workspace."""

    def __init__(self, made: Import) -> None:
        known = targets(made.workspace_id)
        self.made, self.tags_target = made, known[TAGS]
        self.columns = [
            Mapped(index, known[key], How(how)) for index, (key, how) in enumerate(made.columns) if key in known
        ]
        self.required = [one for one in known.values() if one.column.field and one.column.field.is_required]

    def plan(self, rows: Sequence[Record], locks: bool) -> tuple[Plan, Known]:
        """Decide on rows that follow each other; `locks` holds the contacts as they are until the commit."""
        texts = [self._texts(row) for row in rows]
        wanted = [self._keys(one) for one in texts]
        ids = possible(self.made.workspace_id, wanted)
        contacts = locked(self.made.workspace_id, ids) if locks else _read(self.made.workspace_id, ids)
        known = Known.of(self.made.id, self.made.match, contacts, wanted, before=rows[0].row)
        plan = Plan(wanted=wanted, seen=frozenset((one.id, one.changed_at) for one in contacts))
        for row, of, keys in zip(rows, texts, wanted, strict=True):
            try:
                self._decide(plan, known, row, of, keys)
            except Refused as refused:
                plan.refused.append((row, str(refused)))
        return plan, known

    def _decide(self, plan: Plan, known: Known, row: Record, texts: dict[str, str], keys: dict[str, str]) -> None:
        self._refuse_malformed(row, texts)
        contact = known.find(keys)
        if contact is None:
            values = self._values(texts)
            if not any(values.get(name) for name in ("email", "phone_number", "contact_id")):
                raise Refused(NOBODY)
            plan.create.append((row, values))
            known.tell(row.row, keys.get("contactId", ""), None, keys)
            return
        values = self._changes(texts, contact)
        told = {kind: spelled(kind, text) for kind, text in self._told(values).items()}
        known.tell(row.row, contact.contact_id, contact, keys_of(contact), told)
        if values:
            plan.change.append((row, contact.id, values))
        else:
            plan.unchanged += 1

    def _refuse_malformed(self, row: Record, texts: dict[str, str]) -> None:
        if row.problem:
            raise Refused(row.problem)
        if any(cell.strip() for cell in row.cells[len(self.made.columns) :]):
            raise Refused(f"The row has {len(row.cells)} cells, but there are {len(self.made.columns)} columns.")
        for one in self._targets():
            if NUL in texts.get(one.key, ""):
                raise Refused(text_problem(one.column.label, texts[one.key], LONGEST_CELL))

    def _texts(self, row: Record) -> dict[str, str]:
        """What the row says, by keys of targets; blank cells say nothing."""
        cells = {one.target.key: trim(unguarded(row.cells[one.index])) for one in self.columns
                 if one.index < len(row.cells)}  # fmt: skip
        return {key: text for key, text in cells.items() if text}

    def _keys(self, texts: dict[str, str]) -> dict[str, str]:
        return {kind: spelled(kind, texts[kind]) for kind in MATCHES if NUL not in texts.get(kind, NUL)}

    def _values(self, texts: dict[str, str]) -> dict[str, Any]:
        """A new contact."""
        found = {one.key: one.clean(texts[one.key], None) for one in self._targets() if one.key in texts}
        found[TAGS] = _together(found.get(TAGS) or [], self.made.tags)
        if missing := [one.column.label for one in self.required if found.get(one.key) is None]:
            raise Refused(f"A new contact needs {missing[0]}.")
        return self._as_values(found)

    def _changes(self, texts: dict[str, str], contact: Contact) -> dict[str, Any]:
        """What would differ of a contact that is there."""
        found = {}
        for one in self.columns:
            if one.target.key in texts and one.target.key != "contactId":
                new = one.target.becomes(texts[one.target.key], one.how, contact)
                if new != one.target.current(contact):
                    found[one.target.key] = new
        there = [tag.name for tag in contact.tags]
        carried = found.pop(TAGS, there)
        wanted = _together(carried, self.made.tags)
        if _cases(wanted) != _cases(there):
            found[TAGS] = wanted if wanted == carried else self.tags_target.clean(", ".join(wanted), None)
        return self._as_values(found)

    def _as_values(self, found: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for one in [*self._targets(), self.tags_target]:
            if one.key not in found:
                continue
            if one.column.field:
                values.setdefault("custom_fields", {})[str(one.column.field.id)] = found[one.key]
            else:
                values[one.attribute] = found[one.key]
        return values

    def _targets(self) -> list[Target]:
        return [one.target for one in self.columns]

    @staticmethod
    def _told(values: dict[str, Any]) -> dict[str, str]:
        names = {"email": "email", "phoneNumber": "phone_number"}
        return {kind: values[name] for kind, name in names.items() if values.get(name)}


def _read(workspace_id: uuid.UUID, ids: Collection[uuid.UUID]) -> list[Contact]:
    return list(db.session.scalars(select(Contact).where(Contact.workspace_id == workspace_id, Contact.id.in_(ids))))


def _together(names: Sequence[str], more: Sequence[str]) -> list[str]:
    there = _cases(names)
    return [*names, *(name for name in more if name.casefold() not in there)]


def _cases(names: Sequence[str]) -> set[str]:
    """Names in one case: it tells no two tags apart."""
    return {name.casefold() for name in names}
