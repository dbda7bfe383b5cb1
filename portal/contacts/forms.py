"""The forms of contacts and tags. Field names are the contact's attributes, labels are what the screen says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from wtforms import BooleanField, SelectField
from wtforms.validators import DataRequired, Optional, Regexp, StopValidation, ValidationError

from ..accounts.forms import EMAIL
from ..fields import Form, long_text, text
from .field_forms import attribute, initial, input_of, typed
from .field_models import CustomField
from .field_values import PHONE as PHONE_PATTERN
from .field_values import is_web_address
from .models import Contact, Tag
from .tagging import MAX_TAGS as MAX_TAGS  # who reads these forms looks for it here
from .tagging import are_too_many, each_once

MAX_TAG_NAME = 50
PHONE = Regexp(PHONE_PATTERN, message="Use digits, spaces and + ( ) - . / only, such as +34 600 112 233.")
COLOR = Regexp(r"#[0-9A-Fa-f]{6}\Z", message="Choose a colour, written as #RRGGBB.")


def web_address(_form: Any, field: Any) -> None:
    """A validator: an address that a browser can load a picture from."""
    if not is_web_address(field.data):
        raise StopValidation("Give the address of a picture that starts with http:// or https://.")


@dataclass(frozen=True, slots=True)
class Known:
    """What a workspace's forms choose from: people by their ids, words of the lists and what a new contact gets."""

    people: Mapping[str, str]
    former: Collection[str]
    """The ids of those among them who get no more contacts."""
    tags: Sequence[Tag]
    stages: Sequence[str]
    priorities: Sequence[str]
    defaults: Mapping[str, str]
    fields: Sequence[CustomField]


def choice(label: str, words: Sequence[str] = (), **options: Any) -> SelectField:
    """One of a few words; blank is "" and never None."""
    message = f"{label} is one of the list. Choose again."
    filters = [lambda value: value or ""]
    return SelectField(label, choices=list(words), filters=filters, invalid_choice_message=message, **options)


class ContactForm(Form):
    """All that a person may set of a contact, whether it is new or not."""

    first_name = text("First name", 100)
    last_name = text("Last name", 100)
    email = text("Email", 254, Optional(), EMAIL, render_kw={"type": "email"})
    phone_number = text("Phone number", 40, Optional(), PHONE, render_kw={"type": "tel"})
    owner = choice("Owner")
    lead_stage = choice("Lead stage")
    priority = choice("Priority")
    language = text("Language", 50)
    tag_names = text("Tags", MAX_TAGS * (MAX_TAG_NAME + 2), name="tags", description="Separate them by commas.")
    avatar_url = text(
        "Avatar", 2000, Optional(), web_address, description="Its address. A file is uploaded on the contact’s page."
    )
    company_name = text("Company name", 200)
    job_title = text("Job title", 200)
    street = text("Street", 200)
    city = text("City", 100)
    zip_code = text("Zip code", 20)
    province = text("Province", 100)
    country_region = text("Country/Region", 100)
    whatsapp_number = text("WhatsApp number", 40, Optional(), PHONE, render_kw={"type": "tel"})
    telegram_username = text("Telegram username", 100)
    instagram_username = text("Instagram username", 100)
    facebook_username = text("Facebook username", 100)
    subscribe_email = BooleanField("Subscribe email", default=True)
    subscribe_sms = BooleanField("Subscribe SMS", default=True)
    subscribe_whatsapp = BooleanField("Subscribe WhatsApp", default=True)
    notes = long_text("Notes", 10_000, render_kw={"rows": 4})

    @classmethod
    def of(cls, known: Known, contact: Contact | None = None, **options: Any) -> Self:
        """The form with the workspace's own fields; of a contact that exists it says what the contact says.

        With `formdata=None` it says that although something else was sent.
        """
        carried = contact.custom_fields if contact else {}
        own = {
            attribute(field): input_of(field, carried.get(str(field.id))) for field in known.fields if field.is_visible
        }
        made: Self = type(cls.__name__, (cls,), own)(known, contact, **options)
        return made

    def __init__(self, known: Known, contact: Contact | None = None, **options: Any) -> None:
        """Use `of`."""
        self.carried, self.worn = (contact.custom_fields, len(contact.tags)) if contact else ({}, 0)
        self.own_fields = {attribute(field): field for field in known.fields if field.is_visible}
        data = {name: initial(field, self.carried.get(str(field.id))) for name, field in self.own_fields.items()}
        data["tag_names"] = ", ".join(tag.name for tag in contact.tags) if contact else ""
        super().__init__(obj=contact, data={**known.defaults, **data}, **options)
        carried_owner = contact.owner if contact else ""
        may_own = (one for one in known.people.items() if one[0] not in known.former or one[0] == carried_owner)
        self.owner.choices = [("", "Nobody"), *may_own]
        self.lead_stage.choices = _with(known.stages, contact.lead_stage or "" if contact else None)
        self.priority.choices = _with(known.priorities, contact.priority or "" if contact else None)
        self.known_tags = [tag.name for tag in known.tags]

    @property
    def inputs(self) -> dict[str, Any]:
        """Its fields by name, but for the token."""
        return {name: field for name, field in self._fields.items() if name != "csrf_token"}

    def keep_only(self, names: Collection[str]) -> None:
        """Leave all other fields out: the form of one group."""
        for name in self.inputs.keys() - set(names):
            del self[name]

    @property
    def suggestions(self) -> list[str]:
        """What the field may become by one more tag."""
        names = self.names
        carried = {name.casefold() for name in names}
        return [", ".join([*names, tag]) for tag in self.known_tags if tag.casefold() not in carried]

    @property
    def names(self) -> list[str]:
        """The names of the tags, each once."""
        return each_once(filter(None, map(str.strip, (self.tag_names.data or "").split(","))))

    @property
    def values(self) -> dict[str, Any]:
        """What was typed, by the contact's attributes; blanks are "". Only of a form that is valid."""
        values = {field.short_name: field.data for field in self if field.short_name in Contact.__table__.columns}
        if "tag_names" in self:
            values["tags"] = self.names
        own = {str(field.id): (field, self[name].data) for name, field in self.own_fields.items() if name in self}
        values["custom_fields"] = {key: typed(field, data, self.carried.get(key)) for key, (field, data) in own.items()}
        return values

    def validate_tag_names(self, _field: Any) -> None:
        """Tags are few and short."""
        if are_too_many(len(self.names), self.worn):
            raise ValidationError(f"A contact carries at most {MAX_TAGS} tags.")
        if too_long := next((name for name in self.names if len(name) > MAX_TAG_NAME), None):
            raise ValidationError(f"A tag has at most {MAX_TAG_NAME} characters: {too_long[:MAX_TAG_NAME]}… has more.")


def _with(words: Sequence[str], carried: str | None) -> list[tuple[str, str]]:
    """The words to choose from, and the one that a contact carries although it is no word of the list (any more)."""
    extra = [(carried, carried or "–")] if carried is not None and carried not in words else []
    return [*extra, *((word, word) for word in words)]


class NewContactForm(ContactForm):
    """A new contact: only now can its contact ID be chosen."""

    contact_id = text("Contact ID", 40, description="Made up when blank. It can’t be changed later.")

    def validate(self, extra_validators: Any = None) -> bool:
        """One of e-mail, phone number and contact ID must be there, or nobody can tell who it is."""
        valid = bool(super().validate(extra_validators))
        if any(field.data or field.errors for field in (self.email, self.phone_number, self.contact_id)):
            return valid
        self.refuse("email", "Give at least one of e-mail, phone number and contact ID.")
        return False


class TagForm(Form):
    """A tag's name and colour."""

    name = text("Name", MAX_TAG_NAME, DataRequired("Give the tag a name."))
    color = text("Colour", 7, COLOR, render_kw={"type": "color"})

    def validate_name(self, field: Any) -> None:
        """Commas part the tags of a contact from each other."""
        if "," in field.data:
            raise ValidationError("A tag’s name has no comma: commas part tags from each other.")
