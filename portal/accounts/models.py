"""Workspaces, the people in them, and the sessions in which they are signed in."""

import secrets
import uuid
from datetime import datetime
from enum import StrEnum

from flask_login import UserMixin
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Base, utcnow


class Role(StrEnum):
    """What a member may do (source: the vendor's pages)."""

    ADMINISTRATOR = "Administrator"
    SUPERVISOR = "Supervisor"
    AGENT = "Agent"


class SandboxMode(StrEnum):
    """How a workspace's sandbox receiver answers."""

    OK = "ok"
    ERROR = "error"
    SLOW = "slow"
    GONE = "gone"


def new_sandbox_token() -> str:
    """Names a sandbox receiver in its address: unguessable, for who knows it may post there."""
    return secrets.token_urlsafe(24)


class Workspace(Base):
    """A tenant: every row belongs to one, and nobody sees another's."""

    __tablename__ = "workspace"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    sandbox_token: Mapped[str] = mapped_column(String(40), unique=True, default=new_sandbox_token)
    sandbox_mode: Mapped[SandboxMode] = mapped_column(default=SandboxMode.OK)
    idle_minutes: Mapped[int | None]
    """After so long without anybody at the browser, its session ends; None: it goes on."""
    needs_two_steps: Mapped[bool] = mapped_column(default=False)
    """Whether its people set two-step log-in up before they reach anything else."""


class User(Base):
    """A person, known by their e-mail address over all workspaces."""

    __tablename__ = "user_account"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case: nobody tells two people by the case of their address."""
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)

    memberships: Mapped[list["Membership"]] = relationship(back_populates="user")


class Membership(Base):
    """A person's role in one workspace."""

    __tablename__ = "membership"

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True, index=True)
    role: Mapped[Role]
    deactivated_at: Mapped[datetime | None]
    """Since when the person may not come in; what they own and what they did stays theirs."""

    workspace: Mapped[Workspace] = relationship()
    user: Mapped[User] = relationship(back_populates="memberships")

    @property
    def is_active(self) -> bool:
        """Whether the person may come in."""
        return self.deactivated_at is None


class Session(UserMixin, Base):  # type: ignore[misc]  # Flask-Login is not typed
    """A signed-in browser: what Flask-Login calls the user. A row, so that it can be ended from here."""

    __tablename__ = "user_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user_account.id"), index=True)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspace.id"))
    id: Mapped[uuid.UUID] = mapped_column(unique=True, default=uuid.uuid4)
    """Names it on pages."""
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    seen_at: Mapped[datetime] = mapped_column(default=utcnow)
    """When its person was last there, to the minute."""
    browser: Mapped[str] = mapped_column(String(60))
    network: Mapped[str] = mapped_column(String(50))

    user: Mapped[User] = relationship(lazy="joined")
    workspace: Mapped[Workspace] = relationship(lazy="joined")
    membership: Mapped[Membership | None] = relationship(
        primaryjoin="and_(foreign(Session.workspace_id) == Membership.workspace_id,"
        " foreign(Session.user_id) == Membership.user_id)",
        lazy="joined",
        viewonly=True,
    )

    token = ""
    """Only on the request that opens the session: the database keeps its hash."""

    def get_id(self) -> str:
        """What the cookie carries (Flask-Login's hook)."""
        return self.token
