"""Erasing a contact for good: at once what is small, the rest by a worker, in slices."""

import uuid

from .. import slices
from ..contacts import erasing as contacts
from ..extensions import db, utcnow
from ..importing import forgetting as importing
from ..sandbox import service as sandbox
from ..webhooks import erasing
from ..webhooks.erasing import count
from ..webhooks.publisher import ring_after_commit
from .models import Erasure


def begin(workspace_id: uuid.UUID, contact_id: uuid.UUID, actor: str) -> Erasure:
    """Delete the contact if it is still there, and forget it; ContactDeleted tells its id and nothing else."""
    total = count(workspace_id, contact_id)
    erasure = Erasure(workspace_id=workspace_id, contact_id=contact_id, actor=actor, total=total)
    erasing.forget_words(workspace_id, contact_id)
    sandbox.forget(workspace_id, contact_id)
    importing.forget(workspace_id, contacts.texts_of(workspace_id, contact_id))
    contacts.erase(workspace_id, contact_id, erasing.ERASED, actor)
    db.session.add(erasure)
    db.session.flush()
    ring_after_commit(erasure.id, Erasure.job)
    return erasure


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
