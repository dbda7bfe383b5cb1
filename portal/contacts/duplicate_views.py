"""Contacts that may be the same person: the list to work through, and the page on which several become one."""

from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, person, workspace
from ..extensions import db
from ..fields import came_back, shows_again
from ..web import go, page, say
from ..webhooks.batches import forecast
from ..webhooks.models import EventType
from . import duplicates, service, tagging
from .columns import own_id, shown
from .known import CUSTOM, columns_of
from .models import Contact

blueprint = Blueprint("duplicates", __name__)

FAILED = 422
GONE = "Some of these contacts are not there any more."
TOO_MANY_TAGS = f"Together they carry more than {tagging.MAX_TAGS} tags. Take some off first; nothing is merged yet."


@blueprint.get("/contacts/duplicates")
@allowed(Permission.MERGE)
def index() -> Response:
    """Groups of contacts with one e-mail or one phone number."""
    by = request.args.get("by", "")
    by = by if by in duplicates.KEYS else "email"
    after = request.args.get("after", "").replace("\0", "")
    groups, following = duplicates.groups(workspace().id, by, after)
    return page("contacts/duplicates.html", by=by, groups=groups, following=following, is_first=not after)


@blueprint.get("/contacts/merge")
@allowed(Permission.MERGE)
def choose() -> Response:
    """Which contact stays, and what it takes from the others."""
    return _merge_page(_contacts(request.args.getlist("id")))


@blueprint.post("/contacts/merge")
@allowed(Permission.MERGE)
@shows_again
def merge() -> Response:
    """Show what would become of it, or do it."""
    contacts = _contacts(request.form.getlist("id"))
    if request.form.get("act") != "merge" or len(contacts) < 2 or came_back():
        return _merge_page(contacts)
    primary = _primary(contacts)
    chosen = _chosen(contacts, primary)
    try:
        made = duplicates.merge(workspace().id, primary.id, [one.id for one in contacts], chosen, person().name)
    except service.ContactGone:
        say(GONE)
        return go(url_for("duplicates.index"))
    except duplicates.TooManyTags:
        return _merge_page(contacts, TOO_MANY_TAGS)
    audit.note(person(), f"merged {len(contacts)} contacts", made)
    say(f"{made.label} is one contact now. The others are in the trash for 30 days.")
    db.session.commit()
    return go(url_for("contacts.show", contact_id=made.id))


def _contacts(texts: list[str]) -> list[Contact]:
    """Those of the workspace's that are named, oldest first."""
    ids = [key for text in texts[: duplicates.MOST] if (key := own_id(text))]
    query = own(Contact).where(Contact.id.in_(ids)).order_by(Contact.created_time, Contact.id)
    return list(db.session.scalars(query))


def _primary(contacts: list[Contact]) -> Contact:
    """The one that stays: the one that was chosen, else the oldest."""
    wanted = request.values.get("primary")
    return next((one for one in contacts if str(one.id) == wanted), contacts[0])


def _chosen(contacts: list[Contact], primary: Contact) -> dict[str, UUID]:
    """Of each field whose value is kept; what nobody chose is proposed, and all anew when another one is to stay."""
    if request.form.get("act") != "merge" and request.form.get("was") != str(primary.id):
        return duplicates.proposed(contacts, primary)
    ids = {str(contact.id): contact.id for contact in contacts}
    typed = {name: ids.get(request.form.get(f"keep-{name}", "")) for name in duplicates.names_of(contacts)}
    return duplicates.proposed(contacts, primary) | {name: key for name, key in typed.items() if key}


def _merge_page(contacts: list[Contact], problem: str = "") -> Response:
    if len(contacts) < 2:
        return page("contacts/merge.html", contacts=contacts)
    columns, primary = columns_of(workspace().id), _primary(contacts)
    chosen = _chosen(contacts, primary)
    after = duplicates.merged(contacts, primary, chosen)
    values = {**after, **after.get("custom_fields", {})}

    def said(name: str, value: Any) -> str:
        column = columns.get(name) or columns.get(f"{CUSTOM}{name}")
        return column.choices.get(str(value), shown(value)) if column and not isinstance(value, bool) else shown(value)

    def label(name: str) -> str:
        column = columns.get(name) or columns.get(f"{CUSTOM}{name}")
        return column.label if column else "Custom field"

    others = len(contacts) - 1
    return page(
        "contacts/merge.html", "contacts/_merge.html", FAILED if problem else 200, problem=problem,
        contacts=contacts, primary=primary, chosen=chosen, names=list(chosen), said=said, label=label, result=values,
        value_of=duplicates.value_of, tags=after["tags"],
        told=[(kind, forecast(workspace().id, kind, count)) for kind, count in
              ((EventType.UPDATED, 1), (EventType.DELETED, others))],
    )  # fmt: skip
