"""Personal data: all that is held on one contact as a file, and forgetting it for good."""

import time
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, stream_with_context, url_for
from werkzeug.wrappers import Response as BaseResponse

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, own_or_404, person, workspace
from ..contacts.erasing import others
from ..contacts.models import Contact
from ..extensions import db
from ..fields import Form, shows_again, text
from ..web import go, page, say
from ..webhooks import live
from ..webhooks.erasing import count
from ..webhooks.live import Live
from ..webhooks.models import EventType
from ..webhooks.publisher import forecast
from . import erasing, holding
from .models import Erasure

blueprint = Blueprint("privacy", __name__)

FAILED = 422
AT_ONCE_SECONDS = 1.0
"""How long a person waits for the end; what takes longer is done by a worker."""


class EraseForm(Form):
    """The question, answered by typing the contact's name."""

    name = text("Type the name to confirm", 254)

    def confirms(self, label: str) -> bool:
        """Whether it was typed; said at the field if not. Neither case nor the width of blanks matters."""
        typed, expected = (" ".join(words.split()).casefold() for words in (self.name.data or "", label))
        if typed != expected:
            self.refuse("name", f"Type {label} to confirm. Nothing was erased.")
        return typed == expected


@blueprint.get("/contacts/<uuid:contact_id>/personal-data.json")
@allowed(Permission.PERSONAL_DATA)
def export(contact_id: UUID) -> BaseResponse:
    """All that is held on one contact."""
    _label(contact_id)
    audit.note_look(person(), "exported personal data", _subject(contact_id))
    pieces = holding.pieces(workspace().id, contact_id)
    headers = {"Content-Disposition": f"attachment; filename=contact-{contact_id}.json"}
    return Response(stream_with_context(pieces), mimetype="application/json", headers=headers)


@blueprint.route("/contacts/<uuid:contact_id>/erase", methods=["GET", "POST"])
@allowed(Permission.PERSONAL_DATA)
@shows_again
def erase(contact_id: UUID) -> BaseResponse:
    """Forget a contact for good, once its name was typed."""
    label, form = _label(contact_id), EraseForm()
    if not (form.validate_on_submit() and form.confirms(label)):
        return _question(form, contact_id, label)
    erasure = erasing.begin(workspace().id, contact_id, person().name)
    audit.note(person(), "erased", _subject(contact_id))
    db.session.commit()
    ends = time.monotonic() + AT_ONCE_SECONDS
    while erasing.go_on(erasure.id) and time.monotonic() < ends:
        pass
    say("The contact is erased for good." if erasure.finished_at else "The contact is being erased.")
    return go(url_for("privacy.show", erasure_id=erasure.id))


@blueprint.get("/contacts/erasures/<uuid:erasure_id>")
@allowed(Permission.PERSONAL_DATA)
def show(erasure_id: UUID) -> Response | tuple[str, int]:
    """How far it is, and what is left in the end."""
    erasure = own_or_404(Erasure, erasure_id)
    version = live.version(erasure.done, erasure.canceled, erasure.finished_at)
    if live.is_shown(version):
        return live.UNCHANGED
    address = url_for("privacy.show", erasure_id=erasure.id, v=version)
    part = None if erasure.finished_at else Live(address, live.QUICK)
    return page("privacy/show.html", "privacy/_show.html", erasure=erasure, part=part)


def _question(form: EraseForm, contact_id: UUID, label: str) -> Response:
    values: dict[str, Any] = {"contact_id": contact_id, "label": label, "is_there": _find(contact_id) is not None}
    values["is_trashed"] = erasing.is_trashed(workspace().id, contact_id)
    values["others"] = others(workspace().id, contact_id)
    values["events"] = count(workspace().id, contact_id)
    values["told"] = forecast(workspace().id, EventType.DELETED)
    return page("privacy/erase.html", status=FAILED if form.is_submitted() else 200, form=form, **values)


def _label(contact_id: UUID) -> str:
    """What the contact is or was called; one that nobody knows answers like any missing thing."""
    return erasing.label_of(workspace().id, contact_id) or abort(404)


def _find(contact_id: UUID) -> Contact | None:
    found: Contact | None = db.session.scalars(own(Contact).where(Contact.id == contact_id)).one_or_none()
    return found


def _subject(contact_id: UUID) -> Contact:
    """Who an entry of the audit log is about, also when the contact is gone."""
    return Contact(id=contact_id, workspace_id=workspace().id)
