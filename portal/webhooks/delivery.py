"""The page of one delivery: its life, its attempts, what it was about; sending it again; its signature lab."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import load_only
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed, may
from ..accounts.service import own_or_404, person, workspace
from ..extensions import db, limiter
from ..fields import shows_again
from ..pace import pace
from ..web import go, page, say
from . import bench, changes, exact, lanes, live, present, publisher, sentences
from .lab import MAX_PASTED, UNREADABLE, Verdict
from .letters import MASK
from .life import Tries, life
from .live import Live
from .log import blueprint
from .log_models import Attempt
from .models import Delivery, Event, EventType, State, Status, Subject
from .outbound import explain
from .sentences import Note

PHASES = {"dns": "DNS", "connect": "Connect", "tls": "TLS", "first_byte": "First byte", "body": "Body"}
BAR, GAP = 1000, 3
"""The width of the bar of phases and of what is left free between them, in units of its drawing."""
WINDOW = 20
"""Attempts that are listed at once."""
SHOWN = 64 * 1024
"""Bytes of a body that are shown."""
LAB_RATE = "30/minute;300/hour"
FAILED = 422
ERASED = (
    "Its contact was erased for good: the body is gone, so it can’t be sent again."
    " That it was sent, when and with which result stays here."
)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the time that an attempt took: where its piece of the bar begins and how wide it is."""

    name: str
    look: str
    milliseconds: float
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Window:
    """Some of the attempts, newest first, around the one that is chosen; numbers that lead to newer and older ones."""

    tries: Tries
    attempts: list[Attempt]
    chosen: Attempt
    newer: int | None
    older: int | None


@blueprint.get("/deliveries/<uuid:delivery_id>")
@allowed(Permission.DELIVERIES)
def show(delivery_id: UUID) -> Response | tuple[str, int]:
    """One delivery: its life, its attempts, and of one attempt the exact request and answer."""
    delivery = own_or_404(Delivery, delivery_id)
    ahead, front = lanes.ahead_of(delivery) if delivery.status == Status.PENDING else (0, None)
    pace = live.pace(delivery.updated_at)
    webhook = delivery.webhook
    version = live.version(pace, delivery.updated_at, webhook.state, webhook.probe_at, ahead, front and front.id)
    if live.is_shown(version):
        return live.UNCHANGED
    chosen, view = request.args.get("attempt", type=int), request.args.get("view")
    address = url_for("deliveries.show", delivery_id=delivery.id, attempt=chosen, view=view, v=version)
    part = Live(address, pace) if delivery.status == Status.PENDING else None
    window = _window(delivery, chosen)
    return page(
        "deliveries/show.html", "deliveries/_show.html",
        delivery=delivery, part=part, window=window, ahead=ahead, front=front,
        life=life(delivery, window.tries if window else None, ahead), note=_note(delivery),
        may_resend=webhook.state != State.DELETED and delivery.event.has_body, kept=_kept(),
        **_exactly(delivery, window.chosen if window else None, view == "raw"), **_about(delivery.event),
    )  # fmt: skip


@blueprint.post("/deliveries/<uuid:delivery_id>/resend")
@allowed(Permission.RESEND)
def resend(delivery_id: UUID) -> Response:
    """Send it once more, with the same id and the same bytes."""
    delivery = own_or_404(Delivery, delivery_id)
    if publisher.resend(delivery):
        audit.note(person(), "resent", delivery)
        say("It is sent again.")
    elif delivery.webhook.state == State.DELETED:
        say("Its webhook was deleted, so there is nowhere to send it to.")
    else:
        say(
            ERASED
            if delivery.event.erased_at
            else f"It can’t be sent again: bodies are kept for {_kept()}, and this one is gone."
        )
    db.session.commit()
    return go(url_for("deliveries.show", delivery_id=delivery.id))


@blueprint.get("/deliveries/<uuid:delivery_id>/lab")
@allowed(Permission.WEBHOOKS)
def lab(delivery_id: UUID) -> Response:
    """How an attempt was signed, step by step, and a place to paste what other code computed."""
    return _lab_page(own_or_404(Delivery, delivery_id))


@blueprint.post("/deliveries/<uuid:delivery_id>/lab")
@allowed(Permission.WEBHOOKS)
@shows_again
@limiter.limit(lambda: LAB_RATE, key_func=lambda: f"lab {person().id}")
def judge(delivery_id: UUID) -> Response:
    """Say what is wrong with a pasted signature."""
    delivery, pasted = own_or_404(Delivery, delivery_id), request.form.get("signature", "")[:MAX_PASTED]
    return _lab_page(delivery, pasted)


def _note(delivery: Delivery) -> Note | None:
    """What is going on, or that there is nothing left to send."""
    erased_at = delivery.event.erased_at
    return Note("", "Erased", f"{ERASED} ({sentences.moment(erased_at)})") if erased_at else sentences.advice(delivery)


def _lab_page(delivery: Delivery, pasted: str | None = None) -> Response:
    window = _window(delivery, request.args.get("attempt", type=int))
    laid = bench.lay_out(delivery, window.chosen) if window and delivery.event.has_body else None
    verdict: Verdict | None = None
    if laid and pasted is not None:
        verdict = bench.judge_pasted(pasted, laid, delivery.webhook)
    return page(
        "deliveries/lab.html", "deliveries/_verdict.html" if verdict else None,
        status=FAILED if verdict == UNREADABLE else 200,
        delivery=delivery, attempt=window.chosen if window else None, bench=laid, verdict=verdict, pasted=pasted or "",
        kept=_kept(),
        bytes_of=exact.bytes_of, ending=exact.ending, shown=SHOWN, address=delivery.webhook.url,
    )  # fmt: skip


def _kept() -> str:
    return sentences.span(timedelta(days=pace().keep_bodies_days))


def _window(delivery: Delivery, wanted: int | None) -> Window | None:
    """The attempts around the wanted one, or the newest; None before the first."""
    mine = Attempt.delivery_id == delivery.id
    lowest, highest, count = db.session.execute(
        select(func.min(Attempt.number), func.max(Attempt.number), func.count()).where(mine)
    ).one()
    if not count:
        return None
    if wanted is None or not lowest <= wanted <= highest:
        wanted = highest
    top = highest - (highest - wanted) // WINDOW * WINDOW
    numbers = {lowest, highest, *range(max(lowest, top - WINDOW + 1), top + 1)}
    brief = load_only(Attempt.number, Attempt.trigger, Attempt.started_at, Attempt.duration_ms, Attempt.status,
                      Attempt.failure)  # fmt: skip
    query = select(Attempt).where(mine, Attempt.number.in_(numbers)).options(brief)
    found = list(db.session.scalars(query.order_by(Attempt.number.desc(), Attempt.started_at.desc()).limit(2 * WINDOW)))
    listed = [attempt for attempt in found if top - WINDOW < attempt.number <= top]
    nearest = next((attempt for attempt in listed if attempt.number <= wanted), found[0])
    chosen = db.session.get_one(Attempt, nearest.id, populate_existing=True)
    return Window(
        Tries(found[-1], found[0], count), listed, chosen,
        newer=top + 1 if top < highest else None, older=top - WINDOW if top - WINDOW >= lowest else None,
    )  # fmt: skip


def _exactly(delivery: Delivery, chosen: Attempt | None, raw: bool) -> dict[str, Any]:
    """What was sent and what came back with the chosen attempt, to the byte. A URL may hold a credential: in full it is
    for those who may see the webhook."""
    body, sees_url = delivery.event.body, may("webhooks.show")
    return {
        "address": "" if chosen is None else chosen.url if sees_url else sentences.place(chosen.url),
        "raw": raw,
        "body": exact.raw if raw else exact.pretty,
        "shown": SHOWN,
        "header_lines": exact.headers,
        "visible": exact.visible,
        "phases": _phases(chosen) if chosen else [],
        "curl": exact.curl(chosen.url, chosen.request_headers, body, MASK) if chosen and body and sees_url else "",
        "meaning": explain(chosen.failure, chosen.status).advice if chosen and chosen.failure else "",
        "masked": any(value == MASK for _, value in chosen.request_headers) if chosen else False,
        "all_attempts": pace().attempts,
    }


def _about(event: Event) -> dict[str, Any]:
    """What the event says about its contacts, and what has become of them."""
    if event.is_test or event.type.is_alarm:
        return {"stories": [], "gone": {}}
    source, ids = present.source(), [subject.contact_id for subject in event.subjects[: changes.SUBJECTS]]
    now = source.payloads(workspace().id, ids)
    deleted = (
        select(Subject.contact_id, Event)
        .join(Event, Event.id == Subject.event_id)
        .where(Event.workspace_id == event.workspace_id, Event.type == EventType.DELETED)
        .where(Subject.contact_id.in_(set(ids) - set(now)))
    )
    gone = dict(db.session.execute(deleted).all())
    return {"stories": changes.stories(event, now, source.labels), "gone": gone}


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
