"""Values of custom fields, typed and stored: the one reading for forms, imports, bulk edits and exports. Pure.

`parse` takes what a person or a file says and gives what is stored and sent; `shown` says it to people, and what it
says can be parsed again. A blank is None and is not stored.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from ..fields import MANY_LINES, text_problem, trim
from .field_models import CustomField, FieldType

Value = str | int | float | bool | list[str]

LENGTHS = {
    FieldType.TEXT: 200,
    FieldType.LONG_TEXT: 10_000,
    FieldType.URL: 2000,
    FieldType.EMAIL: 254,
    FieldType.PHONE: 40,
}
"""Most characters of each type; a field may ask for less."""
PHONE = r"(?=\D*[0-9])\+?[0-9\s().\-/]+\Z"
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)\Z", re.ASCII)
MOST_DIGITS = 15
"""More do not survive the way through a receiver's floating point numbers."""
YES, NO = {"yes", "y", "true", "on", "1", "x"}, {"no", "n", "false", "off", "0"}
UTC_WORDS = " UTC"


class NotValid(ValueError):  # noqa: N818  a fact to be told, not an error of the program
    """What was typed is no value of the field; the text says why and what to do."""


def parse(field: CustomField, typed: str | Sequence[str] | None, kept: Value | None = None) -> Value | None:
    """The value that was typed, None for a blank. Choices may come as a list or as words with commas between them.

    `kept` is what the contact carries: a word that is no option any more may stay. Raises NotValid.
    """
    words = [trim(typed or "")] if isinstance(typed, str | None) else [trim(word) for word in typed]
    text = words[0] if len(words) == 1 else ",".join(words)
    if not text:
        return None
    allow = MANY_LINES if field.type == FieldType.LONG_TEXT else ""
    problem = text_problem(field.name, text, most_characters(field), allow)
    if problem:
        raise NotValid(problem)
    if field.type in (FieldType.CHOICE, FieldType.CHOICES):
        return _chosen(field, text, kept)
    return PARSERS[field.type](field, text)


def shown(field: CustomField, value: Value | None) -> str:
    """The value in words; "" for none."""
    if value is None or is_blank(value):
        return ""
    if value is True:
        return "yes"
    if isinstance(value, list):
        return ", ".join(value)
    if field.type == FieldType.NUMBER:
        return format(Decimal(str(value)), "f")
    if field.type == FieldType.DATE_TIME:
        return str(value).replace("T", " ").replace(":00Z", "Z").removesuffix("Z") + UTC_WORDS
    return str(value)


def is_blank(value: Value | None) -> bool:
    """Whether it says nothing; a zero does."""
    return value is None or value is False or value == "" or value == []


def most_characters(field: CustomField) -> int:
    """How long what is typed may be."""
    most = LENGTHS.get(field.type, LENGTHS[FieldType.LONG_TEXT])
    return min(most, field.length or most)


def takes_length(kind: FieldType) -> bool:
    """Whether an Administrator may say how long a value gets."""
    return kind in (FieldType.TEXT, FieldType.LONG_TEXT)


def takes_options(kind: FieldType) -> bool:
    """Whether it is chosen from words."""
    return kind in (FieldType.CHOICE, FieldType.CHOICES)


def is_web_address(text: str) -> bool:
    """Whether it is an address that a browser can open."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def _text(_field: CustomField, text: str) -> Value:
    return text


def _number(field: CustomField, text: str) -> Value:
    plain = text.replace(" ", "").replace("\u00a0", "")
    if not NUMBER.match(plain):
        raise NotValid(f"{field.name} is a number, such as 12 or 3.5.")
    number = Decimal(plain)
    if len(number.normalize().as_tuple().digits) > MOST_DIGITS or abs(number.adjusted()) >= MOST_DIGITS:
        raise NotValid(f"{field.name} has at most {MOST_DIGITS} digits.")
    return int(number) if number == number.to_integral_value() else float(number)


def _date(field: CustomField, text: str) -> Value:
    try:
        return date.fromisoformat(text if re.match(r"\d{4}-\d\d-\d\d\Z", text) else "").isoformat()
    except ValueError:
        raise NotValid(f"{field.name} is a date, written like 2026-11-25.") from None


def _date_time(field: CustomField, text: str) -> Value:
    """Without a zone it is UTC, as all times that the portal shows."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(UTC_WORDS))
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotValid(f"{field.name} is a date with a time, written like 2026-11-25 14:30.") from None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _chosen(field: CustomField, text: str, kept: Value | None) -> Value | None:
    carried = kept if isinstance(kept, list) else [str(kept)] if kept else []
    known = {word.casefold(): word for word in (*carried, *field.options)}
    several = field.type == FieldType.CHOICES
    wanted = {word.casefold(): word for word in map(str.strip, text.split(",") if several else [text]) if word}
    if unknown := [word for key, word in wanted.items() if key not in known]:
        raise NotValid(f"{field.name} is one of the list; “{unknown[0]}” is not.")
    chosen = [word for key, word in known.items() if key in wanted]
    chosen.sort(key=lambda word: field.options.index(word) if word in field.options else len(field.options))
    return (chosen or None) if several else chosen[0]


def _checkbox(field: CustomField, text: str) -> Value | None:
    if text.casefold() in YES:
        return True
    if text.casefold() in NO:
        return None
    raise NotValid(f"{field.name} is yes or no.")


def _url(field: CustomField, text: str) -> Value:
    if not is_web_address(text):
        raise NotValid(f"{field.name} is an address that starts with http:// or https://.")
    return text


def _email(field: CustomField, text: str) -> Value:
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        raise NotValid(f"{field.name} is a full e-mail address, such as dana@example.com.") from None
    return text


def _phone(field: CustomField, text: str) -> Value:
    if not re.match(PHONE, text):
        raise NotValid(f"{field.name} has digits, spaces and + ( ) - . / only, such as +34 600 112 233.")
    return text


PARSERS: dict[FieldType, Callable[[CustomField, str], Value | None]] = {
    FieldType.TEXT: _text,
    FieldType.LONG_TEXT: _text,
    FieldType.NUMBER: _number,
    FieldType.DATE: _date,
    FieldType.DATE_TIME: _date_time,
    FieldType.CHECKBOX: _checkbox,
    FieldType.URL: _url,
    FieldType.EMAIL: _email,
    FieldType.PHONE: _phone,
}
