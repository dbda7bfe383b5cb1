"""Form fields made from the definitions of custom fields: one input for each type, judged by `field_values`."""

from collections.abc import Callable, Mapping
from typing import Any

from wtforms import BooleanField, Field, SelectField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import StopValidation

from ..fields import trim
from .field_models import CustomField, FieldType
from .field_values import NotValid, Value, parse, shown

INPUTS: Mapping[FieldType, dict[str, str]] = {
    FieldType.NUMBER: {"inputmode": "decimal"},
    FieldType.DATE: {"type": "date"},
    FieldType.DATE_TIME: {"type": "datetime-local"},
    FieldType.URL: {"type": "url"},
    FieldType.EMAIL: {"type": "email"},
    FieldType.PHONE: {"type": "tel"},
}
"""What a line of text is in HTML: phones then show the right keys."""


def attribute(field: CustomField) -> str:
    """What the field is called in a form."""
    return f"field_{field.id.hex}"


def input_of(field: CustomField, kept: Value | None) -> Any:
    """The form's field; `kept` is what the contact carries."""
    validators, hint = [_judge(field, kept)], _hint(field)
    if field.type == FieldType.CHECKBOX:
        return BooleanField(field.name, validators, description=hint)
    if field.type == FieldType.CHOICES:
        return SelectMultipleField(
            field.name, validators, choices=_words(field, kept), description=hint, validate_choice=False
        )
    if field.type == FieldType.CHOICE:
        choices = [SelectChoice("", "–"), *(SelectChoice(word, word) for word in _words(field, kept))]
        return SelectField(field.name, validators, choices=choices, description=hint, validate_choice=False)
    make = TextAreaField if field.type == FieldType.LONG_TEXT else StringField
    return make(
        field.name, validators, filters=[trim], description=hint,
        render_kw={"autocomplete": "off", **INPUTS.get(field.type, {})},
    )  # fmt: skip


def initial(field: CustomField, value: Value | None) -> Any:
    """The value as its input takes it."""
    if field.type == FieldType.CHECKBOX:
        return bool(value)
    if field.type == FieldType.CHOICES:
        return value or []
    if field.type == FieldType.DATE_TIME and value:
        return str(value).removesuffix("Z").removesuffix(":00")
    return shown(field, value)


def typed(field: CustomField, data: Any, kept: Value | None) -> Value | None:
    """The value that the input holds. Raises NotValid."""
    if isinstance(data, bool):
        return data or None
    return parse(field, data, kept)


def _judge(field: CustomField, kept: Value | None) -> Callable[[Any, Field], None]:
    def judge(_form: Any, input_: Field) -> None:
        try:
            value = typed(field, input_.data, kept)
        except NotValid as problem:
            raise StopValidation(str(problem)) from problem
        if value is None and field.is_required:
            raise StopValidation(f"{field.name} is required.")

    return judge


def _words(field: CustomField, kept: Value | None) -> list[str]:
    """The options, and what the contact carries although it is none any more."""
    carried = kept if isinstance(kept, list) else [str(kept)] if kept else []
    return [*field.options, *(word for word in carried if word not in field.options)]


def _hint(field: CustomField) -> str:
    parts = ["Required." if field.is_required else "", field.help]
    if field.type == FieldType.DATE_TIME:
        parts.append("The time is UTC.")
    return " ".join(filter(None, parts))
