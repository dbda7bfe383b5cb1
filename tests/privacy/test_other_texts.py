"""What people typed and uploaded about somebody who is erased: searches, views and files. None of it is widened."""

import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.contacts import bulk as contact_bulk
from portal.contacts.list_models import ContactBulk, ContactView
from portal.contacts.models import Contact
from portal.extensions import db
from portal.importing.models import Import, ImportChunk, ImportRefusal, Stage
from portal.privacy import views
from portal.webhooks import bulk
from portal.webhooks.models import Delivery, Status
from portal.webhooks.naming import Person as Named
from portal.webhooks.worker_models import Bulk
from tests.conftest import Person
from tests.importing.conftest import Wizard, table
from tests.privacy.test_erasing import erase, said
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

HEAD = ("First name", "Last name", "Email", "Phone number")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks waits for the end, however busy the machine is."""
    monkeypatch.setattr(views, "AT_ONCE_SECONDS", 600.0)


@pytest.fixture
def wizard(dana: Person) -> Wizard:
    return Wizard(dana)


def add(dana: Person, **values: str) -> uuid.UUID:
    return Wizard(dana).add(**values)


def count(model: Any, *which: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(model).where(*which)) or 0


def refused(key: uuid.UUID) -> list[int]:
    """The rows that are kept of those that an import refused."""
    query = select(ImportRefusal.row).where(ImportRefusal.import_id == key)
    return list(db.session.scalars(query.order_by(ImportRefusal.row)))


def view(dana: Person, **form: str) -> None:
    assert dana.client.post("/contacts/views", data=form).status_code == 303


def addresses() -> dict[str, list[list[str]]]:
    db.session.rollback()
    return {view.name: view.address for view in db.session.scalars(select(ContactView)) if view.name}


@pytest.mark.parametrize(("name", "stage"), [("Tom", "Customer"), ("Lea", "Lead")])
def test_a_name_inside_another_word_changes_nothing(dana: Person, name: str, stage: str) -> None:
    """ "Tom" stands in "Customer", and "Lea" in "lead_stage"."""
    key = add(dana, first_name=name, email=f"{name}@one.example")
    others = [add(dana, first_name="Ann", email=f"ann{n}@one.example", lead_stage="Contact") for n in range(3)]
    gone = add(dana, first_name="Cleo", email="cleo@one.example", lead_stage=stage)
    view(dana, name="Ours", f=f"lead_stage.is.{stage}", shared="y")
    begun = dana.client.post("/contacts/bulk", data={"all": "match", "f": f"lead_stage.is.{stage}", "act": "delete"})
    work = uuid.UUID(begun.location.rpartition("/")[2])
    assert erase(dana, key, name).status_code == 303
    assert addresses() == {"Ours": [["f", f"lead_stage.is.{stage}"]]}
    while contact_bulk.go_on(work):
        pass
    left = set(db.session.scalars(select(Contact.id).where(Contact.workspace_id == dana.workspace_id)))
    assert (left, gone in left) == (set(others), False)
    assert not db.session.get_one(ContactBulk, work).is_stopped


@pytest.mark.parametrize("asked", [{"q": "anna"}, {"f": "name.contains.anna"}, {"f": "email.is.ANNA@one.example"}])
def test_work_on_contacts_that_searches_for_the_person_is_stopped_and_never_widened(
    dana: Person, asked: dict[str, str]
) -> None:
    key = add(dana, first_name="Anna", email="anna@one.example", city="Anna Quix")
    other = add(dana, first_name="Ben", email="ben@one.example")
    begun = dana.client.post("/contacts/bulk", data={"all": "match", "act": "delete", **asked})
    work = uuid.UUID(begun.location.rpartition("/")[2])
    view(dana, name="Hers", sort="name", **asked)
    view(dana, name="Others", f="city.is.Anna")
    assert erase(dana, key, "Anna").status_code == 303
    while contact_bulk.go_on(work):
        pass
    db.session.rollback()
    assert db.session.get(Contact, other)
    assert addresses() == {"Others": [["f", "city.is.Anna"]]}
    made = db.session.get_one(ContactBulk, work)
    assert (made.is_stopped, made.done, made.matching) == (True, 0, [])
    assert "Stopped" in dana.client.get(f"/contacts/bulk/{work}").text
    assert "anna@" not in said()


def test_a_cancel_that_searches_for_the_person_is_stopped_and_never_cancels_everything(
    app: Flask, dana: Person
) -> None:
    make_webhook(dana.workspace_id, "http://127.0.0.1:9/hook")
    key = add(dana, first_name="Anna", email="anna@one.example")
    add(dana, first_name="Annabel", email="ben@one.example")
    before = count(Delivery, Delivery.status == Status.PENDING)
    for word in ("anna", "annab"):
        dana.client.post("/deliveries/bulk", data={"act": "cancel", "q": word})
    hers, others = db.session.scalars(select(Bulk).order_by(Bulk.created_at)).all()
    db.session.rollback()
    assert erase(dana, key, "Anna").status_code == 303
    while bulk.go_on(hers.id):
        pass
    db.session.expire_all()
    assert (hers.is_stopped, hers.done, hers.filters) == (True, 0, {})
    assert (others.is_stopped, others.filters) == (False, {"q": "annab"})
    # Hers went with her, and ContactDeleted came.
    assert count(Delivery, Delivery.status == Status.PENDING) == before


def test_history_forgets_what_was_searched_for(dana: Person) -> None:
    key = add(dana, first_name="Anna", email="anna@one.example")
    begun = dana.client.post("/contacts/bulk", data={"all": "match", "act": "edit", "q": "anna", "priority": "Low"})
    work = uuid.UUID(begun.location.rpartition("/")[2])
    while contact_bulk.go_on(work):
        pass
    assert erase(dana, key, "Anna").status_code == 303
    db.session.rollback()
    made = db.session.get_one(ContactBulk, work)
    assert (made.is_stopped, made.done, made.matching) == (False, 1, [])


def test_imports_whose_file_tells_of_the_person_are_stopped_and_their_files_go(dana: Person, wizard: Wizard) -> None:
    key = add(dana, first_name="Zelda", last_name="Quixworth", email="zq@one.example", phone_number="+34 600 112 233")
    hers = [("Zelda", "Quixworth", "", ""), ("", "", "ZQ@one.example", ""), ("", "", "", "0034 600-112-233")]
    others = [("Zelda", "Ott", "zq@one.example.com", "600112233"), ("Zeldas", "Quixworth", "azq@one.example", "1")]
    files = [wizard.upload(table(HEAD, one, *others)) for one in hers]
    checked = wizard.checked(table(HEAD, ("Zelda", "Quixworth", "", ""), ("", "Ott", "", ""))).id
    kept = wizard.checked(table(HEAD, *others, ("", "Ott", "", ""))).id
    assert (refused(checked), refused(kept)) == ([2, 3], [4])
    stopped = [*(uuid.UUID(one.location.split("/")[-2]) for one in files), checked]
    dana.client.get(f"/contacts/{key}/erase")
    assert erase(dana, key, "Zelda Quixworth").status_code == 303
    db.session.rollback()
    made = {one.id: one for one in db.session.scalars(select(Import))}
    assert {(made[one].stage, made[one].finished_at is not None) for one in stopped} == {(Stage.STOPPED, True)}
    assert made[kept].stage == Stage.CHECKED
    assert set(db.session.scalars(select(ImportChunk.import_id))) == {kept}
    assert (refused(checked), refused(kept)) == ([3], [4])
    assert "zq@one.example" not in said().replace("azq@one.example", "").replace("zq@one.example.com", "")


def test_refused_rows_of_the_person_go_and_those_of_others_stay(dana: Person, wizard: Wizard) -> None:
    key = add(dana, first_name="Lea", last_name="Tom", contact_id="KX-77")
    rows = [("Lea", "Tom", ""), ("Lead", "Customer", ""), ("Lea", "Ott", ""), ("kx-77 ", "", ""), ("see kx-77", "", "")]
    done = wizard.run(wizard.planned(table(("First name", "Last name", "Email"), *rows)))
    assert (done.stage, done.samples) == (Stage.DONE, [])
    done.samples, key_of_import = [["Lea"]], done.id  # as they were kept before
    db.session.commit()
    assert refused(key_of_import) == [2, 3, 4, 5, 6]
    assert erase(dana, key, "Lea Tom").status_code == 303
    assert refused(key_of_import) == [3, 4, 6]
    assert db.session.get_one(Import, key_of_import, populate_existing=True).samples == []


@pytest.mark.parametrize(
    ("text", "is_sought", "is_told"),
    [
        ("zelda", True, False), ("ZÉLDA!", True, False), ("zeldas", False, False), ("Quix, Zelda", True, True),
        ("zelda@other.example", False, False), ("<zq@one.example>", True, True), ("+34 (600) 112-233", True, True),
        ("34600112233", True, True), ("346001122334", False, False), ("1234", False, False), ("", False, False),
    ],
)  # fmt: skip
def test_whole_words_name_somebody(text: str, is_sought: bool, is_told: bool) -> None:
    person = Named.of(["Zelda", "Quix", None], ["zq@one.example", None], ["0034600112233"], "1234")
    assert (person.is_sought(text), person.is_told_by([text])) == (is_sought, is_told)
