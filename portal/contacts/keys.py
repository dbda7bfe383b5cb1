"""What the list finds and orders contacts by, made of what they say whenever they are written."""

import re
from typing import Any

from ..webhooks import words

NO_WORD = "<"
"""Stands for the byte in front of a number written backwards: PostgreSQL's text has no zero byte."""
FEWEST_DIGITS = 5
"""A number with fewer is no way to tell who somebody is."""
LONGEST_KEY = 100


def keys_of(contact: Any) -> dict[str, str]:
    """The values of the contact's columns that are for finding it."""
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    known_by = (name, contact.email, contact.phone_number, contact.contact_id, contact.company_name)
    return {
        "name_key": sortable(next(filter(None, known_by[:4]), "")),
        "company_key": sortable(contact.company_name),
        "stage_key": sortable(contact.lead_stage),
        "email_key": normal_email(contact.email),
        "phone_key": normal_phone(contact.phone_number),
        "search_text": searchable(words.folded(filter(None, known_by))),
    }


def sortable(text: str | None) -> str:
    """The text as it is ordered: without case and accents."""
    return words.fold(text or "")[:LONGEST_KEY]


def normal_email(text: str | None) -> str:
    """The address in the one spelling of all that reach the same person."""
    return (text or "").strip().casefold()


def normal_phone(text: str | None) -> str:
    """The digits of a number, 00 being a plus; nothing when they are too few to tell anybody apart."""
    digits = re.sub(r"[^0-9]", "", text or "").removeprefix("00")
    return digits if len(digits) >= FEWEST_DIGITS else ""


def searchable(found: list[bytes]) -> str:
    """Words as one text in which each begins behind a space."""
    return "".join(f" {beginning(word)}" for word in found)


def beginning(word: bytes) -> str:
    """A folded word as it stands in a searchable text."""
    return word.decode("utf-8", "replace").replace(words.BACKWARDS, NO_WORD)
