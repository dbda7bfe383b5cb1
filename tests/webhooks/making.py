"""Webhooks and events for tests of the engine, without screens."""

import uuid

from portal.accounts.models import Workspace
from portal.extensions import db
from portal.webhooks import publisher, signing
from portal.webhooks.models import CONTACT_EVENTS, Delivery, Event, EventType, Webhook
from portal.webhooks.publisher import About

ALL_TYPES = [str(kind) for kind in CONTACT_EVENTS]


def make_workspace() -> uuid.UUID:
    space = Workspace(name="Harbour Support")
    db.session.add(space)
    db.session.commit()
    return space.id


def make_webhook(workspace_id: uuid.UUID, url: str = "http://127.0.0.1:9/hook", **values: object) -> Webhook:
    values = {"event_types": ALL_TYPES, "created_by": "Dana", **values}
    webhook = Webhook(workspace_id=workspace_id, url=url, secret=signing.seal(signing.new_secret()), **values)
    db.session.add(webhook)
    db.session.commit()
    return webhook


def make_event(workspace_id: uuid.UUID, *contacts: uuid.UUID, body: bytes = b"{}", commit: bool = True) -> Event:
    about = [About(contact, "1", "Allen Ji") for contact in contacts or (uuid.uuid4(),)]
    event = publisher.publish(workspace_id, EventType.UPDATED, body, about, "Dana")
    if commit:
        db.session.commit()
    return event


def delivery_of(event: Event, webhook: Webhook) -> Delivery:
    query = db.select(Delivery).where(Delivery.event_id == event.id, Delivery.webhook_id == webhook.id)
    return db.session.scalars(query, execution_options={"populate_existing": True}).one()
