"""Typed values of custom fields: what is taken, how it is kept, and that what is shown can be typed again."""

import uuid
from typing import Any

import pytest

from portal.contacts.field_models import CustomField, FieldType
from portal.contacts.field_values import NotValid, parse, shown

COLOURS = ["Red", "Green", "Sky blue"]


def field(kind: str, **facts: Any) -> CustomField:
    return CustomField(
        id=uuid.uuid4(), name="Size", type=FieldType(kind), **{"options": COLOURS, "length": None, **facts}
    )


@pytest.mark.parametrize(
    ("kind", "typed", "value", "words"),
    [
        ("text", "  a b ", "a b", "a b"),
        ("longText", "a\r\nb\tc", "a\nb\tc", "a\nb\tc"),
        ("number", "0", 0, "0"),
        ("number", "-12.50", -12.5, "-12.5"),
        ("number", "1 234 567", 1234567, "1234567"),
        ("number", "0.0000001", 1e-07, "0.0000001"),
        ("date", "2024-02-29", "2024-02-29", "2024-02-29"),
        ("dateTime", "2026-11-25T14:30", "2026-11-25T14:30:00Z", "2026-11-25 14:30 UTC"),
        ("dateTime", "2026-11-25 14:30:05+02:00", "2026-11-25T12:30:05Z", "2026-11-25 12:30:05 UTC"),
        ("dateTime", "2026-11-25T14:00:00Z", "2026-11-25T14:00:00Z", "2026-11-25 14:00 UTC"),
        ("choice", "sky BLUE", "Sky blue", "Sky blue"),
        ("choices", "green, red,,Green", ["Red", "Green"], "Red, Green"),
        ("choices", ["Sky blue", "Red"], ["Red", "Sky blue"], "Red, Sky blue"),
        ("checkbox", "Yes", True, "yes"),
        ("checkbox", "no", None, ""),
        ("url", "https://example.com/a?b=1", "https://example.com/a?b=1", "https://example.com/a?b=1"),
        ("email", "dana@example.com", "dana@example.com", "dana@example.com"),
        ("phone", "+34 (0)600.112-233", "+34 (0)600.112-233", "+34 (0)600.112-233"),
        *((kind.value, blank, None, "") for kind in FieldType for blank in ("", "  ", None)),
    ],
)
def test_what_is_typed_is_kept_shown_and_can_be_typed_again(kind: str, typed: Any, value: Any, words: str) -> None:
    one = field(kind)
    assert (parse(one, typed), type(parse(one, typed))) == (value, type(value))
    assert shown(one, value) == words
    assert parse(one, words) == value


@pytest.mark.parametrize(
    ("kind", "typed", "message"),
    [
        ("text", "x" * 201, "Size is too long: 201 characters, at most 200."),
        ("text", "a\nb", "Size holds characters that are not text. Delete them or type it again."),
        ("number", "1,5", "Size is a number, such as 12 or 3.5."),
        ("number", "1e999999", "Size is a number, such as 12 or 3.5."),
        ("number", "٣", "Size is a number, such as 12 or 3.5."),
        ("number", "NaN", "Size is a number, such as 12 or 3.5."),
        ("number", "1234567890123456", "Size has at most 15 digits."),
        ("number", "1" + "0" * 400, "Size has at most 15 digits."),
        ("date", "2023-02-29", "Size is a date, written like 2026-11-25."),
        ("date", "20240229", "Size is a date, written like 2026-11-25."),
        ("dateTime", "tomorrow", "Size is a date with a time, written like 2026-11-25 14:30."),
        ("dateTime", "0001-01-01T00:00+14:00", "Size is a date with a time, written like 2026-11-25 14:30."),
        ("choice", "Mauve", "Size is one of the list; “Mauve” is not."),
        ("choices", "Red, Mauve", "Size is one of the list; “Mauve” is not."),
        ("checkbox", "perhaps", "Size is yes or no."),
        ("url", "javascript:alert(1)", "Size is an address that starts with http:// or https://."),
        ("email", "dana@", "Size is a full e-mail address, such as dana@example.com."),
        ("phone", "call me", "Size has digits, spaces and + ( ) - . / only, such as +34 600 112 233."),
    ],
)
def test_what_is_no_value_is_refused_with_what_to_do(kind: str, typed: str, message: str) -> None:
    with pytest.raises(NotValid) as refused:
        parse(field(kind), typed)
    assert str(refused.value) == message


def test_a_text_may_be_asked_to_be_shorter_and_never_longer() -> None:
    assert parse(field("text", length=3), "abc") == "abc"
    with pytest.raises(NotValid):
        parse(field("text", length=3), "abcd")
    with pytest.raises(NotValid):
        parse(field("text", length=5000), "x" * 201)


def test_a_word_that_is_no_option_any_more_may_stay_where_it_is() -> None:
    assert parse(field("choice"), "mauve", kept="Mauve") == "Mauve"
    assert parse(field("choices"), "Mauve, Red", kept=["Mauve", "Teal"]) == ["Red", "Mauve"]
