"""What proves who somebody is beside a password: an authenticator app, recovery codes, links for a new password."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import Base, utcnow
from ..sealing import Sealed


class SecondFactor(Base):
    """The secret that a person's authenticator app shares with the portal."""

    __tablename__ = "second_factor"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(Sealed)
    last_step: Mapped[int] = mapped_column(Integer)
    """The time step (half a minute) of the last code that was used: none works twice."""
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RecoveryCode(Base):
    """One of the codes for the day on which the phone is lost. Works once."""

    __tablename__ = "recovery_code"

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """Stands before the code, so that one hash has to be compared and not ten."""
    code_hash: Mapped[str] = mapped_column(String(255))
    used_at: Mapped[datetime | None]


class ResetLink(Base):
    """A link with which somebody sets a new password, once."""

    __tablename__ = "reset_link"
    __table_args__ = (Index(None, "user_id"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"))
    creator_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user_account.id"))
    """The Administrator who made it; None: it went out by letter."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
