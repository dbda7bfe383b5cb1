"""Apps & Integrations: the Webhooks card, the webhooks and all that a person does with one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, render_template, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, own_or_404, person, workspace
from ..extensions import db
from ..fields import shows_again
from ..pace import pace
from ..web import go, page, say, wants_fragment
from . import alarms, bulk, charts, exact, live, problems, publisher, readings, samples, sentences, signing, throttle
from .forms import URL_WARNING, WebhookForm
from .letters import MASK
from .live import Live
from .models import Delivery, PauseReason, State, Webhook

blueprint = Blueprint("webhooks", __name__)

SAVED, FAILED = 201, 422
LATEST = 10
"""Deliveries on the page of a webhook; the log has the others."""
HISTORY = 10
CARD_PACE = "5s"
HIDDEN = "changed where it is not shown"
"""What the history says of a change of secrets."""
Facts = dict[str, tuple[str, object]]
"""Names to what people read, and what that stands for."""


@blueprint.app_context_processor
def _alarms() -> dict[str, Any]:
    """What every page of a signed-in person may ask for: the webhooks about which an alarm stands."""
    return {"standing_alarms": lambda: alarms.standing(workspace().id), "situation_of": sentences.situation}


@blueprint.get("/apps")
@allowed(Permission.APPS)
def apps() -> Response | tuple[str, int]:
    """The integrations that there are, each with its live state."""
    version = _pulse()
    if live.is_shown(version):
        return live.UNCHANGED
    webhooks = readings.living(workspace().id)
    part = Live(url_for("webhooks.apps", v=version), CARD_PACE)
    return page("apps/index.html", "apps/_webhooks.html", part=part, **_card(webhooks))


@blueprint.get("/apps/webhooks")
@allowed(Permission.WEBHOOKS)
def index() -> Response | tuple[str, int]:
    """The webhooks with their states."""
    if live.is_shown(_pulse()):
        return live.UNCHANGED
    return page("webhooks/index.html", "webhooks/_list.html", **_list())


@blueprint.route("/apps/webhooks/new", methods=["GET", "POST"])
@allowed(Permission.WEBHOOKS)
@shows_again
def new() -> Response:
    """The form of a new webhook; once saved, its secret, which nobody can read again."""
    form = WebhookForm()
    if not form.validate_on_submit():
        return form_page(form, url_for("webhooks.new"))
    secret = signing.new_secret()
    webhook = Webhook(workspace_id=workspace().id, created_by=person().name, secret=signing.seal(secret))
    form.fill(webhook)
    db.session.add(webhook)
    db.session.flush()
    audit.note(person(), "created", webhook)
    db.session.commit()
    return page("webhooks/index.html", "webhooks/_secret.html", SAVED, secret=secret, webhook=webhook, **_list())


def form_page(form: WebhookForm, action: str, webhook: Webhook | None = None) -> Response:
    """The form of a webhook, on its page; 422 when it was sent and has problems."""
    status = FAILED if form.is_submitted() else 200
    peeks = {event_type: exact.pretty(body) for event_type, body in samples.sample_bodies().items()}
    values = {"form": form, "action": action, "peeks": peeks, "about": sentences.ABOUT, "warning": URL_WARNING}
    template = "webhooks/edit.html" if webhook else "webhooks/index.html"
    return page(template, "webhooks/_form.html", status, webhook=webhook, **values, **({} if webhook else _list()))


@blueprint.post("/apps/webhooks/check")
@allowed(Permission.WEBHOOKS)
def check() -> str:
    """The URL field with what is wrong with it so far, while a person types."""
    form = WebhookForm()
    begun = (form.url.data or "").lower()
    if not any(scheme.startswith(begun) for scheme in ("http://", "https://")):
        form.url.validate(form)
    return render_template("webhooks/_url.html", form=form, warning=URL_WARNING)


@blueprint.get("/apps/webhooks/<uuid:webhook_id>")
@allowed(Permission.WEBHOOKS)
def show(webhook_id: UUID) -> Response | tuple[str, int]:
    """One webhook: its state in a sentence, its latest deliveries, and what can be done with it."""
    webhook = _webhook(webhook_id)
    version = _pulse()
    if live.is_shown(version):
        return live.UNCHANGED
    return page("webhooks/show.html", "webhooks/_show.html", **_facts(webhook, version))


@blueprint.get("/apps/webhooks/<uuid:webhook_id>/charts", endpoint="charts")
@allowed(Permission.WEBHOOKS)
def charts_of(webhook_id: UUID) -> Response | tuple[str, int]:
    """The charts alone, which the page asks for once a minute; they cost more than all the rest of it."""
    if not wants_fragment():
        return show(webhook_id)
    webhook = _webhook(webhook_id)
    return page("webhooks/_charts_part.html", webhook=webhook, **_charts(webhook))


@blueprint.route("/apps/webhooks/<uuid:webhook_id>/edit", methods=["GET", "POST"])
@allowed(Permission.WEBHOOKS)
@shows_again
def edit(webhook_id: UUID) -> Response:
    """Change the URL, event types, description and headers; what waits goes to the new URL."""
    webhook = _webhook(webhook_id)
    form = WebhookForm.of(webhook)
    if not form.validate_on_submit():
        return form_page(form, url_for("webhooks.edit", webhook_id=webhook.id), webhook)
    before = _known(webhook)
    form.fill(webhook)
    audit.note(person(), "changed", webhook, *_told(before, _known(webhook)))
    db.session.commit()
    say("Webhook saved.")
    return go(url_for("webhooks.show", webhook_id=webhook.id))


@blueprint.post("/apps/webhooks/<uuid:webhook_id>/pause")
@allowed(Permission.WEBHOOKS)
def pause(webhook_id: UUID) -> Response:
    """Hold its deliveries until somebody resumes it."""
    webhook = _webhook(webhook_id)
    webhook.pause(PauseReason.PERSON)
    audit.note(person(), "paused", webhook)
    db.session.commit()
    say("Paused. Changes go on being recorded and are sent when you resume.")
    return go(url_for("webhooks.show", webhook_id=webhook.id))


@blueprint.post("/apps/webhooks/<uuid:webhook_id>/resume")
@allowed(Permission.WEBHOOKS)
def resume(webhook_id: UUID) -> Response:
    """Send what was held, oldest first."""
    webhook = _webhook(webhook_id)
    publisher.resume(webhook)
    audit.note(person(), "resumed", webhook)
    db.session.commit()
    say("Resumed. What was waiting is sent now, oldest first.")
    return go(url_for("webhooks.show", webhook_id=webhook.id))


@blueprint.post("/apps/webhooks/<uuid:webhook_id>/rotate")
@allowed(Permission.WEBHOOKS)
def rotate(webhook_id: UUID) -> Response:
    """A new secret, shown once."""
    webhook = _webhook(webhook_id)
    secret = publisher.rotate_secret(webhook)
    audit.note(person(), "rotated the secret", webhook)
    db.session.commit()
    facts = _facts(webhook, _pulse())
    return page("webhooks/show.html", "webhooks/_secret.html", secret=secret, rotated=True, **facts)


@blueprint.post("/apps/webhooks/<uuid:webhook_id>/delete")
@allowed(Permission.WEBHOOKS)
def delete(webhook_id: UUID) -> Response:
    """Cancel what waits and take the webhook away; its log stays."""
    webhook = _webhook(webhook_id)
    canceled = publisher.delete(webhook)
    audit.note(person(), "deleted", webhook)
    db.session.commit()
    say(f"Webhook deleted, {canceled:,} waiting canceled." if canceled else "Webhook deleted.")
    return go(url_for("webhooks.index"))


def _webhook(webhook_id: UUID) -> Webhook:
    """The workspace's webhook; a deleted one answers like a missing one, only the log still knows it."""
    webhook = own_or_404(Webhook, webhook_id)
    return webhook if webhook.state != State.DELETED else abort(404)


def _known(webhook: Webhook) -> Facts:
    """What its history tells of it: not what may be a key in a URL, and the names of headers, not their values."""
    headers = signing.custom_headers(webhook)
    types, about = ", ".join(webhook.event_types), webhook.description or ""
    return {
        "URL": (sentences.place(webhook.url), webhook.url),
        "event types": (types, types),
        "description": (about, about),
        "contacts per request": (str(webhook.contacts_per_request), webhook.contacts_per_request),
        "custom headers": (", ".join(headers), headers),
        "throttle": (throttle.words(webhook), throttle.words(webhook)),
    }


def _told(before: Facts, after: Facts) -> tuple[dict[str, str], dict[str, str]]:
    """Before and after, as people read it; of what differs only where that does not show it, that it does."""
    old, new = ({name: text for name, (text, _) in facts.items()} for facts in (before, after))
    hidden = [name for name in old if old[name] == new[name] and before[name] != after[name]]
    return old, new | {name: f"{new[name]} ({HIDDEN})" for name in hidden}


def _pulse() -> str:
    return live.version(*readings.pulse(workspace().id))


def _card(webhooks: list[Webhook]) -> dict[str, Any]:
    """How many webhooks are in which state and how much waits there, worst facts not hidden by good ones."""
    figures = readings.read(webhooks)
    counts = {pill: [0, 0] for pill in sentences.MOODS}
    for webhook in webhooks:
        count = counts[sentences.mood(webhook)]
        count[0] += 1
        count[1] += figures[webhook.id].waiting
    sent = [reading.last_sent for reading in figures.values() if reading.last_sent]
    return {
        "counts": {pill: count for pill, count in counts.items() if count[0]},
        "last_sent": max(sent, default=None),
        "problems": problems.of(webhooks),
    }


def _list() -> dict[str, Any]:
    webhooks = readings.living(workspace().id)
    part = Live(url_for("webhooks.index", v=_pulse()))
    return {"webhooks": webhooks, "figures": readings.read(webhooks), "mood": sentences.mood, "part": part}


def _facts(webhook: Webhook, version: str) -> dict[str, Any]:
    """What the page of a webhook shows."""
    reading = readings.read([webhook])[webhook.id]
    query = own(Delivery).where(Delivery.webhook_id == webhook.id)
    latest = db.session.scalars(query.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(LATEST)).all()
    return {
        "webhook": webhook,
        "mood": sentences.mood(webhook),
        "situation": sentences.situation(webhook),
        "backlog": sentences.backlog(reading.waiting, reading.oldest),
        "next_try": _next_try(webhook, reading),
        "throttle": throttle.words(webhook),
        "held_to": throttle.words(webhook) if throttle.holds_back(webhook, reading.next_due) else "",
        "waiting": reading.waiting,
        "replay_days": bulk.REPLAY_DAYS,
        "all_attempts": pace().attempts,
        "whole_schedule": sentences.span(pace().whole_schedule),
        "latest": latest,
        "history": audit.history(webhook, HISTORY),
        "next_tries": readings.next_tries(webhook),
        **({} if wants_fragment() else _charts(webhook)),
        "problems": problems.of([webhook]),
        "headers": list(signing.custom_headers(webhook)),
        "mask": MASK,
        "secret_end": signing.unseal(webhook.secret)[-4:],
        "rotating": webhook.old_secret_until if len(signing.secrets_of(webhook)) > 1 else None,
        "part": Live(url_for("webhooks.show", webhook_id=webhook.id, v=version)),
    }


def _charts(webhook: Webhook) -> dict[str, Any]:
    attempts, times = charts.attempts(webhook.id), charts.answer_times(webhook.id)
    return {"attempts_chart": attempts, "times_chart": times, "sample": charts.SAMPLE}


def _next_try(webhook: Webhook, reading: readings.Reading) -> datetime | None:
    if not webhook.is_active or webhook.failing_since is None:
        return None
    return webhook.probe_at or reading.next_due
