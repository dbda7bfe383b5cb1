"""Imports in slices: how many rows, and what happens to those that fail for a reason that nobody foresaw."""

import json
import uuid
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from portal.contacts import custom_fields, drafting, tagging
from portal.contacts.field_models import CustomField, FieldType
from portal.extensions import db
from portal.importing import work
from portal.importing.matching import Known
from portal.importing.models import Import, Stage
from portal.importing.planning import Plan, Planner
from portal.importing.reading import Record
from tests.contacts.conftest import Fields
from tests.importing.conftest import Wizard, table, words
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both


def begun(made: Import, stage: Stage) -> uuid.UUID:
    """It is for a worker to do, whose session is its own."""
    key = made.id
    work.begin(made, stage)
    db.session.commit()
    return key


def test_slices_fill_the_groups_of_the_webhook_that_takes_most(wizard: Wizard, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (7, 30):
        make_webhook(wizard.person.workspace_id).contacts_per_request = size
    made = wizard.planned(table(["Email"], *([f"p{i}@x.example"] for i in range(200))))
    key = begun(made, Stage.RUNNING)
    asked, go_on = [], work.go_on
    monkeypatch.setattr(work, "go_on", lambda key, most: asked.append(most) or go_on(key, most))
    work.work(str(key))
    assert wizard.made(key).stage == Stage.DONE
    assert [most for most in asked if most > 30 and most % 30] == []
    assert asked[0] == 30
    cases = ((100, 100), (199, 100), (90, 100), (20, 100), (250, 1))
    assert [work.whole(*one) for one in cases] == [100, 100, 90, 50, 250]


@pytest.mark.parametrize("stage", [Stage.CHECKING, Stage.RUNNING])
def test_a_row_that_fails_for_an_unforeseen_reason_ends_the_import_and_is_named(
    stage: Stage, wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wizard.planned(table(["Email"], *([f"p{i}@x.example"] for i in range(60))))
    key = begun(made, stage)
    judge = Planner._decide

    def failing(self: Planner, plan: Plan, known: Known, row: Record, *more: Any) -> None:
        assert "p30@x.example" not in row.cells
        judge(self, plan, known, row, *more)

    monkeypatch.setattr(Planner, "_decide", failing)
    work.work(str(key))
    made = wizard.made(key)
    assert work.unfinished() == []
    assert str(made.problem).startswith("Row 32 can’t be worked on")
    page, checks = words(wizard.person.client.get(f"/contacts/import/{made.id}")), stage == Stage.CHECKING
    assert ("nothing is changed" in page, "What was done stays done" in page) == (checks, not checks)
    assert (made.stage, len(wizard.contacts())) == ((Stage.CHECKED, 0) if checks else (Stage.STOPPED, 30))


def test_a_database_that_is_away_ends_no_import(wizard: Wizard, monkeypatch: pytest.MonkeyPatch) -> None:
    made = wizard.planned(table(["Email"], ["a@x.example"]))
    key = begun(made, Stage.RUNNING)
    with monkeypatch.context() as away:
        away.setattr(work, "go_on", Mock(side_effect=OperationalError("", {}, Exception())))
        for _ in range(5):
            with pytest.raises(OperationalError):
                work.work(str(key))
    assert wizard.worked(key).stage == Stage.DONE


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let somebody do something once a slice is made ready, and before it locks."""
    ready = work._made_ready

    def interrupted(key: uuid.UUID, most: int) -> work.Slice | None:
        coming = ready(key, most)
        monkeypatch.setattr(work, "_made_ready", ready)
        act()
        db.session.remove()
        return coming

    monkeypatch.setattr(work, "_made_ready", interrupted)


def test_who_comes_while_a_slice_is_made_ready_is_changed_and_not_made_twice(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wizard.planned(table(["Email", "City"], ["a@x.example", "Rome"], ["b@x.example", "Bern"]))
    between(monkeypatch, lambda: wizard.add(email="A@x.example", city="Oslo"))
    done = wizard.run(made)
    assert done.counts == {"new": 1, "changed": 1}
    assert {email: one.city for email, one in wizard.contacts().items()} == {
        "A@x.example": "Rome",
        "b@x.example": "Bern",
    }


def test_what_is_said_of_a_contact_while_a_slice_is_made_ready_is_not_the_last_word(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = wizard.add(email="a@x.example", city="Rome")
    made = wizard.planned(table(["Email", "City"], ["a@x.example", "Rome"]))
    form = Fields(wizard.person.client.get(f"/contacts/{key}/edit").text).values | {"city": "Oslo"}
    between(monkeypatch, lambda: wizard.person.client.post(f"/contacts/{key}/edit", data=form))
    assert wizard.run(made).counts == {"changed": 1}
    assert wizard.contacts()["a@x.example"].city == "Rome"


def test_what_goes_while_a_slice_is_made_ready_is_neither_written_nor_told(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = custom_fields.add(wizard.person.workspace_id, {"name": "Shoe size", "type": FieldType.NUMBER})
    tag, stays = (tagging.add(wizard.person.workspace_id, name, "#3E63DD") for name in ("Fair", "Stays"))
    gone, kept = field.id, stays.id
    made = wizard.planned(table(["Email", "Shoe size", "Tags"], ["a@x.example", "44", "Fair, Stays"]))

    def go() -> None:
        custom_fields.delete(db.session.get_one(CustomField, gone))
        tagging.change(db.session.merge(tag), "Fayre", "#3E63DD")
        db.session.commit()

    between(monkeypatch, go)
    wizard.run(made)
    [contact], [event] = wizard.contacts().values(), wizard.events()
    said = json.loads(event.body)["contacts"][0]
    assert (contact.custom_fields, said["customFields"]) == ({}, [])
    assert [(one["id"], one["name"]) for one in said["tags"]] == [(str(one.id), one.name) for one in contact.tags]
    assert {one.name: one.id == kept for one in contact.tags} == {"Fair": False, "Stays": True}


def test_a_slice_is_drafted_once_and_before_it_locks(wizard: Wizard, monkeypatch: pytest.MonkeyPatch) -> None:
    made = wizard.planned(table(["Email", "Tags"], *([f"p{i}@x.example", "Fair"] for i in range(30))))
    drafted = Mock(side_effect=drafting.drafts)
    monkeypatch.setattr(drafting, "drafts", drafted)
    wizard.run(made, most=10)
    assert [len(call.args[1]) for call in drafted.call_args_list] == [9, 10, 10, 1], "the first has the head, too"
    assert len(wizard.contacts()) == 30
