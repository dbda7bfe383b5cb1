"""Form fields that say what is wrong: text is trimmed, and what can't be stored or shown is refused at its field."""

import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

from flask import request
from flask_wtf import FlaskForm
from wtforms import Field, StringField, TextAreaField
from wtforms.form import BaseForm
from wtforms.validators import StopValidation

MANY_LINES = "\n\t"
CAME_BACK = "came_back"
"""The mark of a form that comes back after a log-in: it is shown again, and its next Save saves it."""

View = TypeVar("View", bound=Callable[..., Any])


def shows_again(view: View) -> View:
    """Mark a view that shows a form again that comes back after a log-in, and does nothing. Others never get one."""
    view.shows_again = True  # type: ignore[attr-defined]
    return view


def came_back() -> bool:
    """Whether this is such a form: nobody pressed its button since."""
    return CAME_BACK in request.form


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF is not typed
    """The base of all forms: CSRF comes with it, errors are listed for the summary on top of the page."""

    def validate(self, extra_validators: Any = None) -> bool:
        """Whether all is well. Never when it comes back after a log-in: nobody pressed Save since."""
        return not came_back() and bool(super().validate(extra_validators))

    @property
    def problems(self) -> list[tuple[str, str]]:
        """(field id, first message) of each field that needs mending, in the order of the form."""
        return [(f.id, str(f.errors[0])) for f in self if f.errors]

    def refuse(self, name: str, message: str) -> None:
        """Put a message at a field that only the database could judge."""
        field = self[name]
        field.errors = [*field.errors, message]


def trim(value: Any) -> Any:
    """Blank ends are typing accidents, never meant."""
    return value.strip().replace("\r\n", "\n") if isinstance(value, str) else value


def text_problem(label: str, value: str, max_length: int, allow: str = "") -> str:
    """Why a text can't be stored and shown; "" when it can."""
    if len(value) > max_length:
        return f"{label} is too long: {len(value):,} characters, at most {max_length:,}."
    # U+FFFD is what is left of bytes that were no text, lone surrogates among them.
    is_plain = value.isprintable() and "\ufffd" not in value
    if not is_plain and any(
        c == "\ufffd" or (unicodedata.category(c) in ("Cc", "Cs") and c not in allow) for c in value
    ):
        return f"{label} holds characters that are not text. Delete them or type it again."
    return ""


class PlainText:
    """Text that can be stored and shown: not too long, no control characters, no broken encoding."""

    def __init__(self, label: str, max_length: int, allow: str = "") -> None:
        self.label, self.max_length, self.allow = label, max_length, allow

    def __call__(self, form: BaseForm, field: Field) -> None:
        if problem := text_problem(self.label, field.data or "", self.max_length, self.allow):
            raise StopValidation(problem)


Validator = Callable[[Any, Any], None]


def text(label: str, max_length: int, *validators: Validator, **options: Any) -> StringField:
    """A line of text."""
    return StringField(label, filters=[trim], validators=[*validators, PlainText(label, max_length)], **options)


def long_text(label: str, max_length: int, *validators: Validator, **options: Any) -> TextAreaField:
    """Text of several lines."""
    plain = PlainText(label, max_length, MANY_LINES)
    return TextAreaField(label, filters=[trim], validators=[*validators, plain], **options)
