"""What happened to a person's account: noted in each of their workspaces, and told to them by e-mail."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Uuid, insert, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from .. import audit, mail
from ..audit import AuditEntry
from ..extensions import commit_without_waiting, db, utcnow
from ..web import address_of
from .models import Membership, User

FAILED = "failed to sign in"


class new_id(FunctionElement[uuid.UUID]):  # noqa: N801 - reads as the SQL function that it is
    """A random id, made by the database for each row."""

    type = Uuid()
    inherit_cache = True
    name = "new_id"


@compiles(new_id, "sqlite")
def _sqlite_id(_element: new_id, _compiler: SQLCompiler, **_: Any) -> str:
    return "lower(hex(randomblob(16)))"


@compiles(new_id, "postgresql")
def _postgresql_id(_element: new_id, _compiler: SQLCompiler, **_: Any) -> str:
    return "gen_random_uuid()"


def note(
    user: User,
    action: str,
    by: User | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down in all workspaces of the person that they, or `by`, did that to their account."""
    for membership in user.memberships:
        audit.note(by or user, action, membership, before, after)


def note_failure(email: str) -> None:
    """Write down that somebody did not get in as the person with this address.

    One statement, which finds nobody for an unknown address: known and unknown ones cost the same. The commit does not
    wait for the disk either, for it would wait for known ones alone.
    """
    here, entry = audit.from_where(), AuditEntry
    values = {
        entry.id: new_id(), entry.workspace_id: Membership.workspace_id, entry.at: literal(utcnow(), entry.at.type),
        entry.actor: User.name, entry.actor_id: User.id, entry.action: literal(FAILED),
        entry.subject_kind: literal(Membership.__tablename__), entry.subject_id: User.id,
        entry.label: User.name, entry.changes: literal({}, entry.changes.type),
        entry.address: literal(here.address), entry.browser: literal(here.browser),
    }  # fmt: skip
    whose = select(*values.values()).join(User, User.id == Membership.user_id).where(User.email == email.lower())
    db.session.execute(insert(AuditEntry).from_select(list(values), whose, include_defaults=False))
    commit_without_waiting()


def tell(user: User, what: str) -> None:
    """Tell the person by e-mail what was done to their account, in case it was not them."""
    lines = [
        f"Hello {user.name},", what,
        "If it was not you, ask an Administrator of your workspace for help at once, and set a new password here:",
        address_of("proof.forgot"),
    ]  # fmt: skip
    mail.write(user.email, what.rstrip("."), "\n\n".join(lines))
