"""Alarms: who is told, and when, that a webhook fails, is paused or is back. Nothing is turned off silently.

They are raised after an hour, a day and four days of nothing but failures, at a pause, and taken back by the first good
answer: as an event for the workspace's other webhooks, in a letter to its administrators, and on every page.
"""

import json
import uuid
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import and_, or_, select

from .. import audit, mail
from ..accounts.models import Role
from ..accounts.service import members
from ..extensions import db, utcnow
from ..pace import pace
from . import publisher, readings, sentences
from .models import ALARMS, Delivery, EventType, PauseReason, State, Webhook
from .outbound import explain

PAUSED = 100
"""The alarm at a pause. Before it come those of failing: 1, 2, 3."""
SAMPLE_ID = uuid.UUID("4f2d6d0e-5a7c-4f0b-9a55-7f6a3c9a1e20")
SAMPLE_SINCE = 1_760_000_000_000


def look(_: str) -> None:
    """Raise and take back what is due, a webhook a transaction. The RQ job behind the bell that rings once a minute."""
    for webhook_id in _changed():
        locked = select(Webhook).where(Webhook.id == webhook_id).with_for_update(key_share=True)
        webhook = db.session.scalars(locked, execution_options={"populate_existing": True}).one()
        if event_type := _due(webhook, utcnow()):
            _tell(webhook, event_type)
        db.session.commit()


def standing(workspace_id: uuid.UUID) -> list[Webhook]:
    """The webhooks about which an alarm stands, the worst first."""
    mine = select(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.alarm > 0)
    by_itself = and_(Webhook.state == State.PAUSED, Webhook.pause_reason != PauseReason.PERSON)
    fails = and_(Webhook.state == State.ACTIVE, Webhook.failing_since.is_not(None))
    return list(db.session.scalars(mine.where(or_(by_itself, fails)).order_by(Webhook.alarm.desc(), Webhook.alarm_at)))


def sample_bodies() -> dict[EventType, bytes]:
    """A realistic body of each alarm, about a webhook that does not exist."""
    about = {"id": str(SAMPLE_ID), "url": "hooks.example.com/contacts", "description": "Orders"}
    fails = {"since": str(SAMPLE_SINCE), "failure": "tls_expired", "status": None, "waiting": 412}
    facts = {EventType.FAILING: fails, EventType.PAUSED: fails | {"reason": "failing"}, EventType.RECOVERED: {}}
    return {event_type: _body(event_type, about, facts[event_type]) for event_type in ALARMS}


def _changed() -> list[uuid.UUID]:
    """Webhooks whose state asks for another alarm than stands, as it looks without a lock: a handful, among few."""
    uneasy = or_(Webhook.failing_since.is_not(None), Webhook.state == State.PAUSED, Webhook.alarm > 0)
    living = db.session.scalars(select(Webhook).where(Webhook.state != State.DELETED, uneasy))
    return [webhook.id for webhook in living if _level(webhook, utcnow()) != webhook.alarm]


def _level(webhook: Webhook, now: datetime) -> int:
    """The alarm that its state asks for."""
    if webhook.state == State.PAUSED:
        return PAUSED
    if webhook.failing_since is None:
        return 0
    lasted = (now - webhook.failing_since).total_seconds()
    return sum(lasted >= seconds for seconds in pace().warn_after)


def _due(webhook: Webhook, now: datetime) -> EventType | None:
    """What there is to tell; the webhook remembers that it was told."""
    level, before = _level(webhook, now), webhook.alarm
    is_news = level > before or (before == PAUSED and level > 0)
    is_back = (
        level == 0 < before and webhook.answered_at is not None and webhook.answered_at > (webhook.alarm_at or now)
    )
    if level == before or not (is_news or is_back):
        return None
    webhook.alarm, webhook.alarm_at = level, now
    return EventType.RECOVERED if is_back else EventType.PAUSED if level == PAUSED else EventType.FAILING


def _tell(webhook: Webhook, event_type: EventType) -> None:
    waiting = readings.read([webhook])[webhook.id].waiting
    about = {"id": str(webhook.id), "url": sentences.place(webhook.url), "description": webhook.description}
    facts = {} if event_type == EventType.RECOVERED else _facts(webhook, waiting)
    publisher.tell(webhook, event_type, _body(event_type, about, facts), audit.PORTAL)
    if webhook.pause_reason == PauseReason.PERSON and event_type == EventType.PAUSED:
        return  # who did it knows
    subject, body = _letter(webhook, event_type, waiting)
    for member in members(webhook.workspace_id):
        if member.role == Role.ADMINISTRATOR:
            mail.write(member.user.email, subject, body)


def _facts(webhook: Webhook, waiting: int) -> dict[str, Any]:
    since, failed = webhook.failing_since or webhook.paused_at, _last_failed(webhook)
    found = {
        "since": str(int(since.timestamp() * 1000)) if since else None,
        "failure": failed and failed.last_failure,
        "status": failed and failed.last_status,
        "waiting": waiting,
    }
    return found | ({"reason": webhook.pause_reason} if webhook.state == State.PAUSED else {})


def _last_failed(webhook: Webhook) -> Delivery | None:
    return db.session.get(Delivery, uuid.UUID(webhook.failed_ids[-1])) if webhook.failed_ids else None


def _body(event_type: EventType, about: dict[str, Any], facts: dict[str, Any]) -> bytes:
    found = {"event": event_type, "webhook": about, **facts}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _letter(webhook: Webhook, event_type: EventType, waiting: int) -> tuple[str, str]:
    """Subject and body, in plain words."""
    name, failed = sentences.place(webhook.url), _last_failed(webhook)
    cause = explain(failed.last_failure, failed.last_status) if failed and failed.last_failure else None
    if event_type == EventType.RECOVERED:
        lines = [f"{name} takes deliveries again.", "What waited is sent now, oldest first. Nothing was lost."]
        return f"{name} is back", "\n\n".join([*lines, _link(webhook)])
    situation = sentences.situation(webhook)
    lines = [f"{name}: {situation}, {waiting:,} waiting. {sentences.KEPT}"]
    lines += [f"{cause.title}: {cause.advice}"] if cause else []
    return f"{name}: {situation}", "\n\n".join([*lines, _link(webhook)])


def _link(webhook: Webhook) -> str:
    """Where to look. A worker knows the portal's address only when it was told."""
    url = current_app.config["URL"]
    return f"{url}/apps/webhooks/{webhook.id}" if url else "Look under Apps & Integrations, Webhooks."
