"""The delivery log: what was sent, what came back, what waits."""

from flask import Blueprint, request, stream_with_context, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, person, workspace
from ..extensions import db, utcnow
from ..web import go, page
from . import exact, export, live, search, sentences
from .chips import chips
from .export import CsvResponse
from .filters import Filters
from .live import Live
from .models import Status, Webhook
from .search import Log, Page, Place

blueprint = Blueprint("deliveries", __name__)
for words in (sentences.result, sentences.outcome, sentences.advice, sentences.next_try, sentences.instead_of_next_try,
              sentences.attempt_of, sentences.trigger, sentences.who, sentences.what, sentences.place,
              sentences.percent, exact.visible):  # fmt: skip
    blueprint.add_app_template_filter(words)

TABS = {None: "All", Status.SUCCEEDED: "Succeeded", Status.PENDING: "Waiting", Status.FAILED: "Failed"}


@blueprint.get("/deliveries")
@allowed(Permission.DELIVERIES)
def index() -> Response | tuple[str, int]:
    """The log, newest first. Its first page is live; older ones stay as they are while somebody reads."""
    filters, place = Filters.of(request.args), Place.of(request.args)
    if not place.is_live:
        log = Log(workspace().id, filters)
        found = search.find(log, place)
        if not found.newer:
            return go(url_for("deliveries.index", **filters.address()))
        return _log(log, found, None)
    pulse = search.pulse(workspace().id)
    pace = live.pace(search.changed_at(pulse))
    version = live.version(pace, pulse, place)
    if live.is_shown(version):
        return live.UNCHANGED
    part = Live(url_for("deliveries.index", **filters.address(v=version)), pace)
    log = Log(workspace().id, filters)
    return _log(log, search.find(log, place), part)


@blueprint.get("/deliveries.csv")
@allowed(Permission.EXPORT)
def download() -> Response:
    """What matches, all of it, for a spreadsheet."""
    audit.note_look(person(), "exported deliveries", workspace())
    rows = export.lines(Log(workspace().id, Filters.of(request.args)))
    name = f"deliveries-{utcnow():%Y-%m-%d}.csv"
    return CsvResponse(stream_with_context(rows), headers={"Content-Disposition": f"attachment; filename={name}"})


def _log(log: Log, found: Page, part: Live | None) -> Response:
    """The rows, and around them tabs with counts and the filters that are and can be set."""
    filters = log.filters
    webhooks = list(db.session.scalars(own(Webhook).order_by(Webhook.created_at, Webhook.id)))
    return page(
        "deliveries/index.html",
        "deliveries/_log.html",
        found=found,
        part=part,
        filters=filters,
        tabs=TABS,
        counts=search.count(workspace().id, filters, log.searched),
        chips=chips(filters, webhooks, _name(filters, found)),
        top=search.written(search.key_of(found.rows[0])) if part and found.rows else "",
    )


def _name(filters: Filters, found: Page) -> str:
    """The contact that is asked for, as one of its deliveries calls it."""
    about = (subject for row in found.rows for subject in row.event.subjects)
    return next((exact.visible(one.label) for one in about if str(one.contact_id) == filters["contact"].lower()), "")
