"""Trying a webhook out: a signed sample through the real path, and how it goes."""

from uuid import UUID

from flask import abort, request, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own_or_404, person
from ..extensions import db
from ..web import go, page, wants_fragment
from . import live, publisher
from .live import Live
from .models import Delivery, EventType, State, Status, Webhook
from .views import blueprint


@blueprint.post("/apps/webhooks/<uuid:webhook_id>/test")
@allowed(Permission.WEBHOOKS)
def test(webhook_id: UUID) -> Response:
    """Send a signed sample through the real path. htmx shows its result in place, others land on its page."""
    webhook = own_or_404(Webhook, webhook_id)
    if webhook.state == State.DELETED:
        abort(404)
    wanted = request.form.get("event_type", webhook.event_types[0])
    if wanted not in webhook.event_types:
        abort(400)
    delivery = publisher.send_test(webhook, EventType(wanted), person().name)
    db.session.flush()
    audit.note(person(), "sent a test", delivery)
    db.session.commit()
    return _part(delivery) if wants_fragment() else go(url_for("deliveries.show", delivery_id=delivery.id))


@blueprint.get("/apps/webhooks/tests/<uuid:delivery_id>")
@allowed(Permission.WEBHOOKS)
def test_result(delivery_id: UUID) -> Response | tuple[str, int]:
    """How a test goes; asks again until it has ended."""
    delivery = own_or_404(Delivery, delivery_id)
    if live.is_shown(_version(delivery)):
        return live.UNCHANGED
    return _part(delivery) if wants_fragment() else go(url_for("deliveries.show", delivery_id=delivery.id))


def _part(delivery: Delivery) -> Response:
    part = None
    if delivery.status == Status.PENDING:
        address = url_for("webhooks.test_result", delivery_id=delivery.id, v=_version(delivery))
        part = Live(address, live.pace(delivery.created_at))
    return page("webhooks/_test.html", delivery=delivery, part=part)


def _version(delivery: Delivery) -> str:
    return live.version(delivery.updated_at, live.pace(delivery.created_at))
