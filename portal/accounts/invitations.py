"""Invitations: a link lets one person join, within a week, in the role that was chosen."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from .. import audit, mail
from ..extensions import db, utcnow
from ..web import address_of
from .models import Membership, Role, User, Workspace
from .people_models import Invitation

LIFE = timedelta(days=7)
ADDRESS = "/invitations/"
"""Where the links lead; what follows is the token."""
SUBJECT = "{name} invites you to {workspace}"
LETTER = """{name} invites you to the workspace {workspace}, as {role}.

Open this link within 7 days. It works once:
{link}

If you do not know what this is about, leave it: without you it does nothing.
"""


def invite(space: Workspace, role: Role, email: str, actor: User) -> str:
    """Make an invitation, and send it when it is for somebody's address and a mail server is configured.

    Returns the link, which nobody can read again: the database keeps a digest.
    """
    token = secrets.token_urlsafe(32)
    made = Invitation(workspace_id=space.id, role=role, email=email, created_by=actor.name, creator_id=actor.id)
    made.token_hash, made.expires_at = _hash(token), utcnow() + LIFE
    db.session.add(made)
    db.session.flush()
    audit.note(actor, "invited", made, after={"role": role, "email": email})
    link = address_of("workspaces.join", token=token)
    if email:
        words = {"name": actor.name, "workspace": space.name, "role": role, "link": link}
        mail.write(email, SUBJECT.format(**words), LETTER.format(**words))
    return link


def find(token: str) -> Invitation | None:
    """The invitation that a link names; None when it was used, withdrawn or expired."""
    query = select(Invitation).where(Invitation.token_hash == _hash(token), Invitation.expires_at > utcnow())
    return db.session.scalars(query).one_or_none()


def accept(invitation: Invitation, user: User) -> bool:
    """Let a person in, and use the invitation up. False when somebody else was faster.

    Who is in already stays what they are, deactivated people too: that is up to an Administrator.
    """
    used = delete(Invitation).where(Invitation.id == invitation.id).returning(Invitation.id)
    if db.session.scalar(used.execution_options(synchronize_session=False)) is None:
        return False
    if db.session.get(Membership, (invitation.workspace_id, user.id)) is None:
        member = Membership(workspace_id=invitation.workspace_id, user_id=user.id, user=user, role=invitation.role)
        db.session.add(member)
        db.session.flush()
        audit.note(user, "joined", member, after={"role": invitation.role, "invited by": invitation.created_by})
    return True


def accept_at(address: str | None, user: User) -> uuid.UUID | None:
    """Let in whom an address invites that they want to go on to; the workspace, if that is where they may be now."""
    found = find(address.removeprefix(ADDRESS)) if address and address.startswith(ADDRESS) else None
    if found is None or db.session.get(Membership, (found.workspace_id, user.id)) is not None:
        return None
    return found.workspace_id if accept(found, user) else None


def waiting(workspace_id: uuid.UUID) -> Sequence[Invitation]:
    """The invitations that nobody used, the newest first, with those that are too old."""
    query = select(Invitation).where(Invitation.workspace_id == workspace_id)
    return db.session.scalars(query.order_by(Invitation.created_at.desc(), Invitation.id)).all()


def withdraw(invitation: Invitation, actor: User) -> None:
    """Make its link worthless."""
    audit.note(actor, "withdrew the invitation", invitation)
    db.session.delete(invitation)


def withdraw_those_of(member: Membership, actor: User) -> None:
    """Make all links worthless that a member made for their workspace."""
    made = Invitation.workspace_id == member.workspace_id, Invitation.creator_id == member.user_id
    for invitation in db.session.scalars(select(Invitation).where(*made)):
        withdraw(invitation, actor)


def _hash(token: str) -> str:
    # The token has 256 random bits: a plain digest can't be guessed backwards.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
