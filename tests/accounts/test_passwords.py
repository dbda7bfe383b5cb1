"""Which passwords may be chosen: long ones that nobody guesses first, whatever they are made of."""

import unicodedata

import pytest
from flask.testing import FlaskClient

from portal.accounts import passwords
from tests.accounts.proving import is_in, log_in

FACTS = ("Dana Whitfield", "dana.whitfield@harbour-support.example", "Harbour Support")


@pytest.mark.parametrize(
    "typed",
    [
        "correct horse battery staple", "            spaces only count", "ÄÖÜ und noch viele Wörter",
        "пароль для входа сюда", "a" * 60 + "bcde" * 17, "dana likes seven green umbrellas", "abcd efgh ijkl 77",
    ],
)  # fmt: skip
def test_whatever_is_long_and_not_known_may_be_a_password(typed: str) -> None:
    assert passwords.weakness(typed, FACTS) is None


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("eleven char", "at least 12"),
        ("é" * 11, "at least 12"),
        ("e\u0301x" * 5, "at least 12"),  # ten characters, spelled with fifteen
        ("x" * 129, "129 characters"),
        ("password1234", "lists"), ("PASSWORD1234", "lists"), ("qwertyuiop123", "lists"), ("123456789012", "lists"),
        ("1q2w3e4r5t6y", "lists"), ("unbelievable", "lists"), ("correcthorsebatterystaple", "lists"),
        ("abababababababababab", "lists"),
        ("DanaWhitfield2026", "your name"), ("harbour support 2026!", "your name"), ("H4rb0ur-Supp0rt", "your name"),
        ("dana.whitfield@harbour-support.example", "your name"), ("CloudCX-portal-1", "your name"),
    ],
)  # fmt: skip
def test_what_guessers_try_first_is_refused_with_the_reason(typed: str, why: str) -> None:
    assert why in (passwords.weakness(typed, FACTS) or "")


def test_the_same_text_is_the_same_password_however_it_was_typed(visitor: FlaskClient) -> None:
    composed = "Übergröße für alle Schlüssel"
    form = {"workspace": "W", "name": "N", "email": "nfc@example.com", "password": composed}
    assert visitor.post("/signup", data=form).status_code == 303
    visitor.post("/logout")
    assert log_in(visitor, "nfc@example.com", unicodedata.normalize("NFD", composed)).status_code == 303
    assert is_in(visitor)


@pytest.mark.parametrize("character", ["x", "e\u0301", "\ufdfa", "\U0001f511"])  # U+FDFA is 18 in NFKC
def test_what_was_typed_is_counted_however_it_is_spelled(character: str) -> None:
    assert not passwords.is_too_long(character * 128)
    assert passwords.is_too_long(character * 129)
    assert "at least 12" in (passwords.weakness(character * 11) or "")


def test_nothing_of_a_long_password_is_cut_off(visitor: FlaskClient) -> None:
    longest = "0123456789abcdef" * 8
    form = {"workspace": "W", "name": "N", "email": "long@example.com", "password": longest}
    page = visitor.post("/signup", data=form | {"password": longest + "x"})
    assert "This has 129 characters. A password has at most 128." in page.text
    assert "maxlength" not in page.text, "a browser would cut what is pasted"
    assert visitor.post("/signup", data=form).status_code == 303
    visitor.post("/logout")
    assert log_in(visitor, "long@example.com", longest[:-1]).status_code == 422
    assert "at most 128" in log_in(visitor, "long@example.com", longest + "x").text
    assert log_in(visitor, "long@example.com", longest).status_code == 303
