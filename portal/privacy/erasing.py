"""Erasing a contact for good: at once what is small, the rest by a worker, in slices."""

import uuid

from .. import slices
from ..contacts import erasing as contacts
from ..extensions import begin_reading, db, utcnow
from ..importing import forgetting as importing
from ..sandbox import service as sandbox
from ..webhooks import erasing
from ..webhooks.erasing import count
from ..webhooks.models import ERASED
from ..webhooks.naming import Person
from ..webhooks.publisher import ring_after_commit
from .models import Erasure


def begin(workspace_id: uuid.UUID, contact_id: uuid.UUID, actor: str) -> Erasure:
    """Delete the contact if it is still there, and forget it; ContactDeleted tells its id and nothing else.

    It ends the transaction at hand: the files of imports are read before anything is locked.
    """
    found = _rows_of_imports(workspace_id, contact_id)
    person = person_of(workspace_id, contact_id)
    total = count(workspace_id, contact_id)
    erasure = Erasure(workspace_id=workspace_id, contact_id=contact_id, actor=actor, total=total)
    erasing.forget_words(workspace_id, contact_id)
    erasing.forget_searches(workspace_id, person)
    sandbox.forget(workspace_id, contact_id)
    importing.forget(workspace_id, found)
    contacts.forget_searches(workspace_id, person)
    contacts.erase(workspace_id, contact_id, ERASED, actor)
    db.session.add(erasure)
    db.session.flush()
    ring_after_commit(erasure.id, Erasure.job)
    return erasure


def person_of(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> Person:
    """What names the contact in other people's texts: of one that was deleted long ago, what the log calls it."""
    if person := contacts.person_of(workspace_id, contact_id):
        return person
    label = erasing.last_label(workspace_id, contact_id) or ""
    return Person.of(label.split(), [label] if "@" in label else [], [label])


def _rows_of_imports(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> list[importing.Found]:
    db.session.rollback()
    begin_reading()
    found = list(importing.find(workspace_id, person_of(workspace_id, contact_id)))
    db.session.rollback()
    return found


def label_of(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> str | None:
    """What the contact is called, or was before it was deleted; None when nobody knows it."""
    return contacts.label_of(workspace_id, contact_id) or erasing.last_label(workspace_id, contact_id)


def is_trashed(workspace_id: uuid.UUID, contact_id: uuid.UUID) -> bool:
    """Whether it could still be restored."""
    return contacts.is_trashed(workspace_id, contact_id)


def work(erasure_id: str) -> None:
    """Go on with an erasure, and hand over after a while. The RQ job behind its bell."""
    slices.work(uuid.UUID(erasure_id), Erasure.job, go_on)


def go_on(key: uuid.UUID) -> bool:
    """Do one slice; whether there is more for this worker to do."""
    return slices.go_on(Erasure, key, _slice)


def _slice(erasure: Erasure) -> None:
    """First nothing more goes out, then what went out is blanked."""
    if canceled := erasing.cancel_some(erasure.workspace_id, erasure.contact_id):
        erasure.canceled += canceled
        return
    if ids := erasing.blank_some(erasure.workspace_id, erasure.contact_id, erasure.after_id):
        erasure.after_id, erasure.done = ids[-1], erasure.done + len(ids)
    else:
        erasure.finished_at = utcnow()
