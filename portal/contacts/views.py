"""The list of contacts, a new one, and the tags; the pages of one contact are in `contact_views`."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from flask import Blueprint, abort, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import everybody, own_or_404, person, workspace
from ..extensions import begin_reading, db
from ..fields import shows_again
from ..web import go, page, say
from ..webhooks.models import EventType
from ..webhooks.publisher import forecast
from . import lists, service, tagging
from .custom_fields import fields_of
from .field_models import WordKind
from .forms import ContactForm, Known, NewContactForm, TagForm
from .list_views import show_list
from .models import Tag
from .saving import Edit

blueprint = Blueprint("contacts", __name__)

FAILED = 422


@blueprint.get("/contacts")
@allowed(Permission.CONTACTS)
def index() -> Response:
    """The list: search as you type, filters, order, pages."""
    return show_list()


@blueprint.route("/contacts/new", methods=["GET", "POST"])
@allowed(Permission.CONTACTS)
@shows_again
def new() -> Response:
    """The form of a new contact."""
    form = NewContactForm.of(known())
    if not form.validate_on_submit():
        return form_page(form)
    try:
        contact = service.create(workspace().id, form.values, person().name)
    except service.ContactIdTaken:
        form.refuse("contact_id", "Another contact has this contact ID. Type another, or leave it blank to get one.")
        return form_page(form)
    db.session.commit()
    begin_reading()  # what is told of it: nobody else shall wait for that
    say(f"{contact.label} is saved. {sent(EventType.CREATED)}")
    return go(url_for("contacts.show", contact_id=contact.id))


@blueprint.post("/contacts/<uuid:contact_id>/delete")
@allowed(Permission.CONTACTS)
def delete(contact_id: UUID) -> Response:
    """Delete a contact."""
    try:
        contact = service.delete(workspace().id, contact_id, person().name)
    except service.ContactGone:
        abort(404)
    say(f"{contact.label} is deleted. {sent(EventType.DELETED)}")
    db.session.commit()
    return go(url_for("contacts.index"))


@blueprint.route("/settings/tags", methods=["GET", "POST"])
@allowed(Permission.TAGS)
@shows_again
def tags() -> Response:
    """The tags with their colours, and a form for one more."""
    form = _new_tag_form()
    if _saved(form, partial(tagging.add, workspace().id), "added"):
        return go(url_for("contacts.tags"))
    return _tags_page(form)


@blueprint.post("/settings/tags/<uuid:tag_id>")
@allowed(Permission.TAGS)
def edit_tag(tag_id: UUID) -> Response:
    """Rename or recolour a tag."""
    tag = own_or_404(Tag, tag_id)
    form = _tag_form(tag)
    if _saved(form, partial(_changed, tag), "changed", _facts(tag)):
        return go(url_for("contacts.tags"))
    return _tags_page(_new_tag_form(), {tag: form})


@blueprint.post("/settings/tags/<uuid:tag_id>/delete")
@allowed(Permission.TAGS)
def delete_tag(tag_id: UUID) -> Response:
    """Take a tag off all contacts and away."""
    tag = own_or_404(Tag, tag_id)
    say(f"Tag {tag.name} is deleted.")
    audit.note(person(), "deleted a tag", tag, _facts(tag))
    tagging.delete(tag)
    db.session.commit()
    return go(url_for("contacts.tags"))


def people() -> dict[str, str]:
    """Whose contacts there may be: the members' names by their ids."""
    return {str(member.user_id): member.user.name for member in everybody(workspace().id)}


def known() -> Known:
    """What the workspace's forms choose from."""
    key = workspace().id
    stages, priorities = ([word.name for word in lists.words_of(key, kind)] for kind in WordKind)
    former = {str(member.user_id) for member in everybody(key) if not member.is_active}
    return Known(people(), former, tagging.tags_of(key), stages, priorities, lists.defaults(key), fields_of(key))


def sent(event_type: EventType) -> str:
    """What Save set going, for the toast."""
    count = forecast(workspace().id, event_type)
    return f"{event_type} goes to {count} webhook{'s' if count > 1 else ''}." if count else ""


def form_page(form: ContactForm, edit: Edit | None = None) -> Response:
    """The form of a new contact, or of one that exists."""
    event_type = EventType.UPDATED if edit else EventType.CREATED
    status = edit.status if edit else FAILED if form.is_submitted() else 200
    return page(
        "contacts/form.html", status=status, form=form, edit=edit, contact=edit and edit.contact,
        event_type=event_type, told=forecast(workspace().id, event_type),
    )  # fmt: skip


def _changed(tag: Tag, name: str, color: str) -> Tag:
    tagging.change(tag, name, color)
    return tag


def _facts(tag: Tag) -> dict[str, str]:
    return {"Name": tag.name, "Colour": tag.color}


def _saved(form: TagForm, save: Callable[[str, str], Tag], done: str, before: dict[str, str] | None = None) -> bool:
    """Whether the name and colour were sent, are fine and are saved now."""
    if not form.validate_on_submit():
        return False
    try:
        tag = save(form.name.data, form.color.data)
    except tagging.TagTaken:
        form.refuse("name", "There is a tag with this name already.")
        return False
    db.session.flush()
    audit.note(person(), f"{done} a tag", tag, before, _facts(tag))
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
