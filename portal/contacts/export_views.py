"""The export of contacts: which columns, and the file."""

from flask import Blueprint, request, stream_with_context
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, workspace
from ..extensions import db, utcnow
from ..web import page
from ..webhooks.export import CsvResponse
from . import export, listing, sheet
from .listing import Asked
from .models import Contact

blueprint = Blueprint("exports", __name__)


@blueprint.get("/contacts/export")
@allowed(Permission.EXPORT)
def ask() -> Response:
    """Which columns the file shall have, and how many contacts."""
    asked = Asked.of(request.args)
    matching = listing.matching(own(Contact), asked).with_only_columns(Contact.id).subquery()
    return page(
        "contacts/export.html",
        asked=asked, count=db.session.scalar(select(func.count()).select_from(matching)) or 0,
        columns=sheet.columns(workspace().id), others=sheet.kept_by_portal(),
    )  # fmt: skip


@blueprint.get("/contacts.csv")
@allowed(Permission.EXPORT)
def download() -> Response:
    """All contacts that match, with the columns that were chosen, or all that can be imported again."""
    known = sheet.columns(workspace().id)
    wanted = set(request.args.getlist("column")) or {column.key for column in known}
    columns = [column for column in [*known, *sheet.kept_by_portal()] if column.key in wanted]
    rows = export.lines(listing.matching(own(Contact), Asked.of(request.args)), columns)
    name = f"contacts-{utcnow():%Y-%m-%d}.csv"
    return CsvResponse(stream_with_context(rows), headers={"Content-Disposition": f"attachment; filename={name}"})
