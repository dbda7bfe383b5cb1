"""Contacts and their tags: the 36 facts of the contract's payload, as columns."""

import re
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Base, utcnow
from ..ids import new_id
from .keys import keys_of

CUSTOM_FIELDS = JSON().with_variant(JSONB(), "postgresql")
"""Of PostgreSQL's two kinds the one that can be searched, compared and changed in place."""

AVATAR_TOKEN = r"/avatars/([A-Za-z0-9_-]{43})"  # noqa: S105 - a pattern
"""How the path of an uploaded picture ends its address."""

contact_tag = Table(
    "contact_tag",
    Base.metadata,
    Column("contact_id", ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Tag(Base):
    """A coloured word that contacts of one workspace can carry."""

    __tablename__ = "tag"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    name: Mapped[str] = mapped_column(String(50))
    color: Mapped[str] = mapped_column(String(7))
    """#RRGGBB, upper case, as in the contract's examples."""


SORTED = ("changed_at", "created_time", "name_key", "company_key", "stage_key", "email_key")
"""What the list can be ordered by; never NULL, which stands on no side of a page's edge."""


class Contact(Base):
    """A person that the workspace knows. Text is NULL or "" exactly as the payload shall say it."""

    is_personal = True
    """`audit` keeps nothing of it but its id: an entry stays for ever, and what is said of a person must not."""

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("workspace_id", "contact_id"),
        Index(None, "workspace_id", "id"),
        # One for each order of the list ...
        *(Index(None, "workspace_id", name, "id") for name in SORTED),
        # ... and one for each filter that may find a few among many.
        Index(None, "workspace_id", "phone_key", "id"),
        Index(None, "workspace_id", "owner", "id"),
        Index(None, "workspace_id", "priority", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    avatar_url: Mapped[str | None] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(String(254))
    phone_number: Mapped[str | None] = mapped_column(String(40))
    contact_id: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str | None] = mapped_column(String(36))
    """The owning user's id, or "" when an edit posted a blank; no foreign key, for "" is a value of the contract."""
    lead_stage: Mapped[str | None] = mapped_column(String(50))
    notes: Mapped[str | None] = mapped_column(Text)
    company_name: Mapped[str | None] = mapped_column(String(200))
    job_title: Mapped[str | None] = mapped_column(String(200))
    priority: Mapped[str | None] = mapped_column(String(50))
    ip: Mapped[str | None] = mapped_column(String(45))
    country_region: Mapped[str | None] = mapped_column(String(100))
    province: Mapped[str | None] = mapped_column(String(100))
    city: Mapped[str | None] = mapped_column(String(100))
    street: Mapped[str | None] = mapped_column(String(200))
    zip_code: Mapped[str | None] = mapped_column(String(20))
    language: Mapped[str | None] = mapped_column(String(50))
    facebook_username: Mapped[str | None] = mapped_column(String(100))
    telegram_username: Mapped[str | None] = mapped_column(String(100))
    instagram_username: Mapped[str | None] = mapped_column(String(100))
    whatsapp_number: Mapped[str | None] = mapped_column(String(40))
    subscribe_email: Mapped[bool] = mapped_column(Boolean, default=True)
    subscribe_sms: Mapped[bool] = mapped_column(Boolean, default=True)
    subscribe_whatsapp: Mapped[bool] = mapped_column(Boolean, default=True)
    last_channel: Mapped[str | None] = mapped_column(String(50))
    created_time: Mapped[datetime] = mapped_column(default=utcnow)
    last_updated_time: Mapped[datetime | None]
    last_seen_time: Mapped[datetime | None]
    last_connected_time: Mapped[datetime | None]
    last_heard_from_time: Mapped[datetime | None]
    custom_fields: Mapped[dict[str, Any]] = mapped_column(CUSTOM_FIELDS, default=dict)
    """Values by the id of their field; what is blank is left out."""
    changed_at: Mapped[datetime] = mapped_column(default=utcnow)
    """Created or last updated: what the list sorts by without a function in the index."""
    name_key: Mapped[str] = mapped_column(String(100), default="")
    """This and the others below are made by `keys` whenever a contact is written."""
    company_key: Mapped[str] = mapped_column(String(100), default="")
    stage_key: Mapped[str] = mapped_column(String(100), default="")
    email_key: Mapped[str] = mapped_column(String(254), default="")
    phone_key: Mapped[str] = mapped_column(String(40), default="")
    search_text: Mapped[str] = mapped_column(Text, default="")

    tags: Mapped[list[Tag]] = relationship(secondary=contact_tag, order_by=Tag.name, lazy="selectin")

    @property
    def label(self) -> str:
        """The name people know the contact by: the full name, else e-mail, phone or contact ID."""
        name = " ".join(part for part in (self.first_name, self.last_name) if part)
        return name or self.email or self.phone_number or self.contact_id

    @property
    def picture(self) -> str:
        """The path of its uploaded picture; "" when there is none: pictures of other sites are not shown."""
        found = re.search(AVATAR_TOKEN + r"\Z", self.avatar_url or "")
        return found[0] if found else ""


@event.listens_for(Contact, "before_insert")
@event.listens_for(Contact, "before_update")
def _make_keys(_mapper: Any, _connection: Any, contact: Contact) -> None:
    for name, value in keys_of(contact).items():
        setattr(contact, name, value)


class Avatar(Base):
    """An uploaded picture of a contact, as it is served to whoever knows its token."""

    __tablename__ = "avatar"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    contact_id: Mapped[uuid.UUID] = mapped_column(index=True)
    """No foreign key: it stays while the contact can be restored."""
    token: Mapped[str] = mapped_column(String(43), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    """Its media type."""
    data: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
