"""Work that is done, files that nobody imports and ways in that lead nowhere go in their time, in every workspace."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from portal import retention
from portal.accounts.models import Role, Session
from portal.accounts.people_models import Invitation
from portal.accounts.proof_models import ResetLink
from portal.contacts.handing_models import HandOver
from portal.contacts.list_models import ContactBulk, Kind
from portal.extensions import db, utcnow
from portal.importing.models import Import, ImportChunk, ImportRefusal
from portal.privacy.models import Erasure
from portal.webhooks.worker_models import Bulk, BulkKind
from tests.conftest import Person
from tests.importing.conftest import Wizard, table
from tests.test_retention import prune

pytestmark = pytest.mark.both


def test_finished_work_goes_with_the_facts_and_what_goes_on_stays(dana: Person) -> None:
    """Deletions are kept as long as they can be undone, however short the facts are."""
    for model, more in {
        ContactBulk: {"kind": Kind.DELETE}, HandOver: {"giver_id": dana.user_id}, Erasure: {"contact_id": uuid.uuid4()},
        Bulk: {"kind": BulkKind.CANCEL, "webhooks": []},
    }.items():  # fmt: skip
        for days, ends in ((89, True), (91, True), (400, False)):
            at = utcnow() - timedelta(days=days)
            work: dict[str, object] = {"workspace_id": dana.workspace_id, "created_at": at, "total": 1, "actor": "Dana"}
            db.session.add(model(**work, **more, finished_at=at if ends else None))
    db.session.commit()
    prune()
    for model in (ContactBulk, HandOver, Erasure, Bulk):
        kept = db.session.scalars(db.select(model).order_by(model.created_at)).all()
        assert [(one.finished_at is None, (utcnow() - one.created_at).days) for one in kept] == [
            (True, 400), (False, 89)], model  # fmt: skip


def test_a_deletion_is_known_while_it_can_be_undone(dana: Person, app: Flask) -> None:
    app.config["PACE"] = replace(app.config["PACE"], keep_bodies_days=7, keep_facts_days=7)
    for days in (29, 31):
        at = utcnow() - timedelta(days=days)
        made = ContactBulk(workspace_id=dana.workspace_id, kind=Kind.DELETE, total=1, actor="Dana", finished_at=at)
        made.created_at = at
        db.session.add(made)
    db.session.commit()
    prune()
    assert [(utcnow() - one.created_at).days for one in db.session.scalars(db.select(ContactBulk))] == [29]


def test_ways_in_that_lead_nowhere_go(dana: Person) -> None:
    now, space = utcnow(), dana.workspace_id
    for number, days in enumerate((1, -6, -8)):
        made = Invitation(workspace_id=space, token_hash=str(number), role=Role.AGENT, email="", created_by="Dana")
        made.expires_at = now + timedelta(days=days)
        db.session.add(made)
    for number, (hours, used_at) in enumerate(((1, None), (1, now), (-1, None))):
        link = ResetLink(token_hash=str(number), user_id=dana.user_id, used_at=used_at)
        link.expires_at = now + timedelta(hours=hours)
        db.session.add(link)
    for days in (6, 8):
        left = Session(token_hash=str(days), user_id=dana.user_id, workspace_id=space, browser="", network="")
        left.created_at = now - timedelta(days=days)
        db.session.add(left)
    db.session.commit()
    prune()
    assert set(db.session.scalars(db.select(Invitation.token_hash))) == {"0", "1"}
    assert set(db.session.scalars(db.select(ResetLink.token_hash))) == {"0"}
    assert "6" in db.session.scalars(db.select(Session.token_hash)).all()
    assert "8" not in db.session.scalars(db.select(Session.token_hash)).all()


def test_files_that_nobody_imported_and_old_refusals_go_in_every_workspace(
    dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not anybody comes back to that workspace."""
    monkeypatch.setattr(retention, "FIRST", 1)
    monkeypatch.setattr(retention, "MOST", 1)
    wizard, data = Wizard(dana), table(("Email", "City"), ("", "Oslo"), ("", "Rome"), ("a@b.example", "Bonn"))
    mapped = {days: wizard.upload(data).location.split("/")[-2] for days in (6, 8, 9)}
    checked = {days: str(wizard.checked(data).id) for days in (6.5, 8.5)}
    done = {days: wizard.run(wizard.checked(data)).id for days in (29, 31)}
    for days, key in (mapped | checked).items():
        at = utcnow() - timedelta(days=days)
        db.session.execute(db.update(Import).where(Import.id == uuid.UUID(key)).values(created_at=at))
    for days, one in done.items():
        at = utcnow() - timedelta(days=days)
        db.session.execute(db.update(Import).where(Import.id == one).values(finished_at=at))
    db.session.commit()
    prune()
    left = {mapped[6], checked[6.5]}
    assert set(map(str, db.session.scalars(db.select(ImportChunk.import_id)))) == left
    over = db.session.scalars(db.select(Import).where(Import.finished_at.is_not(None))).all()
    assert (len(over), [one.samples for one in over]) == (5, [[]] * 5)
    refused = list(map(str, db.session.scalars(db.select(ImportRefusal.import_id))))
    assert sorted(refused) == sorted([str(done[29]), checked[6.5], checked[8.5]] * 2)
