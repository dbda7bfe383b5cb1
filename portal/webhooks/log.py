"""The delivery log: what was sent, what came back, what waits."""

from flask import Blueprint, request, url_for
from werkzeug.wrappers import Response

from ..accounts.service import own, workspace
from ..extensions import db
from ..web import go, page
from . import live, search, sentences
from .live import Live
from .models import Delivery, EventType, State, Status, Webhook
from .search import Filters, Page, Place

blueprint = Blueprint("deliveries", __name__)
for words in (sentences.result, sentences.outcome, sentences.advice, sentences.next_try, sentences.instead_of_next_try,
              sentences.attempt_of, sentences.trigger, sentences.who, sentences.what, sentences.place,
              sentences.percent):  # fmt: skip
    blueprint.add_app_template_filter(words)

TABS = {None: "All", Status.SUCCEEDED: "Succeeded", Status.PENDING: "Waiting", Status.FAILED: "Failed"}


@blueprint.get("/deliveries")
def index() -> Response | tuple[str, int]:
    """The log, newest first. Its first page is live; older ones stay as they are while somebody reads."""
    filters, place = Filters.of(request.args), Place.of(request.args)
    if not place.is_top:
        found = search.find(own(Delivery), filters, place)
        if not found.newer:
            return go(url_for("deliveries.index", **filters.address()))
        return _log(filters, found, None)
    top = search.top(workspace().id, filters)
    pace = live.pace(max((changed for status, changed, *_ in top if status == Status.PENDING), default=None))
    version = live.version(pace, *top)
    if live.is_shown(version):
        return live.UNCHANGED
    part = Live(url_for("deliveries.index", **filters.address(v=version)), pace)
    return _log(filters, search.find(own(Delivery), filters, place), part)


def _log(filters: Filters, found: Page, part: Live | None) -> Response:
    """The rows, and around them tabs with counts and the filters that are and can be set."""
    query = own(Webhook).order_by(Webhook.created_at, Webhook.id)
    webhooks = [w for w in db.session.scalars(query) if w.state != State.DELETED or str(w.id) == filters.webhook]
    return page(
        "deliveries/index.html",
        "deliveries/_log.html",
        found=found,
        part=part,
        filters=filters,
        tabs=TABS,
        counts=search.count(workspace().id, filters),
        choices={
            "event": [(event_type, event_type) for event_type in EventType],
            "webhook": [(webhook.id, sentences.place(webhook.url)) for webhook in webhooks],
        },
        chosen=_names(filters, webhooks, found),
    )


def _names(filters: Filters, webhooks: list[Webhook], found: Page) -> dict[str, str | None]:
    """The filters that are set, in words."""
    about = (subject for row in found.rows for subject in row.event.subjects)
    labels = (subject.label for subject in about if str(subject.contact_id) == filters.contact)
    urls = (sentences.place(webhook.url) for webhook in webhooks if str(webhook.id) == filters.webhook)
    return {
        "event": filters.event,
        "webhook": next(urls, "unknown") if filters.webhook else None,
        "contact": next(labels, "unknown") if filters.contact else None,
    }
