"""The forms beside the list: what an edit of many sets, and the name of a view."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from wtforms import BooleanField, SelectField
from wtforms.validators import DataRequired, ValidationError

from ..fields import Form, text
from .columns import Column
from .field_forms import attribute, input_of, typed
from .field_models import CustomField, FieldType
from .field_values import Value
from .list_models import FLAGS, SET

LEAVE, NOBODY = "", "-"
"""What a choice says that leaves its field as it is, and the one that takes an owner away."""
SET_IT, CLEAR_IT = "set-", "clear-"
"""Begin what the choice of a custom field says; the field's id follows."""
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

    custom = choice("Custom field")

    @classmethod
    def of(
        cls, columns: Mapping[str, Column], owners: Mapping[str, str], fields: Sequence[CustomField], picked: str
    ) -> Self:
        """The form of a workspace with its columns, the names of those who may get contacts by their ids, and its
        custom fields; with an input for the one that `picked` sets."""
        shown = [one for one in fields if one.is_visible]
        typed_in = [one for one in shown if picked == f"{SET_IT}{one.id}" and one.type != FieldType.CHECKBOX]
        inputs = {attribute(one): input_of(one, None) for one in typed_in}
        made: Self = type(cls.__name__, (cls,), inputs)(columns, owners, shown, picked)
        return made

    def __init__(
        self, columns: Mapping[str, Column], owners: Mapping[str, str], fields: Sequence[CustomField], picked: str
    ) -> None:
        """Use `of`."""
        super().__init__()
        for name in SET:
            words = {NOBODY: "Nobody", **owners} if name == "owner" else columns[name].choices
            self[name].choices = [(LEAVE, "Leave as it is"), *words.items()]
        self.custom.choices = [(LEAVE, "Leave all as they are"), *(act for one in fields for act in _acts(one))]
        self.picked = next((one for one in fields if picked.endswith(str(one.id))), None)
        self.clears = picked.startswith(CLEAR_IT)
        self.known_tags = list(columns["tags"].choices.values())

    @property
    def input(self) -> Any:
        """Where the value of the custom field is typed; None where none is."""
        return self[attribute(self.picked)] if self.picked and attribute(self.picked) in self else None

    @property
    def change(self) -> dict[str, Any]:
        """What is set, as `bulk.revised` reads it. Only of a form that is valid."""
        found: dict[str, Any] = {name: _value(name, self[name].data) for name in SET if self[name].data}
        tags = {"add_tags": names_in(self.add_tags.data), "remove_tags": names_in(self.remove_tags.data)}
        own = {"custom_fields": {str(self.picked.id): self._own_value(self.picked)}} if self.picked else {}
        return found | own | {name: names for name, names in tags.items() if names}

    def validate(self, extra_validators: Any = None) -> bool:
        """Something must be set, or there is nothing to do; and a value must be one."""
        valid = bool(super().validate(extra_validators))
        if valid and not self.change:
            self.refuse("add_tags", "Choose at least one thing to change.")
            return False
        return valid and self._is_apt()

    def _is_apt(self) -> bool:
        """Whether the custom field gets a value, or may be cleared; said at its input if not."""
        one = self.picked
        if one is None or self._own_value(one) is not None or (self.clears and not one.is_required):
            return True
        if self.clears:
            self.refuse("custom", f"{one.name} is required, so it can’t be cleared.")
        else:
            self.refuse(attribute(one), f"Give {one.name} a value, or choose to clear it.")
        return False

    def _own_value(self, field: CustomField) -> Value | None:
        if self.clears:
            return None
        return True if field.type == FieldType.CHECKBOX else typed(field, self[attribute(field)].data, None)


class ViewForm(Form):
    """The name of a view that is saved."""

    name = text("Name of the view", 50, DataRequired("Give the view a name."))
    is_shared = BooleanField("For everybody in this workspace")


def _value(name: str, word: str) -> Any:
    if name == "owner":
        return "" if word == NOBODY else word
    return word == "yes" if name in FLAGS else word


def _acts(field: CustomField) -> list[tuple[str, str]]:
    """What can be done to a custom field of many."""
    yes, no = (f"Set {field.name} to {word}" for word in ("yes", "no"))
    is_box = field.type == FieldType.CHECKBOX
    return [
        (f"{SET_IT}{field.id}", yes if is_box else f"Set {field.name}"),
        (f"{CLEAR_IT}{field.id}", no if is_box else f"Clear {field.name}"),
    ]
