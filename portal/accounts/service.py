"""Workspaces, sign-up and sign-in; the one scope through which rows of a workspace are read."""

import hashlib
import hmac
import os
import secrets
import uuid
from typing import Any, TypeVar

from argon2.exceptions import VerificationError
from flask import Flask, abort, current_app
from flask_login import current_user, login_user, logout_user
from sqlalchemy import Select, select

from ..config import default_url
from ..extensions import Base, db, hasher, login
from .models import Membership, Role, Session, User, Workspace

Row = TypeVar("Row", bound=Base)

# Verified against when an account is unknown, so that the answer takes as long as for a known one.
NOBODY = hasher.hash(secrets.token_hex(16))


def workspace() -> Workspace:
    """The workspace that the signed-in person works in."""
    found: Workspace = current_user.workspace
    return found


def person() -> User:
    """The signed-in person."""
    found: User = current_user.user
    return found


def role() -> Role:
    """What the signed-in person is in the workspace."""
    found: Role = current_user.membership.role
    return found


def own(model: type[Row]) -> Select[Any]:
    """A SELECT of the workspace's own rows. Every read of a view begins here."""
    return select(model).where(model.workspace_id == workspace().id)  # type: ignore[attr-defined]


def own_or_404(model: type[Row], key: object) -> Row:
    """The workspace's row with that primary key; another workspace's answers exactly like a missing one."""
    row: Row | None = db.session.scalars(own(model).where(model.id == key)).one_or_none()  # type: ignore[attr-defined]
    return row if row is not None else abort(404)


def members(workspace_id: uuid.UUID) -> list[Membership]:
    """The people of a workspace with their roles, by name."""
    query = select(Membership).join(User).where(Membership.workspace_id == workspace_id).order_by(User.name)
    return list(db.session.scalars(query))


def is_new() -> bool:
    """Whether this installation has no workspace yet."""
    return db.session.scalar(select(Workspace.id).limit(1)) is None


def may_sign_up() -> bool:
    """Whether a stranger may make a workspace: always with PORTAL_SIGNUP=open, else only the first."""
    return current_app.config["SIGNUP"] == "open" or is_new()


def signup_token() -> str | None:
    """What the first sign-up of a production installation asks for, and the start prints; None where nothing is asked.

    Derived, not stored: every process of the installation prints the same, and nothing has to be shared.
    """
    if not current_app.config["PRODUCTION"] or current_app.config["SIGNUP"] == "open":
        return None
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, b"first sign-up", hashlib.sha256).hexdigest()[:16]


def email_is_known(email: str) -> bool:
    """Whether somebody has an account with this address."""
    return db.session.scalar(select(User.id).where(User.email == email.lower())) is not None


def create_workspace(name: str, owner: str, email: str, password: str) -> User:
    """Make a workspace and its first Administrator."""
    space = Workspace(name=name)
    user = User(name=owner, email=email.lower(), password_hash=hasher.hash(password))
    db.session.add_all([space, user])
    db.session.flush()
    db.session.add(Membership(workspace_id=space.id, user_id=user.id, role=Role.ADMINISTRATOR))
    db.session.flush()
    return user


def authenticate(email: str, password: str) -> User | None:
    """The person with this address and password, or None. Takes the same time whether or not the address is known."""
    user = db.session.scalars(select(User).where(User.email == email.lower())).one_or_none()
    try:
        hasher.verify(user.password_hash if user else NOBODY, password)
    except VerificationError:
        return None
    if user and hasher.check_needs_rehash(user.password_hash):
        user.password_hash = hasher.hash(password)
    return user


def open_session(user: User) -> None:
    """Sign the browser in, in the person's first workspace."""
    token = secrets.token_urlsafe(32)
    session = Session(
        token_hash=_hash(token), user=user, user_id=user.id, workspace_id=user.memberships[0].workspace_id
    )
    db.session.add(session)
    db.session.flush()
    session.token = token
    login_user(session)


def close_session() -> None:
    """Sign the browser out; its cookie is worthless from now on, wherever a copy of it may be."""
    db.session.delete(current_user._get_current_object())  # the row behind Flask-Login's proxy
    logout_user()


@login.user_loader  # type: ignore[untyped-decorator]
def load_session(token: str) -> Session | None:
    """The session that a cookie names (Flask-Login's hook); None once the person left the workspace."""
    session = db.session.get(Session, _hash(token))
    return session if session and session.membership else None


def _hash(token: str) -> str:
    # The token has 256 random bits: a plain digest can't be guessed backwards.
    return hashlib.sha256(token.encode()).hexdigest()


def announce_signup(app: Flask) -> None:
    """Print where the first sign-up of a production installation happens and the token that it asks for."""
    with app.app_context():
        token = signup_token()
        if token and may_sign_up():
            address = app.config["URL"] or default_url(os.environ)
            print(f"First sign-up: {address}/signup with the token {token}", flush=True)
