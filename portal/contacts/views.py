"""The pages of contacts and of their tags."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from flask import Blueprint, abort, url_for
from werkzeug.wrappers import Response

from ..accounts.permissions import Permission, allowed
from ..accounts.service import members, own_or_404, person, workspace
from ..extensions import db
from ..web import go, page, say
from ..webhooks import live
from ..webhooks.live import Live
from ..webhooks.models import EventType, Status
from ..webhooks.publisher import forecast, history_of
from . import duplicates, lists, service, tagging
from .custom_fields import fields_of
from .field_models import WordKind
from .forms import ContactForm, Known, NewContactForm, TagForm
from .list_views import show_list
from .models import Contact, Tag
from .timeline import changes

blueprint = Blueprint("contacts", __name__)

FAILED = 422


@blueprint.get("/contacts")
@allowed(Permission.CONTACTS)
def index() -> Response:
    """The list: search as you type, filters, order, pages."""
    return show_list()


@blueprint.route("/contacts/new", methods=["GET", "POST"])
@allowed(Permission.CONTACTS)
def new() -> Response:
    """The form of a new contact."""
    form = NewContactForm.of(_known())
    if not form.validate_on_submit():
        return _form_page(form, None)
    try:
        contact = service.create(workspace().id, form.values, person().name)
    except service.ContactIdTaken:
        form.refuse("contact_id", "Another contact has this contact ID. Type another, or leave it blank to get one.")
        return _form_page(form, None)
    db.session.commit()
    say(f"{contact.label} is saved. {_sent(EventType.CREATED)}")
    return go(url_for("contacts.show", contact_id=contact.id))


@blueprint.get("/contacts/<uuid:contact_id>")
@allowed(Permission.CONTACTS)
def show(contact_id: UUID) -> Response | tuple[str, int]:
    """All about one contact, and what happened to it; its timeline is live while something is on its way."""
    contact = own_or_404(Contact, contact_id)
    history = history_of(workspace().id, contact.id)
    deliveries = [delivery for _, _, caused in history for delivery in caused]
    waiting = [delivery.created_at for delivery in deliveries if delivery.status == Status.PENDING]
    pace = live.pace(max(waiting, default=None))
    version = live.version(pace, *((delivery.id, delivery.updated_at) for delivery in deliveries))
    if live.is_shown(version):
        return live.UNCHANGED
    part = Live(url_for("contacts.show", contact_id=contact.id, v=version), pace) if waiting else None
    return page(
        "contacts/show.html", "contacts/_timeline.html",
        contact=contact, owner=_people().get(contact.owner or ""), history=history, changes=changes, part=part,
        told=forecast(workspace().id, EventType.DELETED), duplicates=duplicates.like(contact),
    )  # fmt: skip


@blueprint.route("/contacts/<uuid:contact_id>/edit", methods=["GET", "POST"])
@allowed(Permission.CONTACTS)
def edit(contact_id: UUID) -> Response:
    """The form of a contact that exists."""
    contact = own_or_404(Contact, contact_id)
    form = ContactForm.of(_known(), contact)
    if not form.validate_on_submit():
        return _form_page(form, contact)
    try:
        changed = service.update(workspace().id, contact_id, form.values, person().name)
    except service.ContactGone:
        abort(404)
    db.session.commit()
    say(f"{contact.label} is saved. {_sent(EventType.UPDATED)}" if changed else "Nothing changed, so nothing was sent.")
    return go(url_for("contacts.show", contact_id=contact_id))


@blueprint.post("/contacts/<uuid:contact_id>/delete")
@allowed(Permission.CONTACTS)
def delete(contact_id: UUID) -> Response:
    """Delete a contact."""
    try:
        contact = service.delete(workspace().id, contact_id, person().name)
    except service.ContactGone:
        abort(404)
    say(f"{contact.label} is deleted. {_sent(EventType.DELETED)}")
    db.session.commit()
    return go(url_for("contacts.index"))


@blueprint.route("/settings/tags", methods=["GET", "POST"])
@allowed(Permission.TAGS)
def tags() -> Response:
    """The tags with their colours, and a form for one more."""
    form = _new_tag_form()
    if _saved(form, partial(tagging.add, workspace().id)):
        return go(url_for("contacts.tags"))
    return _tags_page(form)


@blueprint.post("/settings/tags/<uuid:tag_id>")
@allowed(Permission.TAGS)
def edit_tag(tag_id: UUID) -> Response:
    """Rename or recolour a tag."""
    tag = own_or_404(Tag, tag_id)
    form = _tag_form(tag)
    if _saved(form, partial(tagging.change, tag)):
        return go(url_for("contacts.tags"))
    return _tags_page(_new_tag_form(), {tag: form})


@blueprint.post("/settings/tags/<uuid:tag_id>/delete")
@allowed(Permission.TAGS)
def delete_tag(tag_id: UUID) -> Response:
    """Take a tag off all contacts and away."""
    tag = own_or_404(Tag, tag_id)
    say(f"Tag {tag.name} is deleted.")
    tagging.delete(tag)
    db.session.commit()
    return go(url_for("contacts.tags"))


def _people() -> dict[str, str]:
    """Who may own contacts: the members' names by their ids."""
    return {str(member.user_id): member.user.name for member in members(workspace().id)}


def _known() -> Known:
    """What the workspace's forms choose from."""
    key = workspace().id
    stages, priorities = ([word.name for word in lists.words_of(key, kind)] for kind in WordKind)
    return Known(_people(), tagging.tags_of(key), stages, priorities, lists.defaults(key), fields_of(key))


def _sent(event_type: EventType) -> str:
    """What Save set going, for the toast."""
    count = forecast(workspace().id, event_type)
    return f"{event_type} goes to {count} webhook{'s' if count > 1 else ''}." if count else ""


def _form_page(form: ContactForm, contact: Contact | None) -> Response:
    event_type = EventType.UPDATED if contact else EventType.CREATED
    return page(
        "contacts/form.html", status=FAILED if form.is_submitted() else 200,
        form=form, contact=contact, event_type=event_type, told=forecast(workspace().id, event_type),
    )  # fmt: skip


def _saved(form: TagForm, save: Callable[[str, str], object]) -> bool:
    """Whether the name and colour were sent, are fine and are saved now."""
    if not form.validate_on_submit():
        return False
    try:
        save(form.name.data, form.color.data)
    except tagging.TagTaken:
        form.refuse("name", "There is a tag with this name already.")
        return False
    db.session.commit()
    say(f"Tag {form.name.data} is saved.")
    return True


def _new_tag_form() -> TagForm:
    return TagForm(prefix="new-", data={"color": tagging.PALETTE[0]})


def _tag_form(tag: Tag) -> TagForm:
    return TagForm(prefix=f"{tag.id}-", obj=tag)


def _tags_page(new: TagForm, tried: dict[Tag, TagForm] | None = None) -> Response:
    """All tags, each with its form; the one that was tried keeps what was typed."""
    forms = {tag: _tag_form(tag) for tag in tagging.tags_of(workspace().id)} | (tried or {})
    status = FAILED if new.is_submitted() else 200
    return page("contacts/tags.html", status=status, new=new, forms=forms, uses=tagging.uses(workspace().id))
