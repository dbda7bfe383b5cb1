"""All that is held on one contact, as JSON, written while it is read. Of batches only what is about the contact.

What `erasing` takes away stands here, place by place: a test plants a word in each.
"""

import base64
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select

from ..audit import AuditEntry
from ..contacts import erasing as contacts
from ..contacts.models import Avatar
from ..contacts.present import payloads, trashed_payload
from ..extensions import db, utcnow
from ..importing import forgetting as importing
from ..sandbox.models import SandboxRequest
from ..webhooks import erasing
from ..webhooks.changes import said_of
from ..webhooks.log_models import Attempt
from ..webhooks.models import Delivery, Event, Subject
from ..webhooks.naming import Person
from ..webhooks.sentences import place
from .erasing import person_of

BATCH = 50
"""Events that are read at a time; between two of them nothing of the database is held."""

Facts = dict[str, Any]


def pieces(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Iterator[str]:
    """The JSON document in pieces."""
    known = payloads(workspace_id, [contact_id]).get(contact_id) or trashed_payload(workspace_id, contact_id)
    head = {"contact_id": str(contact_id), "exported_at": utcnow().isoformat(), "contact": known}
    yield json.dumps(head, indent=1, ensure_ascii=False)[:-2]
    person = person_of(workspace_id, contact_id)
    for name, rows in {
        "pictures": _pictures(workspace_id, contact_id),
        "events": _events(workspace_id, contact_id),
        "sandbox_requests": _requests(workspace_id, contact_id),
        "rows_of_imports": _rows_of_imports(workspace_id, person),
        "searches": _searches(workspace_id, person),
        "audit_entries": _entries(workspace_id, contact_id),
    }.items():
        yield f',\n "{name}": ['
        for number, row in enumerate(rows):
            yield (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False)
        yield "]"
    yield "\n}\n"


def _events(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Iterator[Facts]:
    mine = select(Event, Subject).join(Subject, Subject.event_id == Event.id)
    mine = mine.where(Event.workspace_id == workspace_id, Subject.contact_id == contact_id).order_by(Event.id)
    after = ""
    while True:
        rows = db.session.execute(mine.where(Event.id > after).limit(BATCH)).all()
        if not rows:
            return
        deliveries = _deliveries([event.id for event, _ in rows])
        found = [_event(event, subject, deliveries.get(event.id, [])) for event, subject in rows]
        after = rows[-1][0].id
        db.session.rollback()
        yield from found


def _event(event: Event, subject: Subject, deliveries: Sequence[Facts]) -> Facts:
    alone = len(event.subjects) == 1
    return {
        "id": event.id,
        "type": event.type,
        "at": event.created_at.isoformat(),
        "actor": event.actor,
        "called": subject.label,
        "number": subject.number,
        "changes": subject.changes,
        "sent": said_of(event, subject.contact_id),
        "deliveries": deliveries if alone else [_without_answers(one) for one in deliveries],
    }


def _without_answers(delivery: Facts) -> Facts:
    """What was answered to a batch may tell of the others in it."""
    kept = [{name: value for name, value in one.items() if name != "answer"} for one in delivery["attempts"]]
    return {**delivery, "attempts": kept}


def _deliveries(events: Sequence[str]) -> dict[str, list[Facts]]:
    found: dict[str, list[Facts]] = {}
    rows = db.session.scalars(select(Delivery).where(Delivery.event_id.in_(events)).order_by(Delivery.seq)).all()
    attempts: dict[uuid.UUID, list[Facts]] = {}
    mine = select(Attempt).where(Attempt.delivery_id.in_([row.id for row in rows])).order_by(Attempt.number)
    for attempt in db.session.scalars(mine):
        attempts.setdefault(attempt.delivery_id, []).append(_attempt(attempt))
    for row in rows:
        fact = {"id": str(row.id), "to": place(row.webhook.url), "status": row.status, "at": row.created_at.isoformat()}
        found.setdefault(row.event_id, []).append({**fact, "attempts": attempts.get(row.id, [])})
    return found


def _attempt(attempt: Attempt) -> Facts:
    return {
        "number": attempt.number,
        "at": attempt.started_at.isoformat(),
        "status": attempt.status,
        "failure": attempt.failure,
        "answer": attempt.response_body.decode("utf-8", "replace"),
    }


def _pictures(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Iterator[Facts]:
    mine = Avatar.workspace_id == workspace_id, Avatar.contact_id == contact_id
    for picture in db.session.scalars(select(Avatar).where(*mine)).all():
        yield {"media_type": picture.kind, "base64": base64.b64encode(picture.data).decode()}


def _rows_of_imports(workspace_id: uuid.UUID, person: Person) -> Iterator[Facts]:
    """Rows that wait to be imported and rows that were refused, as far as they are about the contact."""
    found = list(importing.find(workspace_id, person))
    db.session.rollback()  # nothing of the database is held, however slowly somebody reads
    for one in found:
        if one.cells:
            yield {"file": one.filename, "row": one.row, "cells": one.cells, "is_refused": one.is_refused}


def _searches(workspace_id: uuid.UUID, person: Person) -> Iterator[Facts]:
    """What people search for again and again, or had done to what they found."""
    for text in [*contacts.searches(workspace_id, person), *erasing.searches(workspace_id, person)]:
        yield {"searched": text}


def _requests(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Iterator[Facts]:
    """What the sandbox receiver got about the contact alone: a copy of an event."""
    for request in db.session.scalars(select(SandboxRequest).where(SandboxRequest.workspace_id == workspace_id)):
        if str(contact_id).encode() in request.body:
            yield {"at": request.received_at.isoformat(), "event_id": request.header("webhook-id")}


def _entries(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Iterator[Facts]:
    mine = AuditEntry.workspace_id == workspace_id, AuditEntry.subject_id == contact_id
    for entry in db.session.scalars(select(AuditEntry).where(*mine).order_by(AuditEntry.at)):
        yield {"at": entry.at.isoformat(), "actor": entry.actor, "action": entry.action, "facts": list(entry.changes)}
