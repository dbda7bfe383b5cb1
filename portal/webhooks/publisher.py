"""The way in: publish events, send again, test, hold and let go. Writes the outbox; bells ring after the commit."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, has_app_context
from sqlalchemy import delete as remove
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import literal, select, tuple_, update
from sqlalchemy.orm import Session

from .. import jobs
from ..extensions import db, db_now, utcnow
from . import breaker, engine, lanes, samples, sentences, signing, words
from .models import (
    Delivery,
    Event,
    EventType,
    LaneEntry,
    State,
    Status,
    Subject,
    Trigger,
    Webhook,
)

ROTATION = timedelta(hours=24)
"""How long the secret before the last one still signs beside it."""
BELLS = "bells"


@dataclass(frozen=True)
class About:
    """One contact that an event is about. `changes` maps payload keys to [old, new].

    `known_by` is what the log is searched by besides number and label: e-mail, phone, and what they were before; None
    when it is found by all of these already.
    """

    contact_id: uuid.UUID
    number: str
    label: str
    changes: dict[str, list[Any]] = field(default_factory=dict)
    known_by: Sequence[str] | None = ()


def publish(workspace_id: uuid.UUID, event_type: EventType, body: bytes, about: Sequence[About], actor: str) -> Event:
    """Record the event and one pending delivery for each webhook that wants it, in the caller's transaction.

    The caller holds the lock of the contacts, so that the lanes' order is the order of the commits.
    """
    event = _record(workspace_id, event_type, body, about, actor)
    for one in about:
        words.remember(workspace_id, one.contact_id, (one.number, one.label, *(one.known_by or ())))
    to = [webhook.id for webhook in wanting(workspace_id, event_type)]
    _send_to(event, to, [one.contact_id for one in about])
    return event


def forecast(workspace_id: uuid.UUID, event_type: EventType) -> int:
    """How many webhooks an event of this type would go to, paused ones included."""
    return sum(event_type in webhook.event_types for webhook in db.session.scalars(takers_of(workspace_id)))


def history_of(
    workspace_id: uuid.UUID, contact_id: uuid.UUID, limit: int = 50, before: tuple[datetime, str] | None = None
) -> list[tuple[Event, Subject, list[Delivery]]]:
    """What happened to a contact, newest first, each with the deliveries that it caused; `before` the time and id of an
    event, where that is given.

    What was told several times, in groups of different sizes, happened once: the telling that begins at 1 is it.
    """
    mine = select(Event).join(Subject, Subject.event_id == Event.id)
    mine = mine.where(Event.workspace_id == workspace_id, Subject.contact_id == contact_id)
    query = mine.add_columns(Subject).where(Event.takes_from == 1)
    if before:
        edge = tuple_(literal(before[0], Event.created_at.type), literal(before[1], Event.id.type))
        query = query.where(tuple_(Event.created_at, Event.id) < edge)
    rows = db.session.execute(query.order_by(Event.created_at.desc(), Event.id.desc()).limit(limit)).all()
    told = {(event.created_at, event.type): (event, subject, list[Delivery]()) for event, subject in rows}
    again = mine.with_only_columns(Event.id, Event.created_at, Event.type)
    again = again.where(Event.created_at.in_({event.created_at for event, _ in rows}))
    of = {key: told[at, kind] for key, at, kind in db.session.execute(again) if (at, kind) in told}
    for delivery in db.session.scalars(select(Delivery).where(Delivery.event_id.in_(of)).order_by(Delivery.seq)):
        of[delivery.event_id][2].append(delivery)
    return list(told.values())


def tell(webhook: Webhook, event_type: EventType, body: bytes, actor: str) -> Event:
    """Publish an alarm about a webhook to the others of its workspace that ask for it, in their order."""
    about = About(webhook.id, "", sentences.place(webhook.url))
    event = _record(webhook.workspace_id, event_type, body, [about], actor)
    others = [taker.id for taker in wanting(webhook.workspace_id, event_type) if taker != webhook]
    _send_to(event, others, [webhook.id])
    return event


def send_test(webhook: Webhook, event_type: EventType, actor: str) -> Delivery:
    """Send a sample through the real path: signed and logged, with one attempt, past pause, breaker and order."""
    body = samples.sample_bodies()[event_type]
    about = About(uuid.uuid4(), "0", "Test contact")
    event = _record(webhook.workspace_id, event_type, body, [about], actor, is_test=True)
    delivery = Delivery(
        workspace_id=webhook.workspace_id,
        event_id=event.id,
        webhook_id=webhook.id,
        event_type=event_type,
        trigger=Trigger.TEST,
        seq=lanes.next_seqs(1)[0],
        due_at=db_now(),
    )
    db.session.add(delivery)
    ring_after_commit(webhook.id)
    return delivery


def resend(delivery: Delivery) -> bool:
    """Send once more, by hand: at the tail of its lanes if it had ended, else as soon as its turn comes.

    What succeeded stays succeeded, even if this try fails. False when its webhook is deleted or its body gone.
    """
    _lock(delivery)
    if delivery.webhook.state == State.DELETED or not with_bodies([delivery.event_id]):
        return False
    if delivery.status != Status.PENDING:
        send_again([delivery])
    else:
        delivery.due_at = db_now() if delivery.due_at is not None else None
        delivery.trigger = _by_hand(delivery)
    ring_after_commit(delivery.webhook_id)
    return True


def with_bodies(event_ids: Sequence[str]) -> set[str]:
    """Those of the events whose bodies are still kept, and stay so until the commit."""
    held = select(Event.id).where(Event.id.in_(event_ids), Event.has_body).order_by(Event.id)
    return set(db.session.scalars(held.with_for_update(read=True)))


def send_again(ended: Sequence[Delivery]) -> None:
    """Put ended deliveries at the tails of their lanes, in this order; the caller holds their locks."""
    for delivery in ended:
        delivery.status, delivery.step, delivery.failing_since = Status.PENDING, 0, None
        delivery.trigger = _by_hand(delivery)
    lanes.enter({delivery: [subject.contact_id for subject in delivery.event.subjects] for delivery in ended})


def resume(webhook: Webhook) -> None:
    """Let go of what was held, oldest first, at the pace that the receiver can take."""
    webhook.state, webhook.pause_reason, webhook.paused_at = State.ACTIVE, None, None
    webhook.width = 1
    breaker.close(webhook)
    ring_after_commit(webhook.id)


def try_now(webhook: Webhook) -> None:
    """Its receiver is known to be back: try what waits without waiting for its time."""
    db.session.refresh(webhook, with_for_update=True)
    resume(webhook)
    engine.bring_forward(webhook)


def rotate_secret(webhook: Webhook) -> str:
    """A new secret, returned to be shown once; the old one signs beside it for 24 h."""
    secret = signing.new_secret()
    webhook.old_secret, webhook.old_secret_until = webhook.secret, utcnow() + ROTATION
    webhook.secret = signing.seal(secret)
    return secret


def delete(webhook: Webhook) -> int:
    """Take the webhook away and cancel what waits for it; its log stays. Returns how many were canceled."""
    db.session.refresh(webhook, with_for_update=True)
    webhook.state, webhook.deleted_at = State.DELETED, utcnow()
    webhook.old_secret = None
    db.session.flush()
    waiting = (
        update(Delivery)
        .where(Delivery.webhook_id == webhook.id, Delivery.status == Status.PENDING)
        .values(status=Status.CANCELED, due_at=None, updated_at=utcnow())
        .returning(Delivery.id)
        .execution_options(synchronize_session=False)
    )
    canceled = db.session.scalars(waiting).all()
    db.session.execute(remove(LaneEntry).where(LaneEntry.webhook_id == webhook.id))
    return len(canceled)


def wanting(workspace_id: uuid.UUID, event_type: EventType) -> list[Webhook]:
    """The webhooks that such an event goes to. None is deleted before the commit: its delivery would be stranded."""
    takers = db.session.scalars(takers_of(workspace_id).with_for_update(read=True, key_share=True))
    return [webhook for webhook in takers if event_type in webhook.event_types]


def takers_of(workspace_id: uuid.UUID) -> Any:
    """A SELECT of the webhooks that events may go to."""
    return select(Webhook).where(Webhook.workspace_id == workspace_id, Webhook.state != State.DELETED)


def ring_after_commit(subject: uuid.UUID, function: str = jobs.DRAIN) -> None:
    """Ring the bell of a webhook, or of a bulk, once this transaction is committed, and never if it is not."""
    db.session().info.setdefault(BELLS, set()).add((subject, function))


def init_app(app: Flask) -> None:
    """Ring after commits of this app's sessions."""
    if not sqlalchemy_event.contains(db.session, "after_commit", _ring):
        sqlalchemy_event.listen(db.session, "after_commit", _ring)
        sqlalchemy_event.listen(db.session, "after_rollback", _forget)


def _ring(session: Session) -> None:
    if session.in_nested_transaction() or not has_app_context():
        return
    for subject, function in session.info.pop(BELLS, ()):
        jobs.bells().ring(subject, function)


def _forget(session: Session) -> None:
    session.info.pop(BELLS, None)


def _send_to(event: Event, webhooks: Sequence[uuid.UUID], lane_of: Sequence[uuid.UUID]) -> None:
    """One pending delivery each, at the tails of these lanes."""
    fields = {"workspace_id": event.workspace_id, "event_id": event.id, "event_type": event.type}
    if webhooks:
        lanes.enter({Delivery(webhook_id=key, **fields): lane_of for key in webhooks})
    for key in webhooks:
        ring_after_commit(key)


def _record(
    workspace_id: uuid.UUID,
    event_type: EventType,
    body: bytes,
    about: Sequence[About],
    actor: str,
    is_test: bool = False,
) -> Event:
    event = Event(workspace_id=workspace_id, type=event_type, body=body, actor=actor, is_test=is_test)
    event.subjects = [
        Subject(position=i, contact_id=one.contact_id, number=one.number, label=one.label, changes=one.changes)
        for i, one in enumerate(about)
    ]
    db.session.add(event)
    db.session.flush()
    return event


def _by_hand(delivery: Delivery) -> Trigger:
    return Trigger.TEST if delivery.trigger == Trigger.TEST else Trigger.MANUAL


def _lock(delivery: Delivery) -> None:
    """Lock and re-read: a worker may be ending it in this moment."""
    db.session.refresh(delivery, with_for_update={"of": Delivery})
