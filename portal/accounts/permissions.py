"""Who may do what: the one table of permissions, and the mark by which each view says which of them it needs.

A new view is marked beside its route: `@allowed(Permission.IMPORT)`. One without a mark answers Administrators alone,
and fails a test. Templates ask `may("contacts.new")`, by the name of the view that they lead to.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from flask import current_app, g
from flask_login import current_user
from werkzeug.exceptions import Forbidden

from ..extensions import begin_reading, db
from . import service
from .models import Role

View = TypeVar("View", bound=Callable[..., object])


class Permission(StrEnum):
    """What a view needs, in the words of the page that refuses it."""

    PORTAL = "use the portal"
    CONTACTS = "work with contacts"
    DELIVERIES = "read the delivery log"
    APPS = "look at apps and integrations"
    RESEND = "resend and cancel deliveries"
    IMPORT = "import contacts"
    EXPORT = "export data"
    MERGE = "merge contacts"
    TAGS = "edit tags and shared views"
    FIELDS = "edit fields and their lists"
    WEBHOOKS = "manage webhooks and their secrets"
    PEOPLE = "manage people"
    WORKSPACE = "change the workspace’s settings"
    AUDIT = "read the audit log"
    PERSONAL_DATA = "erase personal data"
    UNMARKED = "open this"


LEAST: Mapping[Permission, Role] = {
    Permission.PORTAL: Role.AGENT,
    Permission.CONTACTS: Role.AGENT,
    Permission.DELIVERIES: Role.AGENT,
    Permission.APPS: Role.SUPERVISOR,
    Permission.RESEND: Role.SUPERVISOR,
    Permission.IMPORT: Role.SUPERVISOR,
    Permission.EXPORT: Role.SUPERVISOR,
    Permission.MERGE: Role.SUPERVISOR,
    Permission.TAGS: Role.SUPERVISOR,
    Permission.FIELDS: Role.ADMINISTRATOR,
    Permission.WEBHOOKS: Role.ADMINISTRATOR,
    Permission.PEOPLE: Role.ADMINISTRATOR,
    Permission.WORKSPACE: Role.ADMINISTRATOR,
    Permission.AUDIT: Role.ADMINISTRATOR,
    Permission.PERSONAL_DATA: Role.ADMINISTRATOR,
    Permission.UNMARKED: Role.ADMINISTRATOR,
}
"""The table: the least role that holds each permission. Whoever stands above it holds it, too."""
ABOUT: Mapping[Role, str] = {
    Role.ADMINISTRATOR: "Everything: webhooks and their secrets, people, fields, the audit log, erasing personal data.",
    Role.SUPERVISOR: "Contacts, and besides import, export, merging, tags, and resending deliveries.",
    Role.AGENT: "Contacts, and reading the delivery log.",
}
"""The table in short, for those who choose a role."""
UPWARDS = (Role.AGENT, Role.SUPERVISOR, Role.ADMINISTRATOR)
NAMED = 3
"""People that a refusal names."""


class Refused(Forbidden):
    """The person's role does not include it; `sentence` says whose does, and whom to ask."""

    def __init__(self, permission: Permission) -> None:
        super().__init__()
        self.sentence = _who_may(permission)


def public(view: View) -> View:
    """Mark a view that answers without a session."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def allowed(permission: Permission) -> Callable[[View], View]:
    """Mark a view that answers those who hold a permission."""

    def mark(view: View) -> View:
        view.needs = permission  # type: ignore[attr-defined]
        return view

    return mark


def is_public(endpoint: str) -> bool:
    """Whether a view answers without a session. Raises KeyError when there is no such view."""
    return endpoint == "static" or getattr(current_app.view_functions[endpoint], "is_public", False)


def needed(endpoint: str) -> Permission:
    """What a view needs. Raises KeyError when there is no such view."""
    return getattr(current_app.view_functions[endpoint], "needs", Permission.UNMARKED)


def holds(role: Role, permission: Permission) -> bool:
    """Whether a role includes a permission."""
    return UPWARDS.index(role) >= UPWARDS.index(LEAST[permission])


def may(endpoint: str) -> bool:
    """Whether whoever looks at the page may use a view: what leads to it is shown to them alone."""
    if is_public(endpoint):
        return True
    return bool(current_user.is_authenticated) and holds(service.role(), needed(endpoint))


def may_send_much(endpoint: str) -> bool:
    """The same, asked before what was sent is read: nothing of the database is held until all has come."""
    begin_reading()
    try:
        return may(endpoint)
    finally:
        db.session.rollback()
        g.pop("_login_user", None)  # where Flask-Login keeps whom it found: it asks anew


def _who_may(permission: Permission) -> str:
    roles = [role for role in UPWARDS if holds(role, permission)]
    everybody = service.members(service.workspace().id)
    names = [member.user.name for member in everybody if member.role in roles]
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    whom = _listed([*names[:NAMED], *more], "or")
    return f"Only {_listed([f'{role}s' for role in roles], 'and')} may {permission}. Ask {whom}."


def _listed(words: list[str], last: str) -> str:
    """ "Dana, Ben or Ada"."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
