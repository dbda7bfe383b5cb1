"""Sessions: how long they last, in which browser they are, and how they end."""

import ipaddress
import uuid
from datetime import timedelta

from flask import request
from flask_login import current_user
from sqlalchemy import delete, select, update

from ..extensions import begin_writing, commit_without_waiting, db, utcnow
from .models import Session, User

LIFE = timedelta(days=7)
"""However busy it is, a session ends after this, and its person logs in again."""
TOLD_EVERY = timedelta(minutes=1)
"""How exactly a session remembers when it was last used."""
POLL = "X-Poll"
"""The header of what a page asks for by itself, without anybody being there (`app.js` sends it)."""


def is_over(session: Session) -> bool:
    """Whether it is too old, or was left alone for longer than its workspace allows."""
    now, idle = utcnow(), session.workspace.idle_minutes
    return now - session.created_at > LIFE or (bool(idle) and now - session.seen_at > timedelta(minutes=idle or 0))


def is_due() -> bool:
    """Whether this request shows that its person is there, and that is news."""
    return POLL not in request.headers and utcnow() - current_user.seen_at > TOLD_EVERY


def touch(token_hash: str) -> None:
    """Remember that the session was used now, in a transaction of its own."""
    begin_writing()
    db.session.execute(update(Session).where(Session.token_hash == token_hash).values(seen_at=utcnow()))
    commit_without_waiting()
    db.session.commit()


def of(user: User) -> list[Session]:
    """The browsers in which the person is signed in, the last used first."""
    found = db.session.scalars(select(Session).where(Session.user_id == user.id).order_by(Session.seen_at.desc()))
    return [session for session in found if not is_over(session)]


def end(user: User, keep: Session | None = None, only: uuid.UUID | None = None) -> int:
    """End the person's sessions, or `only` that one, but not the one to `keep`; returns how many."""
    query = delete(Session).where(Session.user_id == user.id)
    if keep is not None:
        query = query.where(Session.token_hash != keep.token_hash)
    if only is not None:
        query = query.where(Session.id == only)
    return len(db.session.scalars(query.returning(Session.id)).all())


def forget_old(user: User) -> None:
    """Take away those that are over by age."""
    db.session.execute(delete(Session).where(Session.user_id == user.id, Session.created_at < utcnow() - LIFE))


def network_of(address: str | None) -> str:
    """The network of an address: enough to recognise a place, too little to find a person."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    size = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{size}", strict=False))
