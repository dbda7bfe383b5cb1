"""The forms beside the list: what an edit of many sets, and the name of a view."""

from collections.abc import Mapping
from typing import Any

from wtforms import BooleanField, SelectField
from wtforms.validators import DataRequired, ValidationError

from ..fields import Form, text
from .columns import Column

LEAVE, NOBODY = "", "-"
"""What a choice says that leaves its field as it is, and the one that takes an owner away."""
FLAGS = {"subscribe_email", "subscribe_sms", "subscribe_whatsapp"}
MOST_TAGS, LONGEST_TAG = 20, 50


def names_in(words: str | None) -> list[str]:
    """The names that stand between commas, each once."""
    return list({name.casefold(): name for name in map(str.strip, (words or "").split(",")) if name}.values())


def are_tags(_form: Any, field: Any) -> None:
    """A validator: names of tags, few and short."""
    names = names_in(field.data)
    if len(names) > MOST_TAGS:
        raise ValidationError(f"At most {MOST_TAGS} tags at once.")
    if any(len(name) > LONGEST_TAG for name in names):
        raise ValidationError(f"A tag has at most {LONGEST_TAG} characters.")


def choice(label: str) -> SelectField:
    """What many shall say, or that each says what it does."""
    message = f"{label} is one of the list. Choose again."
    return SelectField(label, choices=[], filters=[lambda word: word or LEAVE], invalid_choice_message=message)


class EditManyForm(Form):
    """What many contacts shall say; what is left as it is is not touched."""

    add_tags = text("Add tags", 1000, are_tags, description="Separate them by commas. New ones are made.")
    remove_tags = text("Remove tags", 1000, are_tags, description="Separate them by commas.")
    owner = choice("Owner")
    lead_stage = choice("Lead stage")
    priority = choice("Priority")
    subscribe_email = choice("Subscribe email")
    subscribe_sms = choice("Subscribe SMS")
    subscribe_whatsapp = choice("Subscribe WhatsApp")

    def __init__(self, columns: Mapping[str, Column], **values: Any) -> None:
        """`columns` are those of the workspace: they know what there is to choose from."""
        super().__init__(**values)
        for field in self:
            if isinstance(field, SelectField):
                nobody = [(NOBODY, "Nobody")] if field.short_name == "owner" else []
                field.choices = [(LEAVE, "Leave as it is"), *nobody, *columns[field.short_name].choices.items()]
        self.known_tags = list(columns["tags"].choices.values())

    @property
    def change(self) -> dict[str, Any]:
        """What is set, as `bulk.revised` reads it."""
        chosen = {field.short_name: field.data for field in self if isinstance(field, SelectField) and field.data}
        found: dict[str, Any] = {name: _value(name, word) for name, word in chosen.items()}
        tags = {"add_tags": names_in(self.add_tags.data), "remove_tags": names_in(self.remove_tags.data)}
        return found | {name: names for name, names in tags.items() if names}

    def validate(self, extra_validators: Any = None) -> bool:
        """Something must be set, or there is nothing to do."""
        valid = bool(super().validate(extra_validators))
        if valid and not self.change:
            self.refuse("add_tags", "Choose at least one thing to change.")
            return False
        return valid


class ViewForm(Form):
    """The name of a view that is saved."""

    name = text("Name of the view", 50, DataRequired("Give the view a name."))
    is_shared = BooleanField("For everybody in this workspace")


def _value(name: str, word: str) -> Any:
    if name == "owner":
        return "" if word == NOBODY else word
    return word == "yes" if name in FLAGS else word
