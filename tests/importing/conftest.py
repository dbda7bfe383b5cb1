"""What the tests of imports share: a person who imports a file through the pages, and workers that do it here."""

import csv
import html
import io
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.extensions import db
from portal.importing import mapping, storing, work
from portal.importing.models import Import, ImportRefusal, Stage
from portal.webhooks.models import Event
from tests.conftest import Person
from tests.contacts.conftest import Fields


@dataclass
class Wizard:
    """Somebody who imports files."""

    person: Person

    def upload(self, data: bytes, name: str = "people.csv") -> TestResponse:
        answer: TestResponse = self.person.client.post("/contacts/import", data={"file": (io.BytesIO(data), name)})
        return answer

    def mapped(self, data: bytes, **changes: str) -> TestResponse:
        """Upload, and send the page of columns as it comes, but for the changes."""
        address = self.upload(data).location
        assert address, "the file was refused"
        return self.person.client.post(address, data=Fields(self.person.client.get(address).text).values | changes)

    def checked(self, data: bytes, **changes: str) -> Import:
        """After the dry run."""
        answer = self.mapped(data, **changes)
        assert answer.location, answer.text
        return self.worked(uuid.UUID(answer.location.rpartition("/")[2]))

    def planned(self, data: bytes, **changes: str) -> Import:
        """After a dry run that was begun without the pages: of many files that is faster."""
        made = storing.keep(io.BytesIO(data), "people.csv", self.person.workspace_id, self.person.name)
        mapping.read(made)
        form = {f"to-{i}": key for i, (key, _) in enumerate(made.columns)}
        form |= {f"match-{i}": kind for i, kind in enumerate(made.match)}
        choice = mapping.chosen(made, form | changes)
        assert not choice.problems, choice.problems
        mapping.save(made, choice)
        work.begin(made, Stage.CHECKING)
        db.session.commit()
        return self.worked(made.id)

    def run(self, made: Import, most: int = 1000) -> Import:
        """After the run."""
        if made.stage == Stage.CHECKED and not made.problem:
            work.begin(made, Stage.RUNNING)
        db.session.commit()
        return self.worked(made.id, most)

    def imported(self, data: bytes, **changes: str) -> Import:
        """After dry run and run, which must agree."""
        made = self.planned(data, **changes)
        assert made.problem is None
        forecast = made.forecast
        done = self.run(made)
        assert (done.stage, done.counts) == (Stage.DONE, forecast)
        return done

    def worked(self, key: uuid.UUID, most: int = 1000) -> Import:
        """After all slices."""
        while self.slice(key, most):
            pass
        return db.session.get_one(Import, key)

    def slice(self, key: uuid.UUID, most: int = 1000) -> bool:
        """One slice, as a worker does it that has nothing else in hand."""
        db.session.rollback()
        return work.go_on(key, most)

    def made(self, key: uuid.UUID) -> Import:
        """The import as it is now."""
        db.session.rollback()
        return db.session.get_one(Import, key, populate_existing=True)

    def refused(self, made: Import) -> dict[int, str]:
        """Row to reason."""
        query = select(ImportRefusal).where(ImportRefusal.import_id == made.id)
        return {one.row: one.reason for one in db.session.scalars(query)}

    def contacts(self) -> dict[str, Contact]:
        """All contacts by e-mail address, or by what they have."""
        db.session.rollback()
        query = select(Contact).where(Contact.workspace_id == self.person.workspace_id)
        return {one.email or one.phone_number or one.contact_id: one for one in db.session.scalars(query)}

    def events(self) -> list[Event]:
        db.session.rollback()
        query = select(Event).where(Event.workspace_id == self.person.workspace_id).order_by(Event.created_at)
        return list(db.session.scalars(query))

    def add(self, **values: str) -> uuid.UUID:
        """A contact that is there already."""
        answer = self.person.client.post("/contacts/new", data={"owner": "", "lead_stage": "Contact",
                                         "priority": "Medium", "subscribe_email": "y", **values})  # fmt: skip
        assert answer.location, answer.text
        return uuid.UUID(answer.location.rpartition("/")[2])


def table(*rows: Sequence[str], delimiter: str = ",") -> bytes:
    """A well-formed file."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue().encode()


def words(answer: TestResponse) -> str:
    """A page's text."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


def read(answer: TestResponse) -> list[list[str]]:
    """A downloaded file."""
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


def facts(contacts: Iterable[Contact]) -> list[dict[str, Any]]:
    """All that is known of contacts, but for when they changed."""
    columns = [c.name for c in Contact.__table__.columns]
    rows = [{**{name: getattr(one, name) for name in columns}, "tags": [t.name for t in one.tags]} for one in contacts]
    return sorted(rows, key=lambda row: str(row["id"]))


@pytest.fixture
def wizard(dana: Person) -> Wizard:
    return Wizard(dana)
