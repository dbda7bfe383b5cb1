"""An error of the database tells logs and Redis what broke, and nothing of whom it was about."""

import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from portal import jobs
from portal.extensions import db, is_sqlite
from portal.importing import work
from portal.importing.models import Stage
from tests.conftest import Person
from tests.importing.conftest import Wizard, table
from tests.test_secrets import in_redis

pytestmark = pytest.mark.both

PLANTED = "Quixworthian"
FORM = {"first_name": PLANTED, "email": f"{PLANTED}@one.example", "notes": PLANTED, "owner": "",
        "lead_stage": "Contact", "priority": "Low"}  # fmt: skip


@pytest.fixture(autouse=True)
def once(app: Flask, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The database takes no notes twice."""
    caplog.set_level(logging.INFO)
    with db.engine.begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX only_once ON contact (notes)"))
    yield
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text("DROP INDEX only_once"))


def test_a_save_that_breaks_tells_the_log_its_code_and_no_word_of_what_was_saved(
    app: Flask, dana: Person, caplog: pytest.LogCaptureFixture
) -> None:
    assert dana.client.post("/contacts/new", data=FORM).status_code == 303
    other = dana.client.post("/contacts/new", data=FORM | {"notes": "", "email": f"again-{PLANTED}@one.example"})
    answer = dana.client.post(f"{other.location}/edit", data=FORM)
    assert answer.status_code == 500
    assert ("SQLITE_CONSTRAINT_UNIQUE" if is_sqlite() else "(psycopg.errors.UniqueViolation) 23505") in caplog.text
    assert "Traceback" in caplog.text
    assert PLANTED not in caplog.text


def test_a_job_that_breaks_leaves_no_word_of_it_in_redis_either(
    app: Flask, dana: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "PASSING", Exception)  # an import would go on row by row; this is about any job
    wizard = Wizard(dana)
    rows = [("Email", "Notes"), *((f"{PLANTED}{n}@one.example", PLANTED) for n in range(2))]
    made = wizard.checked(table(*rows), **{"to-1": "notes"})
    assert made.stage == Stage.CHECKED
    jobs.bells().redis.flushall()
    work.begin(made, Stage.RUNNING)
    db.session.commit()
    jobs.AppWorker(app, jobs.bells().redis).work(burst=True)
    stored = in_redis(jobs.bells().redis)
    assert jobs.bells().queue.failed_job_registry.count == 1
    assert jobs.IMPORT in stored
    assert "IntegrityError" in caplog.text
    assert PLANTED not in caplog.text
    assert PLANTED not in stored
    assert "Traceback" not in stored


def test_what_is_no_fault_of_a_row_is_told_in_full(app: Flask) -> None:
    with pytest.raises(DBAPIError) as caught:
        db.session.execute(text("SELECT :word FROM nowhere"), {"word": PLANTED})
    assert "nowhere" in str(caught.value)  # the statement stands there, without its values
    assert PLANTED not in str(caught.value)
    db.session.rollback()
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(OperationalError, match="onnection"):
        away.connect()
