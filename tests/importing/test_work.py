"""Imports in slices: how many rows, and what happens to those that fail for a reason that nobody foresaw."""

import uuid
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError

from portal.extensions import db
from portal.importing import work
from portal.importing.matching import Known
from portal.importing.models import Import, Stage
from portal.importing.planning import Plan, Planner
from portal.importing.reading import Record
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
    assert [work.whole(*one) for one in ((100, 100), (199, 100), (90, 100), (250, 1))] == [100, 100, 90, 250]


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
