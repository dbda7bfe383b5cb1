"""New passwords for those who forgot theirs: by a link that works once, from a letter or from an Administrator."""

import hashlib
import secrets
import uuid
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, insert, literal, select, update

from ..extensions import commit_without_waiting, db, utcnow
from ..mail import Letter
from ..sealing import seal
from ..web import address_of
from . import passwords, sessions
from .models import User
from .proof_models import ResetLink

BY_LETTER, BY_ADMINISTRATOR = timedelta(hours=1), timedelta(hours=24)
SUBJECT = "Set a new password"
LETTER = """Somebody, hopefully you, asked for a new password for this address. Set it here, within an hour:

{link}

If it was not you, do nothing: your password stays as it is."""


def goes_by_letter() -> bool:
    """Whether the portal can send letters."""
    return bool(current_app.config["SMTP_URL"])


def send_link(email: str) -> None:
    """Write to the person with this address, if there is one. Two statements, whether or not there is."""
    token, whose, now = secrets.token_urlsafe(32), User.email == email.lower(), utcnow()
    body = LETTER.format(link=link_of(token))
    link = select(
        literal(_hash(token)), User.id, literal(now + BY_LETTER, ResetLink.expires_at.type)
    ).where(whose)  # fmt: skip
    letter = select(
        literal(uuid.uuid4(), Letter.id.type), User.email, literal(SUBJECT), literal(seal(body)),
        literal(now, Letter.created_at.type),
    ).where(whose)  # fmt: skip
    for model, columns, found in (
        (ResetLink, ["token_hash", "user_id", "expires_at"], link),
        (Letter, ["id", "recipient", "subject", "sealed_body", "created_at"], letter),
    ):
        db.session.execute(insert(model).from_select(columns, found, include_defaults=False))
    commit_without_waiting()


def new_link(user: User, creator: User) -> str:
    """A link that an Administrator hands on; shown once."""
    token, until = secrets.token_urlsafe(32), utcnow() + BY_ADMINISTRATOR
    db.session.add(ResetLink(token_hash=_hash(token), user_id=user.id, creator_id=creator.id, expires_at=until))
    return link_of(token)


def link_of(token: str) -> str:
    """Its full address."""
    return address_of("proof.reset", token=token)


def owner(token: str) -> User | None:
    """Whose password it sets; None when it was used, is too old or never was."""
    mine = select(User).join(ResetLink, ResetLink.user_id == User.id)
    return db.session.scalar(mine.where(ResetLink.token_hash == _hash(token), *_works()))


def use(token: str, user: User, password: str) -> bool:
    """Set the password and end all sessions; this and all other links of the person are used up. False: it was used."""
    mine = update(ResetLink).where(ResetLink.token_hash == _hash(token), *_works()).values(used_at=utcnow())
    if db.session.scalar(mine.returning(ResetLink.user_id)) is None:
        return False
    set_password(user, password)
    return True


def set_password(user: User, password: str) -> None:
    """Change the password: all sessions end, and links that were sent before work no more."""
    user.password_hash = passwords.hashed(password)
    sessions.end(user)
    _use_up(ResetLink.user_id == user.id)


def void_those_of(creator_id: uuid.UUID) -> None:
    """Let the links work no more that somebody made as an Administrator, in whichever workspace: they had but a day."""
    _use_up(ResetLink.creator_id == creator_id)


def _use_up(those: ColumnElement[bool]) -> None:
    db.session.execute(update(ResetLink).where(those, ResetLink.used_at.is_(None)).values(used_at=utcnow()))


def _works() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return ResetLink.used_at.is_(None), ResetLink.expires_at > utcnow()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
