"""The export of contacts: which columns, and the file."""

from flask import Blueprint, request, stream_with_context
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, person, workspace
from ..extensions import utcnow
from ..fields import shows_again
from ..web import page
from ..webhooks.export import CsvResponse
from . import export, sheet
from .bulk_views import NOBODY_CHOSEN
from .known import columns_of
from .list_views import show_list
from .listing import Asked
from .models import Contact
from .selection import Selection

blueprint = Blueprint("exports", __name__)


@blueprint.route("/contacts/export", methods=["GET", "POST"])
@allowed(Permission.EXPORT)
@shows_again
def ask() -> Response:
    """Which columns the file shall have, and how many contacts: by the list's address all that match, by its form
    those that are selected."""
    chosen = _chosen() if request.method == "GET" else Selection.of(request.form, columns_of(workspace().id))
    if chosen.is_empty:
        return show_list(NOBODY_CHOSEN)
    return page(
        "contacts/export.html",
        chosen=chosen, asked=chosen.asked, count=chosen.count(own(Contact)),
        columns=sheet.columns(workspace().id), others=sheet.kept_by_portal(),
    )  # fmt: skip


@blueprint.route("/contacts.csv", methods=["GET", "POST"])
@allowed(Permission.EXPORT)
def download() -> Response:
    """All contacts that match or are chosen, with the columns that are, or with all that can be imported again."""
    known = sheet.columns(workspace().id)
    wanted = set(request.values.getlist("column")) or {column.key for column in known}
    columns = [column for column in [*known, *sheet.kept_by_portal()] if column.key in wanted]
    audit.note_look(person(), "exported contacts", workspace())
    rows = export.lines(_chosen().of_them(own(Contact)), columns)
    name = f"contacts-{utcnow():%Y-%m-%d}.csv"
    return CsvResponse(stream_with_context(rows), headers={"Content-Disposition": f"attachment; filename={name}"})


def _chosen() -> Selection:
    """Those whose ids the address or the form names, else all that match."""
    known, asked = columns_of(workspace().id), request.values
    return Selection.of(asked, known) if "id" in asked else Selection(Asked.of(asked, known), None)
