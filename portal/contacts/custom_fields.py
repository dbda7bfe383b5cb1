"""Custom fields: defined, ordered, renamed, deleted. None of this is an event of a contact.

A contact keeps `{field id: value}`. A renamed field therefore touches no contact: the next event of each says the new
name. A deleted one is taken off all contacts at once, without an event; the next event of each lacks it.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, cast, func, or_, select, update

from ..extensions import db, is_sqlite
from .field_models import CustomField, FieldType
from .field_values import Value, is_blank
from .models import CUSTOM_FIELDS, Contact
from .ordering import close_up, next_position

MOST_FIELDS = 100
"""Of one workspace: a form of more is no form."""


class NameTaken(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Another field has this name already, in whatever case."""


class TooMany(Exception):  # noqa: N818  likewise
    """The workspace has as many fields as it can have."""


def fields_of(workspace_id: uuid.UUID) -> list[CustomField]:
    """The workspace's custom fields in their order, hidden ones included."""
    query = select(CustomField).where(CustomField.workspace_id == workspace_id)
    return list(db.session.scalars(query.order_by(CustomField.position, CustomField.id)))


def merged(
    carried: Mapping[str, Value], wanted: Mapping[Any, Value | None], fields: Sequence[CustomField]
) -> dict[str, Value]:
    """What a contact carries after a change by field id; None takes a value away, unknown fields are left out."""
    known = {str(field.id) for field in fields}
    changed = {str(key): value for key, value in wanted.items() if str(key) in known}
    values = {**carried, **changed}
    return {key: value for key, value in values.items() if value is not None and not is_blank(value)}


def in_payload(carried: Mapping[str, Value], fields: Sequence[CustomField]) -> list[dict[str, Any]]:
    """The contract's `customFields`: what has a value, in the fields' order and by their names of now."""
    return [
        {"id": str(field.id), "name": field.name, "type": field.type.value, "value": carried[str(field.id)]}
        for field in fields
        if str(field.id) in carried
    ]


def column_of(field: CustomField) -> ColumnElement[Any]:
    """The field's value of a contact in SQL, to compare; NULL where there is none.

    A number for numbers, a boolean for checkboxes, else text: dates and times as they are stored, which sorts by time.
    """
    value: Any = Contact.custom_fields[str(field.id)]
    column: ColumnElement[Any] = value.as_string()
    if field.type == FieldType.NUMBER:
        column = value.as_float()
    if field.type == FieldType.CHECKBOX:
        column = value.as_boolean()
    return column


def has_chosen(field: CustomField, word: str) -> ColumnElement[bool]:
    """Whether a contact's value of a field of several choices holds the word, in SQL."""
    written = {json.dumps(word), json.dumps(word, ensure_ascii=False)}
    return or_(*(column_of(field).contains(one, autoescape=True) for one in sorted(written)))


def uses(workspace_id: uuid.UUID) -> dict[uuid.UUID, int]:
    """How many contacts carry a value of each field."""
    fields = fields_of(workspace_id)
    if not fields:
        return {}
    counts = [func.count(Contact.custom_fields[str(field.id)].as_string()) for field in fields]
    row = db.session.execute(select(*counts).where(Contact.workspace_id == workspace_id)).one()
    return {field.id: count for field, count in zip(fields, row, strict=True)}


def add(workspace_id: uuid.UUID, facts: Mapping[str, Any]) -> CustomField:
    """Make a field, the last of all; `facts` are its attributes. Raises NameTaken, TooMany."""
    close_up(workspace_id)
    others = fields_of(workspace_id)
    if len(others) >= MOST_FIELDS:
        raise TooMany
    _claim(facts["name"], others)
    field = CustomField(workspace_id=workspace_id, position=next_position(others), **facts)
    db.session.add(field)
    db.session.flush()
    return field


def change(field: CustomField, facts: Mapping[str, Any]) -> None:
    """Rename it or let it ask for something else; its type stays, and what contacts carry stays. Raises NameTaken."""
    close_up(field.workspace_id)
    _claim(facts["name"], [other for other in fields_of(field.workspace_id) if other is not field])
    for name, value in facts.items():
        setattr(field, name, value)
    db.session.flush()


def delete(field: CustomField) -> None:
    """Take the field off all contacts and away."""
    key = str(field.id)
    if is_sqlite():
        without: ColumnElement[Any] = func.json_remove(Contact.custom_fields, f'$."{key}"')
    else:
        without = cast(Contact.custom_fields, CUSTOM_FIELDS).op("-")(key)
    carrying = Contact.custom_fields[key].as_string().is_not(None)
    mine = update(Contact).where(Contact.workspace_id == field.workspace_id, carrying)
    db.session.execute(mine.values(custom_fields=without).execution_options(synchronize_session=False))
    db.session.delete(field)
    db.session.flush()
    db.session.expire_all()  # contacts that were read before


def _claim(name: str, others: Sequence[CustomField]) -> None:
    if name.casefold() in {other.name.casefold() for other in others}:
        raise NameTaken
