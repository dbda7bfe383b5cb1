"""The delivery log: what was sent, what came back, what waits; and sending again."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, request, stream_with_context, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from ..accounts.service import own, own_or_404, workspace
from ..extensions import db, utcnow
from ..pace import pace
from ..web import go, page, say
from . import exact, export, live, publisher, search, sentences
from .chips import chips
from .export import CsvResponse
from .filters import Filters
from .live import Live
from .models import Attempt, Delivery, State, Status, Webhook
from .search import Log, Page, Place

blueprint = Blueprint("deliveries", __name__)
for words in (sentences.result, sentences.outcome, sentences.advice, sentences.next_try, sentences.instead_of_next_try,
              sentences.attempt_of, sentences.trigger, sentences.who, sentences.what, sentences.place,
              sentences.percent, exact.visible):  # fmt: skip
    blueprint.add_app_template_filter(words)

TABS = {None: "All", Status.SUCCEEDED: "Succeeded", Status.PENDING: "Waiting", Status.FAILED: "Failed"}
PHASES = {"dns": "DNS", "connect": "Connect", "tls": "TLS", "first_byte": "First byte", "body": "Body"}
BAR, GAP = 1000, 3
"""The width of the bar of phases and of what is left free between them, in units of its drawing."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the time that an attempt took: where its piece of the bar begins and how wide it is."""

    name: str
    look: str
    milliseconds: float
    start: float
    width: float


@blueprint.get("/deliveries")
def index() -> Response | tuple[str, int]:
    """The log, newest first. Its first page is live; older ones stay as they are while somebody reads."""
    filters, place = Filters.of(request.args), Place.of(request.args)
    if not place.is_live:
        found = search.find(Log(workspace().id, filters), place)
        if not found.newer:
            return go(url_for("deliveries.index", **filters.address()))
        return _log(filters, found, None)
    pulse = search.pulse(workspace().id)
    pace = live.pace(search.changed_at(pulse))
    version = live.version(pace, pulse, place)
    if live.is_shown(version):
        return live.UNCHANGED
    part = Live(url_for("deliveries.index", **filters.address(v=version)), pace)
    return _log(filters, search.find(Log(workspace().id, filters), place), part)


@blueprint.get("/deliveries.csv")
def download() -> Response:
    """What matches, all of it, for a spreadsheet."""
    rows = export.lines(Log(workspace().id, Filters.of(request.args)))
    name = f"deliveries-{utcnow():%Y-%m-%d}.csv"
    return CsvResponse(stream_with_context(rows), headers={"Content-Disposition": f"attachment; filename={name}"})


@blueprint.get("/deliveries/<uuid:delivery_id>")
def show(delivery_id: UUID) -> Response | tuple[str, int]:
    """One delivery: its life, its attempts, and of one attempt the exact request and answer."""
    delivery = own_or_404(Delivery, delivery_id)
    pace = live.pace(delivery.updated_at)
    version = live.version(pace, delivery.updated_at, delivery.webhook.state, delivery.webhook.probe_at)
    if live.is_shown(version):
        return live.UNCHANGED
    chosen, view = request.args.get("attempt", type=int), request.args.get("view")
    address = url_for("deliveries.show", delivery_id=delivery.id, attempt=chosen, view=view, v=version)
    part = Live(address, pace) if delivery.status == Status.PENDING else None
    return page("deliveries/show.html", "deliveries/_show.html", part=part, **_facts(delivery, chosen, view == "raw"))


@blueprint.post("/deliveries/<uuid:delivery_id>/resend")
def resend(delivery_id: UUID) -> Response:
    """Send it once more, with the same id and the same bytes."""
    delivery = own_or_404(Delivery, delivery_id)
    if publisher.resend(delivery):
        say("It is sent again.")
    else:
        say("Its webhook was deleted, so there is nowhere to send it to.")
    db.session.commit()
    return go(url_for("deliveries.show", delivery_id=delivery.id))


def _log(filters: Filters, found: Page, part: Live | None) -> Response:
    """The rows, and around them tabs with counts and the filters that are and can be set."""
    webhooks = list(db.session.scalars(own(Webhook).order_by(Webhook.created_at, Webhook.id)))
    return page(
        "deliveries/index.html",
        "deliveries/_log.html",
        found=found,
        part=part,
        filters=filters,
        tabs=TABS,
        counts=search.count(workspace().id, filters),
        chips=chips(filters, webhooks, _name(filters, found)),
        top=search.written(search.key_of(found.rows[0])) if part and found.rows else "",
    )


def _name(filters: Filters, found: Page) -> str:
    """The contact that is asked for, as one of its deliveries calls it."""
    about = (subject for row in found.rows for subject in row.event.subjects)
    return next((exact.visible(one.label) for one in about if str(one.contact_id) == filters["contact"].lower()), "")


def _facts(delivery: Delivery, number: int | None, raw: bool) -> dict[str, Any]:
    """What the page of a delivery shows; without a `number` its newest attempt."""
    query = select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.number, Attempt.started_at)
    attempts = db.session.scalars(query).all()
    newest = attempts[-1] if attempts else None
    chosen = next((attempt for attempt in attempts if attempt.number == number), newest)
    return {
        "delivery": delivery,
        "attempts": attempts,
        "chosen": chosen,
        "raw": raw,
        "body": exact.raw if raw else exact.pretty,
        "header_lines": exact.headers,
        "visible": exact.visible,
        "phases": _phases(chosen) if chosen else [],
        "curl": exact.curl(chosen.url, chosen.request_headers, delivery.event.body) if chosen else "",
        "note": sentences.advice(delivery),
        "life": sentences.life(delivery, attempts),
        "all_attempts": pace().attempts,
        "may_resend": delivery.webhook.state != State.DELETED,
    }


def _phases(attempt: Attempt) -> list[Phase]:
    """The phases that the attempt reached, as pieces of one bar."""
    taken = [(name, f"p{i}", attempt.phases.get(key)) for i, (key, name) in enumerate(PHASES.items(), start=1)]
    reached = [(name, look, milliseconds) for name, look, milliseconds in taken if milliseconds is not None]
    whole = sum(milliseconds for _, _, milliseconds in reached) or 1.0
    room = BAR - GAP * (len(reached) - 1)
    pieces, start = [], 0.0
    for name, look, milliseconds in reached:
        width = room * milliseconds / whole
        pieces.append(Phase(name, look, milliseconds, round(start, 1), round(width, 1)))
        start += width + GAP
    return pieces
