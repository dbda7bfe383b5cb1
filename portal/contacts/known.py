"""The columns that a workspace's list can have: the facts of every contact, and its custom fields."""

import json
import uuid
from typing import Any

from sqlalchemy import ColumnElement, or_

from ..accounts.service import everybody
from . import lists, tagging
from .columns import Column, Kind, built_in
from .custom_fields import fields_of
from .field_models import CustomField, FieldType, WordKind
from .field_values import shown

CUSTOM = "x-"
"""Begins the name of a custom field in an address; its id follows."""
KINDS = {
    FieldType.NUMBER: Kind.NUMBER, FieldType.DATE: Kind.DATE, FieldType.DATE_TIME: Kind.DATE,
    FieldType.CHOICE: Kind.CHOICE, FieldType.CHOICES: Kind.TAGS, FieldType.CHECKBOX: Kind.FLAG,
}  # fmt: skip
"""Those that are no text."""


def columns_of(workspace_id: uuid.UUID) -> dict[str, Column]:
    """By their names in addresses, in the order in which they are offered."""
    people = {str(member.user_id): member.user.name for member in everybody(workspace_id)}
    tags = {str(tag.id): tag.name for tag in tagging.tags_of(workspace_id)}
    stages, priorities = (
        {word.name: word.name for word in lists.words_of(workspace_id, kind)}
        for kind in (WordKind.STAGE, WordKind.PRIORITY)
    )
    custom = [_custom(field) for field in fields_of(workspace_id) if field.is_visible]
    return built_in(people, tags, stages, priorities) | {column.name: column for column in custom}


def _custom(field: CustomField) -> Column:
    key, kind = str(field.id), KINDS.get(field.type, Kind.TEXT)

    def value(c: Any) -> Any:
        stored = c.custom_fields[key]
        if kind == Kind.NUMBER:
            return stored.as_float()
        return stored.as_boolean() if kind == Kind.FLAG else stored.as_string()

    options = {word: word for word in field.options}
    flag = {"yes": "Yes", "no": "No"} if kind == Kind.FLAG else options
    return Column(
        f"{CUSTOM}{key}", field.name, kind, value, lambda c: shown(field, c.custom_fields.get(key)), choices=flag,
        is_day=kind == Kind.DATE, has=_has if kind == Kind.TAGS else None,
    )  # fmt: skip


def _has(value: Any, word: str) -> ColumnElement[bool]:
    """The stored list, as text, holds the word, however its letters are written."""
    written = {json.dumps(word), json.dumps(word, ensure_ascii=False)}
    return or_(*(value.contains(one, autoescape=True) for one in sorted(written)))
