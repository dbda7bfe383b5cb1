"""A contact's facts in groups: what its page shows together, and what is edited together in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .field_forms import attribute
from .field_models import CustomField, FieldType
from .field_values import shown
from .models import Contact


@dataclass(frozen=True, slots=True)
class Group:
    """Form fields that belong together, by their names."""

    title: str
    names: tuple[str, ...] = ()


OWN = "own"
"""The group of the workspace's own fields."""
NOTES = "notes"
GROUPS: Mapping[str, Group] = {
    "contact": Group(
        "Contact",
        ("first_name", "last_name", "email", "phone_number", "whatsapp_number", "owner", "lead_stage", "priority",
         "language", "avatar_url"),
    ),
    "company": Group("Company", ("company_name", "job_title")),
    "address": Group("Address", ("street", "city", "zip_code", "province", "country_region")),
    "social": Group("Social", ("telegram_username", "instagram_username", "facebook_username")),
    "subscriptions": Group("Subscriptions", ("subscribe_email", "subscribe_sms", "subscribe_whatsapp")),
    OWN: Group("Custom fields"),
    NOTES: Group("Notes", ("notes",)),
}  # fmt: skip
"""By what their addresses call them."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a group; `link` is where it leads, if anywhere."""

    label: str
    text: str
    link: str = ""


def names_of(key: str, fields: Sequence[CustomField]) -> set[str]:
    """The form fields of a group."""
    return {attribute(field) for field in fields} if key == OWN else set(GROUPS[key].names)


def facts_of(contact: Contact, owner: str | None, fields: Sequence[CustomField]) -> dict[str, list[Fact]]:
    """What each group says; a group that can't say anything is left out. Notes are told apart."""
    avatar = "Uploaded picture" if contact.picture else contact.avatar_url or ""
    groups = {
        "contact": [
            Fact("First name", contact.first_name or ""),
            Fact("Last name", contact.last_name or ""),
            Fact("Email", contact.email or "", f"mailto:{contact.email}"),
            Fact("Phone number", contact.phone_number or "", f"tel:{contact.phone_number}"),
            Fact("Contact ID", contact.contact_id),
            Fact("WhatsApp number", contact.whatsapp_number or ""),
            Fact("Owner", owner or ""),
            Fact("Lead stage", contact.lead_stage or ""),
            Fact("Priority", contact.priority or ""),
            Fact("Language", contact.language or ""),
            Fact("Avatar", avatar),
        ],
        "company": [Fact("Company name", contact.company_name or ""), Fact("Job title", contact.job_title or "")],
        "address": [
            Fact("Street", contact.street or ""),
            Fact("City", contact.city or ""),
            Fact("Zip code", contact.zip_code or ""),
            Fact("Province", contact.province or ""),
            Fact("Country/Region", contact.country_region or ""),
        ],
        "social": [
            Fact("Telegram username", contact.telegram_username or ""),
            Fact("Instagram username", contact.instagram_username or ""),
            Fact("Facebook username", contact.facebook_username or ""),
        ],
        "subscriptions": [
            Fact("Email", _switch(contact.subscribe_email)),
            Fact("SMS", _switch(contact.subscribe_sms)),
            Fact("WhatsApp", _switch(contact.subscribe_whatsapp)),
        ],
        OWN: [_own(contact, field) for field in fields if field.is_visible],
    }
    return {key: facts for key, facts in groups.items() if facts}


def _switch(is_on: bool) -> str:
    return "Subscribed" if is_on else "Not subscribed"


def _own(contact: Contact, field: CustomField) -> Fact:
    text = shown(field, contact.custom_fields.get(str(field.id)))
    prefix = {FieldType.URL: "", FieldType.EMAIL: "mailto:", FieldType.PHONE: "tel:"}.get(field.type)
    return Fact(field.name, text, "" if prefix is None else f"{prefix}{text}")
