"""What an Administrator lets a workspace's contacts say besides the contract: custom fields, stages, priorities."""

import uuid
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base


class FieldType(StrEnum):
    """What a custom field holds; the word is the `type` that receivers read."""

    TEXT = "text"
    LONG_TEXT = "longText"
    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "dateTime"
    CHOICE = "choice"
    CHOICES = "choices"
    CHECKBOX = "checkbox"
    URL = "url"
    EMAIL = "email"
    PHONE = "phone"


class WordKind(StrEnum):
    """The lists of words that a contact carries one of; the values are the contact's attributes."""

    STAGE = "lead_stage"
    PRIORITY = "priority"


class CustomField(Base):
    """A field that one workspace gave its contacts. Its id names the values, so that renaming it touches no contact."""

    __tablename__ = "custom_field"
    __table_args__ = (Index(None, "workspace_id", "position"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str] = mapped_column(String(100))
    type: Mapped[FieldType]
    """Given once: values of another type could not be read any more."""
    length: Mapped[int | None]
    """Most characters of a text; None for what its type allows."""
    help: Mapped[str] = mapped_column(String(300), default="")
    is_required: Mapped[bool] = mapped_column(default=False)
    is_visible: Mapped[bool] = mapped_column(default=True)
    """Whether forms and pages show it; events carry its values all the same."""
    options: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The words to choose from."""
    position: Mapped[int]


class ListWord(Base):
    """A lead stage or a priority. Contacts carry the word itself."""

    __tablename__ = "list_word"
    __table_args__ = (UniqueConstraint("workspace_id", "kind", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    kind: Mapped[WordKind]
    name: Mapped[str] = mapped_column(String(50))
    position: Mapped[int]
    is_default: Mapped[bool] = mapped_column(default=False)
    """What a contact made by hand gets when nobody says otherwise: one of each kind."""
