"""What Administrators do with the members of a workspace. Somebody always administers it."""

import uuid

from sqlalchemy import ColumnElement, delete, select, update

from .. import audit
from ..extensions import db, utcnow
from . import invitations, resets
from .models import Membership, Role, Session, User, Workspace


class LastAdministrator(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Without this person nobody would administer the workspace."""


class NoMember(Exception):  # noqa: N818  likewise
    """There is no such member, perhaps since a moment ago."""


def locked(workspace_id: uuid.UUID, user_id: uuid.UUID) -> Membership:
    """The member as it is now. Until the commit nobody else changes members of the workspace, so that two who each
    leave the other one as Administrator take turns. Raises NoMember.
    """
    one_at_a_time = select(Workspace.id).where(Workspace.id == workspace_id).with_for_update(key_share=True)
    db.session.execute(one_at_a_time)
    member = db.session.get(Membership, (workspace_id, user_id), populate_existing=True)
    if member is None:
        raise NoMember
    return member


def change_role(member: Membership, role: Role, actor: User) -> None:
    """Give a locked member another role. Raises LastAdministrator."""
    if role != Role.ADMINISTRATOR:
        _let_go(member, actor)
    audit.note(actor, "changed the role", member, {"role": member.role}, {"role": role})
    member.role = role


def deactivate(member: Membership, actor: User) -> None:
    """Keep a locked member out from now on; their sessions in the workspace end. Raises LastAdministrator."""
    _let_go(member, actor)
    if member.is_active:
        member.deactivated_at = utcnow()
        db.session.execute(delete(Session).where(*_sessions_of(member)))
        audit.note(actor, "deactivated", member, {"may come in": True}, {"may come in": False})


def activate(member: Membership, actor: User) -> None:
    """Let a locked member in again."""
    if not member.is_active:
        member.deactivated_at = None
        audit.note(actor, "activated", member, {"may come in": False}, {"may come in": True})


def remove(member: Membership, actor: User) -> None:
    """Take a locked member out of the workspace; their sessions go on in another one of theirs, or end.

    Raises LastAdministrator.
    """
    _let_go(member, actor)
    audit.note(actor, "removed", member, {"role": member.role})
    elsewhere = select(Membership.workspace_id).where(
        Membership.user_id == member.user_id,
        Membership.workspace_id != member.workspace_id,
        Membership.deactivated_at.is_(None),
    )
    if other := db.session.scalar(elsewhere.order_by(Membership.workspace_id).limit(1)):
        db.session.execute(update(Session).where(*_sessions_of(member)).values(workspace_id=other))
    else:
        db.session.execute(delete(Session).where(*_sessions_of(member)))
    db.session.delete(member)


def _let_go(member: Membership, actor: User) -> None:
    """Let what an Administrator made let nobody in any more: who comes in is up to those who administer. Raises
    LastAdministrator."""
    _spare_the_last(member)
    invitations.withdraw_those_of(member, actor)
    resets.void_those_of(member.user_id)


def _spare_the_last(member: Membership) -> None:
    others = select(Membership.user_id).where(
        Membership.workspace_id == member.workspace_id,
        Membership.user_id != member.user_id,
        Membership.role == Role.ADMINISTRATOR,
        Membership.deactivated_at.is_(None),
    )
    counts = member.role == Role.ADMINISTRATOR and member.is_active
    if counts and db.session.scalar(others.limit(1)) is None:
        raise LastAdministrator


def _sessions_of(member: Membership) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Session.user_id == member.user_id, Session.workspace_id == member.workspace_id
