"""Workspaces, sign-up and sign-in; the one scope through which rows of a workspace are read."""

import hashlib
import hmac
import os
import secrets
import uuid
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, request, session
from flask_login import current_user, login_user, logout_user
from sqlalchemy import Select, select
from sqlalchemy.orm import contains_eager

from .. import audit
from ..config import default_url
from ..extensions import Base, db, login
from . import passwords, sessions, typed
from .models import Membership, Role, Session, User, Workspace

Row = TypeVar("Row", bound=Base)


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
    """The people who may come into a workspace, by name."""
    return [member for member in everybody(workspace_id) if member.is_active]


def everybody(workspace_id: uuid.UUID) -> list[Membership]:
    """The people of a workspace, with those who were deactivated, by name."""
    query = select(Membership).join(User).where(Membership.workspace_id == workspace_id).order_by(User.name, User.id)
    return list(db.session.scalars(query.options(contains_eager(Membership.user))))


def homes_of(user: User) -> list[Workspace]:
    """The workspaces into which a person may come, by name."""
    query = select(Workspace).join(Membership).where(Membership.user_id == user.id, Membership.deactivated_at.is_(None))
    return list(db.session.scalars(query.order_by(Workspace.name, Workspace.id)))


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
    user = create_user(owner, email, password)
    add_workspace(name, user)
    return user


def create_user(name: str, email: str, password: str) -> User:
    """Make an account, which is in no workspace yet."""
    user = User(name=name, email=email.lower(), password_hash=passwords.hashed(password))
    db.session.add(user)
    db.session.flush()
    return user


def add_workspace(name: str, owner: User) -> Workspace:
    """Make a workspace that its owner administers."""
    space = Workspace(name=name)
    db.session.add(space)
    db.session.flush()
    db.session.add(Membership(workspace_id=space.id, user_id=owner.id, role=Role.ADMINISTRATOR))
    audit.note(owner, "created the workspace", space)
    db.session.flush()
    return space


def authenticate(email: str, password: str) -> User | None:
    """The person with this address and password, or None. Takes the same time whether or not the address is known."""
    user = db.session.scalars(select(User).where(User.email == email.lower())).one_or_none()
    if not passwords.fits(user.password_hash if user else None, password):
        return None
    if user and passwords.is_outdated(user.password_hash):
        user.password_hash = passwords.hashed(password)
    return user


def open_session(user: User, space: uuid.UUID | None = None, action: str = "signed in") -> None:
    """Sign the browser in, in the given workspace or the person's first; what its cookie was before is nobody's."""
    sessions.forget_old(user)
    session.clear()
    session[typed.PERSON] = str(user.id)
    g.pop("csrf_token", None)  # the page that is made now carries the token of the new session
    token = secrets.token_urlsafe(32)
    opened = Session(
        token_hash=_hash(token), user=user, user_id=user.id,
        workspace_id=space or homes_of(user)[0].id,
        browser=audit.browser_of(request.user_agent.string) or "Unknown browser",
        network=sessions.network_of(request.remote_addr),
    )  # fmt: skip
    db.session.add(opened)
    db.session.flush()
    opened.token = token
    audit.note(user, action, opened)
    login_user(opened)


def enter(space: uuid.UUID) -> None:
    """Let the session go on in another workspace of its person."""
    session = current_user._get_current_object()  # the row behind Flask-Login's proxy
    session.workspace_id = space
    audit.note(session.user, "switched to the workspace", session)


def close_session() -> None:
    """Sign the browser out; its cookie is worthless from now on, wherever a copy of it may be."""
    session = current_user._get_current_object()  # the row behind Flask-Login's proxy
    audit.note(session.user, "signed out", session)
    db.session.delete(session)
    logout_user()


@login.user_loader  # type: ignore[untyped-decorator]
def load_session(token: str) -> Session | None:
    """The session that a cookie names (Flask-Login's hook); None once it is over or its person may not come in."""
    found = db.session.get(Session, _hash(token))
    may_come_in = found and found.membership and found.membership.is_active
    return found if found and may_come_in and not sessions.is_over(found) else None


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
