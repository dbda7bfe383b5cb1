"""The fields that a column can go to: their names in files, what a cell may say, what it does to what is there."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from wtforms.validators import Optional, StopValidation, ValidationError

from ..accounts.service import members
from ..contacts import field_values, lists
from ..contacts.field_models import FieldType, WordKind
from ..contacts.forms import MAX_TAG_NAME, MAX_TAGS, ContactForm, NewContactForm
from ..contacts.models import Contact
from ..contacts.payload import COLUMNS
from ..contacts.sheet import Column, columns
from ..fields import text_problem, trim
from .models import How

Clean = Callable[[str, Any], Any]
"""What a cell's text and what the contact has there (None: nothing) make; raises Refused."""

OTHER_NAMES = {
    "contactId": "contact number; contact no; customer id; customer number; customer no; external id",
    "firstName": "given name; forename; first; name; full name; contact name",
    "lastName": "surname; family name; last",
    "email": "mail; email address; primary email; work email",
    "phoneNumber": "phone; telephone; tel; telephone number; mobile; mobile phone; mobile number; cell; cell phone",
    "companyName": "company; organization; organisation; account; account name; employer; business",
    "jobTitle": "title; job; position; role; occupation",
    "owner": "owner email; owner login; contact owner; account owner; assigned to; agent; sales rep",
    "leadStage": "stage; status; lead status; lifecycle stage",
    "tags": "tag; labels; categories; groups; segments",
    "notes": "note; comment; comments; remarks; description",
    "language": "preferred language; lang; locale",
    "street": "address; street address; address line 1; mailing street",
    "city": "town; locality; mailing city",
    "zipCode": "zip; postal code; postcode; mailing zip",
    "province": "state; county; state province; state region; mailing state",
    "countryRegion": "country; region; mailing country",
    "whatsappNumber": "whatsapp; whatsapp phone",
    "telegramUsername": "telegram",
    "instagramUsername": "instagram",
    "facebookUsername": "facebook",
    "avatarUrl": "picture; photo; image; picture url; photo url; image url",
    "subscribeEmail": "email opt in; email subscribed; newsletter",
    "subscribeSMS": "sms opt in; sms subscribed",
    "subscribeWhatsapp": "whatsapp opt in; whatsapp subscribed",
}
"""How other programs call them."""
EXACT = {"contactId", "email", "phoneNumber", "whatsappNumber", "owner", "leadStage", "priority", "avatarUrl"}
"""Of these a contact has one: nothing can be added to it."""
FLAGS = {"subscribeEmail", "subscribeSMS", "subscribeWhatsapp"}
LONG = {"notes"}
ADDABLE = {FieldType.TEXT, FieldType.LONG_TEXT, FieldType.CHOICES}


class Refused(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Why a row can't be imported, as a sentence."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What the form's validators look at."""

    data: str


@dataclass(frozen=True, slots=True)
class Target:
    """A field as an import sees it."""

    column: Column
    attribute: str
    """The contact's, or "custom_fields"."""
    clean: Clean
    hows: tuple[How, ...]
    between: str = ", "
    """What stands between what was there and what is added."""

    @property
    def key(self) -> str:
        return self.column.key

    def current(self, contact: Contact) -> Any:
        """What the contact has there; None for nothing."""
        if self.column.field:
            return contact.custom_fields.get(str(self.column.field.id))
        value = getattr(contact, self.attribute)
        return [tag.name for tag in value] or None if self.attribute == "tags" else None if value == "" else value

    def becomes(self, text: str, how: How, contact: Contact) -> Any:
        """What a cell makes of the contact's value; the same value when it changes nothing. Raises Refused."""
        old = self.current(contact)
        if text == self.column.show(contact) or (how == How.FILL and old is not None):
            return old  # also when the rules have become stricter since
        new = self.clean(text, old)
        if how != How.APPEND or old is None:
            return old if self._alike(old, new) else new
        if isinstance(old, list):
            return self._longer_list(old, new)
        if f"{self.between}{new}{self.between}" in f"{self.between}{old}{self.between}":
            return old
        return self.clean(f"{old}{self.between}{new}", old)

    def _alike(self, old: Any, new: Any) -> bool:
        """The case of an e-mail address or of a tag is no news."""
        if isinstance(old, list) and isinstance(new, list):
            return {word.casefold() for word in old} == {word.casefold() for word in new}
        return bool(old == new or (self.key == "email" and old and old.lower() == new.lower()))

    def _longer_list(self, old: list[str], new: list[str]) -> list[str]:
        there = {word.casefold() for word in old}
        added = [word for word in new if word.casefold() not in there]
        return self.clean(", ".join([*old, *added]), old) if added else old


def targets(workspace_id: uuid.UUID) -> dict[str, Target]:
    """All that a column can go to, by key, in the order of an export."""
    special: dict[str, Clean] = {
        "owner": partial(_owner, {one.user.email.lower(): str(one.user_id) for one in members(workspace_id)}),
        "leadStage": partial(_word, "Lead stage", [one.name for one in lists.words_of(workspace_id, WordKind.STAGE)]),
        "priority": partial(_word, "Priority", [one.name for one in lists.words_of(workspace_id, WordKind.PRIORITY)]),
        "tags": _tags,
    }
    return {one.key: _target(one, special) for one in columns(workspace_id)}


def _target(column: Column, special: dict[str, Clean]) -> Target:
    if column.field:
        field = column.field
        hows = tuple(How) if field.type in ADDABLE else (How.OVERWRITE, How.FILL)
        between = "\n" if field.type == FieldType.LONG_TEXT else ", "
        return Target(column, "custom_fields", partial(_custom, field), hows, between)
    key, attribute = column.key, COLUMNS[column.key]
    if key in FLAGS:
        return Target(column, attribute, partial(_flag, column.label), (How.OVERWRITE,))
    hows = (How.OVERWRITE,) if key == "contactId" else (How.OVERWRITE, How.FILL) if key in EXACT else tuple(How)
    return Target(column, attribute, special.get(key) or _text(attribute), hows, "\n" if key in LONG else ", ")


def _text(attribute: str) -> Clean:
    """The rules of the contact's form."""
    form = NewContactForm if attribute == "contact_id" else ContactForm
    rules = [rule for rule in getattr(form, attribute).kwargs["validators"] if not isinstance(rule, Optional)]

    def clean(text: str, _kept: Any) -> str:
        cell = Cell(trim(text))
        try:
            for rule in rules:
                rule(None, cell)
        except (ValidationError, StopValidation) as refused:
            raise Refused(str(refused)) from None
        return cell.data

    return clean


def _custom(field: Any, text: str, kept: Any) -> Any:
    try:
        return field_values.parse(field, text, kept)
    except field_values.NotValid as refused:
        raise Refused(str(refused)) from None


def _flag(label: str, text: str, _kept: Any) -> bool:
    word = text.casefold()
    if word not in field_values.YES | field_values.NO:
        raise Refused(f"{label} is yes or no.")
    return word in field_values.YES


def _word(label: str, words: Sequence[str], text: str, _kept: Any) -> str:
    found = next((word for word in words if word.casefold() == text.casefold()), None)
    if found is None:
        raise Refused(f"{label} is one of {', '.join(words)}.")
    return found


def _owner(logins: dict[str, str], text: str, _kept: Any) -> str:
    found = logins.get(text.lower())
    if found is None:
        raise Refused(f"Owner is the e-mail address with which somebody of this workspace logs in; {text[:80]} is not.")
    return found


def _tags(text: str, _kept: Any) -> list[str]:
    names = {name.casefold(): name for name in reversed([*filter(None, map(str.strip, text.split(",")))])}
    if len(names) > MAX_TAGS:
        raise Refused(f"A contact carries at most {MAX_TAGS} tags.")
    for name in names.values():
        if len(name) > MAX_TAG_NAME:
            raise Refused(f"A tag has at most {MAX_TAG_NAME} characters: {name[:MAX_TAG_NAME]}… has more.")
        if problem := text_problem("Tags", name, MAX_TAG_NAME):
            raise Refused(problem)
    return list(reversed(names.values()))
