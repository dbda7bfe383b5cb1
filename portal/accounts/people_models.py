"""Invitations to a workspace."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow
from .models import Role


class Invitation(Base):
    """A link with which one person can join. The row goes when it is used: so it is used once."""

    __tablename__ = "invitation"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[Role]
    email: Mapped[str] = mapped_column(String(254))
    """Whom it is for, or ""."""
    created_by: Mapped[str] = mapped_column(String(100))
    creator_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user_account.id"))
    """Without whom it works no more, once they do not administer the workspace; None: made before that was kept."""
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    expires_at: Mapped[datetime]

    @property
    def name(self) -> str:
        """What the audit log calls it."""
        return self.email or f"a link, {self.role}"

    @property
    def is_expired(self) -> bool:
        """Whether it came too late."""
        return self.expires_at <= utcnow()
