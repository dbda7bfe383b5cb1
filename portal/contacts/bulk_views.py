"""Many contacts at once: the question with the count and what is sent where, the progress, the result; the trash."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import members, own, own_or_404, person, workspace
from ..extensions import db
from ..web import go, page, say
from ..webhooks import batches, live
from ..webhooks.live import Live
from . import bulk, many, trash
from .columns import Column, own_id
from .custom_fields import fields_of
from .known import columns_of
from .list_forms import EditManyForm
from .list_models import ContactBulk, Kind, TrashedContact
from .list_views import show_list
from .models import Contact
from .selection import Selection

blueprint = Blueprint("contact_bulk", __name__)

FAILED = 422
NOBODY_CHOSEN = "Nothing is selected. Tick the contacts that you mean, or select all that match."
TRASH_PAGE = 50
NOTED = {
    Kind.EDIT: "changed contacts in bulk",
    Kind.DELETE: "deleted contacts in bulk",
    Kind.RESTORE: "restored contacts in bulk",
    Kind.EMPTY: "emptied the trash",
}
"""What the audit log says."""


@blueprint.post("/contacts/bulk/ask")
@allowed(Permission.CONTACTS)
def ask() -> Response:
    """What will happen to how many contacts, and what is sent of it where, before anything does."""
    columns = columns_of(workspace().id)
    selection = Selection.of(request.form, columns)
    if selection.is_empty:
        return show_list(NOBODY_CHOSEN)
    return _question(selection, _form(columns))


@blueprint.post("/contacts/bulk")
@allowed(Permission.CONTACTS)
def begin() -> Response:
    """Do it, in the background: nobody has to keep the page open."""
    columns = columns_of(workspace().id)
    selection, kind, form = Selection.of(request.form, columns), _kind(), _form(columns)
    if selection.is_empty:
        return show_list(NOBODY_CHOSEN)
    if kind == Kind.EDIT and not form.validate_on_submit():
        return _question(selection, form, FAILED)
    total = selection.count(own(Contact))
    if request.form.get("total", str(total)) != str(total):
        return _question(selection, form, FAILED)
    change = form.change if kind == Kind.EDIT else {}
    made = bulk.begin(workspace().id, kind, selection, total, change, person().name)
    audit.note(person(), NOTED[kind], made)
    db.session.commit()
    return go(url_for("contact_bulk.show", bulk_id=made.id))


@blueprint.get("/contacts/bulk/<uuid:bulk_id>")
@allowed(Permission.CONTACTS)
def show(bulk_id: UUID) -> Response | tuple[str, int]:
    """How far it is, and in the end what was done and what was skipped and why."""
    found = own_or_404(ContactBulk, bulk_id)
    restorable = _restorable(found)
    version = live.version(found.done, found.skipped, found.finished_at, restorable)
    if live.is_shown(version):
        return live.UNCHANGED
    part = None if found.finished_at else Live(url_for("contact_bulk.show", bulk_id=found.id, v=version), live.QUICK)
    return page(
        "contacts/bulk.html", "contacts/_bulk.html",
        bulk=found, part=part, reasons=bulk.REASONS, restorable=restorable, event_type=bulk.EVENTS.get(found.kind),
        said=bulk.described(found.change, columns_of(workspace().id)),
    )  # fmt: skip


@blueprint.post("/contacts/bulk/<uuid:bulk_id>/stop")
@allowed(Permission.CONTACTS)
def stop(bulk_id: UUID) -> Response:
    """What is done stays done, the rest stays as it is."""
    own_or_404(ContactBulk, bulk_id).stop()
    db.session.commit()
    return go(url_for("contact_bulk.show", bulk_id=bulk_id))


@blueprint.post("/contacts/bulk/<uuid:bulk_id>/undo")
@allowed(Permission.CONTACTS)
def undo(bulk_id: UUID) -> Response:
    """Bring back what a deletion took away, all of it."""
    deletion = own_or_404(ContactBulk, bulk_id)
    if deletion.kind != Kind.DELETE:
        abort(404)
    made = bulk.restore(workspace().id, deletion, _restorable(deletion), person().name)
    audit.note(person(), NOTED[made.kind], made)
    db.session.commit()
    return go(url_for("contact_bulk.show", bulk_id=made.id))


@blueprint.get("/contacts/trash")
@allowed(Permission.CONTACTS)
def bin_() -> Response:
    """What was deleted in the last 30 days, the latest first."""
    return _trash_page()


@blueprint.post("/contacts/trash")
@allowed(Permission.CONTACTS)
def restore() -> Response:
    """Bring back those that were ticked."""
    ids = {key for text in request.form.getlist("id") if (key := own_id(text))}
    if not ids:
        return _trash_page("Nothing is selected. Tick the contacts that you want back.")
    outcome = many.restore_many(workspace().id, list(ids)[:TRASH_PAGE], person().name)
    if outcome.unchanged:
        db.session.commit()
        return _trash_page(bulk.REASONS[bulk.Skip.TAKEN])
    count = len(outcome.changed)
    say(f"{count} contact{'s are' if count != 1 else ' is'} back.")
    db.session.commit()
    return go(url_for("contact_bulk.bin_"))


@blueprint.post("/contacts/trash/empty")
@allowed(Permission.PERSONAL_DATA)
def empty() -> Response:
    """Let all that is in the trash be gone for good, in the background."""
    total = _trashed()
    if not total:
        return go(url_for("contact_bulk.bin_"))
    made = bulk.empty(workspace().id, total, person().name)
    audit.note(person(), NOTED[made.kind], made)
    db.session.commit()
    return go(url_for("contact_bulk.show", bulk_id=made.id))


def _question(selection: Selection, form: EditManyForm, status: int = 200) -> Response:
    kind, total = _kind(), selection.count(own(Contact))
    told = batches.forecast(workspace().id, bulk.EVENTS[kind], total)
    return page(
        "contacts/bulk_ask.html", "contacts/_bulk_input.html", status,
        selection=selection, form=form, kind=kind, total=total, told=told, event_type=bulk.EVENTS[kind],
        kept_days=trash.KEPT.days, shown=request.form.get("total", str(total)),
    )  # fmt: skip


def _form(columns: dict[str, Column]) -> EditManyForm:
    owners = {str(member.user_id): member.user.name for member in members(workspace().id)}
    return EditManyForm.of(columns, owners, fields_of(workspace().id), request.form.get("custom", ""))


def _kind() -> Kind:
    word = request.form.get("act", "")
    return Kind(word) if word in {Kind.EDIT, Kind.DELETE} else abort(400)


def _restorable(deletion: ContactBulk) -> int:
    """How many contacts of a deletion are in the trash."""
    return _trashed(TrashedContact.deletion_id == deletion.id)


def _trashed(*which: Any) -> int:
    """How many contacts are in the trash."""
    rows = trash.kept(own(TrashedContact).where(*which)).with_only_columns(TrashedContact.id).subquery()
    return db.session.scalar(select(func.count()).select_from(rows)) or 0


def _trash_page(problem: str = "") -> Response:
    rows, older = trash.listed(own(TrashedContact), request.args.get("before", ""), TRASH_PAGE)
    return page(
        "contacts/trash.html", status=FAILED if problem else 200,
        rows=rows, older=older, problem=problem, kept=trash.KEPT, total=_trashed(),
    )  # fmt: skip
