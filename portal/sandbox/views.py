"""The page of the sandbox receiver, and the address at which it receives."""

import threading
from datetime import datetime

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from ..accounts.models import SandboxMode
from ..accounts.permissions import Permission, allowed, public
from ..accounts.proof_views import local_path
from ..accounts.service import own, person, workspace
from ..extensions import csrf, db, limiter
from ..web import address_of, go, page, wants_fragment
from ..webhooks import exact, live, readings, sentences
from ..webhooks.forms import URL_WARNING, WebhookForm
from ..webhooks.live import Live
from ..webhooks.models import CONTACT_EVENTS, Delivery, Webhook
from ..webhooks.sentences import Note, Pill
from ..webhooks.views import form_page
from . import service
from .models import SandboxRequest

blueprint = Blueprint("sandbox", __name__)

LATEST = 5
"""Deliveries shown beside what the receiver got."""
MOODS = {
    SandboxMode.OK: Pill("ok", "Answers 200"),
    SandboxMode.ERROR: Pill("bad", "Fails: answers 500"),
    SandboxMode.SLOW: Pill("bad", "Fails: answers too late"),
    SandboxMode.GONE: Pill("bad", "Fails: answers 410 Gone"),
}


@blueprint.get("/apps/sandbox")
@allowed(Permission.WEBHOOKS)
def show() -> Response | tuple[str, int]:
    """Both sides at once: what the portal says of its deliveries, and what the receiver got."""
    webhooks, requests = service.webhooks_of(workspace()), service.latest(workspace().id)
    deliveries = _deliveries(webhooks)
    pace = live.pace(_last_change(requests, deliveries))
    newest = requests[0].id if requests else None
    version = live.version(pace, newest, workspace().sandbox_mode, *readings.pulse(workspace().id))
    if live.is_shown(version):
        return live.UNCHANGED
    pinned, view = request.args.get("request"), request.args.get("view")
    return page(
        "sandbox/show.html",
        "sandbox/_show.html",
        part=Live(url_for("sandbox.show", request=pinned, view=view, v=version), pace),
        address=own_address(),
        mood=MOODS[workspace().sandbox_mode],
        failing=workspace().sandbox_mode != SandboxMode.OK,
        webhooks=webhooks,
        deliveries=deliveries,
        note=_note(deliveries),
        requests=requests,
        chosen=next((one for one in requests if str(one.id) == pinned), requests[0] if requests else None),
        pinned=pinned,
        body=exact.raw if view == "raw" else exact.pretty,
        raw=view == "raw",
        header_lines=exact.headers,
        webhook_mood=sentences.mood,
    )


@blueprint.post("/apps/sandbox/use")
@allowed(Permission.WEBHOOKS)
def use() -> BaseResponse:
    """Point a webhook at the sandbox, with one click."""
    service.point_webhook(workspace(), own_address(), person())
    db.session.commit()
    return go(local_path(request.args.get("next")))


@blueprint.post("/apps/sandbox/mode")
@allowed(Permission.WEBHOOKS)
def set_mode() -> Response | BaseResponse | tuple[str, int]:
    """Make it fail, or let it recover."""
    wanted = request.form.get("mode")
    if wanted not in set(SandboxMode):
        abort(400)
    service.set_mode(workspace(), SandboxMode(wanted), person())
    db.session.commit()
    return show() if wants_fragment() else go(url_for("sandbox.show"))


@blueprint.get("/apps/sandbox/webhook")
@allowed(Permission.WEBHOOKS)
def fill() -> BaseResponse | str:
    """The form of a new webhook with the sandbox's URL typed in; to htmx only that field, so that nothing is lost."""
    everything = dict.fromkeys((event_type.name.lower() for event_type in CONTACT_EVENTS), True)
    form = WebhookForm(formdata=None, data={"url": own_address(), **everything})
    if wants_fragment():
        return render_template("webhooks/_url.html", form=form, warning=URL_WARNING)
    return form_page(form, url_for("webhooks.new"))


@blueprint.route("/sandbox/<token>", methods=["GET", "POST"])
@public
@csrf.exempt  # type: ignore[untyped-decorator]  # Flask-WTF is not typed
@limiter.limit(lambda: service.RATE, key_func=lambda: f"sandbox {request.path}", methods=["POST"])
def receive(token: str) -> BaseResponse:
    """Take whatever is posted here. People who open the address are shown what came."""
    if request.method == "GET":
        return redirect(url_for("sandbox.show"))
    owner = service.find(token) or abort(404)
    is_slow = owner.sandbox_mode == SandboxMode.SLOW and service.slow_slots.acquire(blocking=False)
    answer = None if is_slow else service.ANSWERS.get(owner.sandbox_mode, service.BUSY)
    try:
        service.keep(owner, request.headers, request.get_data(), answer)
        db.session.commit()
        if is_slow:
            threading.Event().wait(service.SLOW_SECONDS)
    finally:
        if is_slow:
            service.slow_slots.release()
    return Response(
        "Received.\n" if answer == 200 else "This sandbox receiver was told to fail.\n", answer, mimetype="text/plain"
    )


def own_address() -> str:
    """Where the workspace's sandbox receives."""
    return address_of("sandbox.receive", token=workspace().sandbox_token)


def _deliveries(webhooks: list[Webhook]) -> list[Delivery]:
    """The latest deliveries to the sandbox, newest first."""
    query = own(Delivery).where(Delivery.webhook_id.in_([webhook.id for webhook in webhooks]))
    return list(db.session.scalars(query.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(LATEST)))


def _note(deliveries: list[Delivery]) -> Note | None:
    """What is going on, in plain words: of the newest delivery that has something to say."""
    return next((note for note in map(sentences.advice, deliveries) if note), None)


def _last_change(requests: list[SandboxRequest], deliveries: list[Delivery]) -> datetime | None:
    moments: list[datetime] = [one.received_at for one in requests[:1]] + [one.updated_at for one in deliveries]
    return max(moments, default=None)
