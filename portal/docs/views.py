"""The page on receiving and the schemas; open to all, for the developer on the other side has no account."""

import json
from typing import Any

from flask import Blueprint, Response, abort

from ..accounts.permissions import may, public
from ..accounts.service import workspace
from ..contacts.schema import body_schema
from ..web import page
from ..webhooks import readings
from ..webhooks.models import CONTACT_EVENTS, EventType, Webhook
from . import asyncapi, rendering

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs/receiving")
@public
def receiving() -> Response:
    """How to receive and verify, with the reader's newest webhook URL where there is one."""
    guide, webhook = rendering.guide(), _newest_webhook()
    body = guide.addressed(webhook.url) if webhook else guide.body
    return page("docs/receiving.html", guide=guide, body=body, webhook=webhook, schemas=CONTACT_EVENTS)


@blueprint.get("/docs/schemas/<name>.json")
@public
def schema(name: str) -> Response:
    """The JSON Schema of an event's body."""
    return _as_json(body_schema(EventType(name))) if name in CONTACT_EVENTS else abort(404)


@blueprint.get("/docs/asyncapi.json", endpoint="asyncapi")
@public
def show_asyncapi() -> Response:
    """All of it for machines."""
    return _as_json(asyncapi.document())


def _newest_webhook() -> Webhook | None:
    """The workspace's, if who reads may know its webhooks."""
    webhooks = readings.living(workspace().id) if may("webhooks.show") else []
    return webhooks[-1] if webhooks else None


def _as_json(value: dict[str, Any]) -> Response:
    """Indented and in the order of the contract: people look at it too."""
    return Response(json.dumps(value, indent=2), mimetype="application/json")
