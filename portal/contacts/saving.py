"""One edit of a contact, of the whole of it or of a group: opened, refused, held beside what others did, saved."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from flask import request

from ..webhooks.publisher import history_of
from . import service
from .forms import ContactForm, Known
from .meanwhile import Meanwhile, add_late, adopt, compare, prints, version
from .models import Contact

Names = Collection[str] | None
"""The fields of a group; None is all there are."""
REFUSED, CLASHES = 422, 409


@dataclass(slots=True)
class Edit:
    """A form of a contact that exists, and what became of it."""

    contact: Contact
    form: ContactForm
    version: str
    found: Meanwhile = field(default_factory=Meanwhile)
    who: str = ""
    """Who saved it meanwhile."""
    changed: bool | None = None
    """Whether saving changed anything; None while nothing is saved."""

    @property
    def status(self) -> int:
        """What the page with the form answers."""
        return CLASHES if self.found.differences else REFUSED if self.form.is_submitted() else 200


def opened(known: Known, contact: Contact, names: Names = None) -> Edit:
    """The form as it is opened; `names` are its fields if it is about a group."""
    form = _form(known, contact, names)
    return Edit(contact, form, version(form))


def save(known: Known, workspace_id: uuid.UUID, contact_id: uuid.UUID, actor: str, names: Names) -> Edit:
    """Save what was sent, unless something is wrong with it or was saved meanwhile. Raises ContactGone.

    The contact is locked from here to the commit: what is compared is what is overwritten.
    """
    contact = service.locked(workspace_id, contact_id)
    form, now = _form(known, contact, names), _form(known, contact, names, formdata=None)
    edit = Edit(contact, form, request.form.get("version", ""))
    add_late(form, now, edit.version)
    if not form.validate_on_submit():
        edit.version = version(now, prints(edit.version))
        return edit
    edit.found = compare(form, now, edit.version, request.form)
    if edit.found.differences:
        edit.version = adopt(form, now, edit.found, edit.version)
        edit.who = next((event.actor for event, _, _ in history_of(workspace_id, contact_id, 1)), "")
        return edit
    form.keep_only(form.inputs.keys() - edit.found.stays)
    edit.changed = service.update(workspace_id, contact_id, form.values, actor)
    return edit


def _form(known: Known, contact: Contact, names: Names, **options: None) -> ContactForm:
    form = ContactForm.of(known, contact, **options)
    if names is not None:
        form.keep_only(names)
    return form
