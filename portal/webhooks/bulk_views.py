"""Many deliveries at once: the question with its count, the progress, the result with what was skipped."""

from datetime import timedelta
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own, own_or_404, person, workspace
from ..extensions import db, utcnow
from ..web import go, page
from . import bulk, live
from .filters import Filters
from .live import Live
from .models import State, Webhook
from .worker_models import Bulk, BulkKind

blueprint = Blueprint("bulk", __name__)

CHANGED = ("status", "result", "next", "attempt", "trigger")
"""What a resend changes of a delivery: by these filters the log would not find again what was sent."""
NOTED = {BulkKind.RESEND: "resent deliveries in bulk", BulkKind.CANCEL: "canceled deliveries in bulk"}
"""What the history of each webhook says that it was about."""


@blueprint.get("/deliveries/bulk")
@allowed(Permission.RESEND)
def ask() -> Response:
    """How many deliveries of which webhooks it is about, and what will happen to them, before anything does."""
    kind, filters = _kind(), Filters.of(request.args)
    counts = bulk.forecast(workspace().id, kind, filters)
    named = {str(webhook.id): webhook for webhook in db.session.scalars(own(Webhook))}
    webhooks = [(named[key], count) for key, count in counts.items()]
    total = sum(counts.values())
    return page("bulk/ask.html", kind=kind, filters=filters, webhooks=webhooks, total=total)


@blueprint.post("/deliveries/bulk")
@allowed(Permission.RESEND)
def begin() -> Response:
    """Do it, in the background: nobody has to keep the page open."""
    made = bulk.begin(workspace().id, _kind(), Filters.of(request.form), person().name)
    touched = own(Webhook).where(Webhook.id.in_([UUID(key) for key in made.webhooks]))
    for webhook in db.session.scalars(touched):
        audit.note(person(), NOTED[made.kind], webhook)
    db.session.commit()
    return go(url_for("bulk.show", bulk_id=made.id))


@blueprint.get("/deliveries/bulk/<uuid:bulk_id>")
@allowed(Permission.RESEND)
def show(bulk_id: UUID) -> Response | tuple[str, int]:
    """How far it is, and in the end what was done and what was skipped and why."""
    found = own_or_404(Bulk, bulk_id)
    version = live.version(found.done, found.skipped, found.finished_at)
    if live.is_shown(version):
        return live.UNCHANGED
    address = url_for("bulk.show", bulk_id=found.id, v=version)
    part = None if found.finished_at else Live(address, live.QUICK)
    log = Filters.of(found.filters).without(*CHANGED).address()
    return page("bulk/show.html", "bulk/_show.html", bulk=found, part=part, reasons=bulk.REASONS, log=log)


@blueprint.post("/deliveries/bulk/<uuid:bulk_id>/stop")
@allowed(Permission.RESEND)
def stop(bulk_id: UUID) -> Response:
    """What is done stays done, the rest stays as it is."""
    found = own_or_404(Bulk, bulk_id)
    found.stop()
    audit.note(person(), "stopped", found)
    db.session.commit()
    return go(url_for("bulk.show", bulk_id=bulk_id))


@blueprint.post("/apps/webhooks/<uuid:webhook_id>/replay")
@allowed(Permission.WEBHOOKS)
def replay(webhook_id: UUID) -> Response:
    """Send the webhook all that happened in the last days, in order."""
    webhook, days = own_or_404(Webhook, webhook_id), request.form.get("days", type=int)
    if webhook.state == State.DELETED:
        abort(404)
    if days not in bulk.REPLAY_DAYS:
        abort(400)
    made = bulk.replay(webhook, utcnow() - timedelta(days=days), person().name)
    audit.note(person(), f"replayed {days} days" if days > 1 else "replayed 24 hours", webhook)
    db.session.commit()
    return go(url_for("bulk.show", bulk_id=made.id))


def _kind() -> BulkKind:
    """What is asked for; a replay has a button of its own."""
    word = request.values.get("act", BulkKind.RESEND)
    return BulkKind(word) if word in {BulkKind.RESEND, BulkKind.CANCEL} else abort(400)
