"""The forms in which an Administrator defines custom fields and words of the lists."""

from typing import Any

from wtforms import BooleanField, IntegerField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional, ValidationError

from ..fields import Form, long_text, text
from .field_models import CustomField, FieldType, ListWord
from .field_values import LENGTHS, takes_length, takes_options

TYPE_WORDS = {
    FieldType.TEXT: "Text",
    FieldType.LONG_TEXT: "Long text",
    FieldType.NUMBER: "Number",
    FieldType.DATE: "Date",
    FieldType.DATE_TIME: "Date and time",
    FieldType.CHOICE: "Choice",
    FieldType.CHOICES: "Several choices",
    FieldType.CHECKBOX: "Checkbox",
    FieldType.URL: "URL",
    FieldType.EMAIL: "E-mail",
    FieldType.PHONE: "Phone",
}
MOST_OPTIONS, LONGEST_OPTION = 100, 100
LONGEST = LENGTHS[FieldType.LONG_TEXT]


class FieldForm(Form):
    """A custom field. Its type is chosen once; the names of these fields are the attributes of the definition."""

    name = text("Name", 100, InputRequired("Give the field a name."))
    type = SelectField(
        "Type",
        choices=[SelectChoice(kind.value, word) for kind, word in TYPE_WORDS.items()],
        invalid_choice_message="Type is one of the list. Choose again.",
    )
    option_lines = long_text("Choices", 20_000, description="One a line, without commas.", render_kw={"rows": 5})
    length = IntegerField(
        "Length",
        [Optional(), NumberRange(1, LONGEST, f"Length is a number from 1 to {LONGEST:,}.")],
        description="Most characters. Blank for the usual: 200, or 10,000 in a long text.",
        render_kw={"inputmode": "numeric"},
    )
    help = text("Help text", 300, description="Shown below the field in forms.")
    is_required = BooleanField("Required", description="Forms are not saved without it.")
    is_visible = BooleanField(
        "Visible", default=True, description="Forms and pages show it. Events carry it all the same."
    )

    def __init__(self, field: CustomField | None = None, uses: int = 0) -> None:
        """`field` is one that exists; its type stays. `uses` is how many contacts have a value of it."""
        super().__init__(obj=field, data={"option_lines": "\n".join(field.options) if field else ""})
        self.kind = FieldType(field.type) if field else None
        self.uses = uses
        if field:
            del self.type

    @property
    def chosen(self) -> FieldType | None:
        """The type, if there is one."""
        word = self.type.data if "type" in self else self.kind
        return FieldType(word) if word in set(FieldType) else None

    @property
    def words(self) -> list[str]:
        """The options, each once."""
        spellings: dict[str, str] = {}
        for word in filter(None, map(str.strip, (self.option_lines.data or "").splitlines())):
            spellings.setdefault(word.casefold(), word)
        return list(spellings.values())

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes of the definition. Only of a form that is valid."""
        kind = self.chosen
        assert kind is not None
        facts = {name: self[name].data for name in ("name", "help", "is_required", "is_visible")}
        facts["length"] = self.length.data if takes_length(kind) else None
        facts["options"] = self.words if takes_options(kind) else []
        return facts if self.kind else {**facts, "type": kind}

    def validate_length(self, field: Any) -> None:
        """What is no number is told in our words."""
        if field.raw_data and field.raw_data[0].strip() and field.data is None:
            field.errors = []
            raise ValidationError(f"Length is a number from 1 to {LONGEST:,}.")

    def validate_option_lines(self, _field: Any) -> None:
        """Where something is chosen there is something to choose from."""
        if self.chosen is None or not takes_options(self.chosen):
            return
        if not self.words:
            raise ValidationError("Give the choices, one a line.")
        if len(self.words) > MOST_OPTIONS:
            raise ValidationError(f"A field has at most {MOST_OPTIONS} choices.")
        if any("," in word or len(word) > LONGEST_OPTION for word in self.words):
            raise ValidationError(f"A choice has no comma and at most {LONGEST_OPTION} characters.")

    def validate_is_required(self, field: Any) -> None:
        """Nobody could give what no form shows."""
        if field.data and not self.is_visible.data:
            raise ValidationError("What is required must be visible, too.")


class WordForm(Form):
    """A word of a list."""

    name = text("Name", 50, InputRequired("Give it a name."))

    def __init__(self, word: ListWord | None = None, prefix: str = "") -> None:
        super().__init__(obj=word, prefix=prefix)
