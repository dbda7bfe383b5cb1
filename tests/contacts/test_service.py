"""Changing contacts: locked, told exactly once, and never half."""

import itertools
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.contacts import service
from portal.contacts.models import Contact
from portal.extensions import db
from portal.webhooks.models import Event

pytestmark = pytest.mark.both

AT_ONCE = 4
Events = Callable[[uuid.UUID], list[Event]]


@pytest.fixture
def allen(dana: Any) -> uuid.UUID:
    contact_id = service.create(dana.workspace_id, {"first_name": "Allen", "city": "Paris"}, "Dana").id
    db.session.commit()
    return contact_id


def test_a_contact_id_is_made_up_of_nine_digits(dana: Any) -> None:
    contact = service.create(dana.workspace_id, {"email": "a@example.com", "contact_id": ""}, "Dana")
    assert contact.contact_id.isdigit()
    assert len(contact.contact_id) == 9


def test_a_made_up_contact_id_that_is_taken_is_made_up_again(dana: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rolls = iter([5, 5, 5, 6])
    monkeypatch.setattr(service.secrets, "randbelow", lambda _: next(rolls))
    made = [service.create(dana.workspace_id, {"email": "a@example.com"}, "Dana").contact_id for _ in range(2)]
    assert made == ["100000005", "100000006"]


def test_a_typed_contact_id_is_unique_in_its_workspace_only(dana: Any, stranger: Any) -> None:
    for workspace_id in (dana.workspace_id, stranger.workspace_id):
        service.create(workspace_id, {"contact_id": "007"}, "Dana")
    with pytest.raises(service.ContactIdTaken):
        service.create(dana.workspace_id, {"contact_id": "007"}, "Dana")


def test_of_several_who_take_one_contact_id_at_once_one_gets_it(app: Flask, dana: Any, events: Events) -> None:
    together = threading.Barrier(AT_ONCE)

    def take(n: int) -> bool:
        with app.app_context():
            together.wait()
            try:
                service.create(dana.workspace_id, {"contact_id": "007", "tags": ["New", f"Only {n}"]}, "Dana")
            except service.ContactIdTaken:
                return False
            db.session.commit()
            return True

    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert sorted(threads.map(take, range(AT_ONCE))) == [False] * (AT_ONCE - 1) + [True]
    assert len(events(dana.workspace_id)) == 1
    assert db.session.scalars(select(Contact.contact_id)).all() == ["007"]


def test_edits_at_once_make_one_chain_of_changes(app: Flask, dana: Any, allen: uuid.UUID, events: Events) -> None:
    """Each edit starts from what the one before it left: nothing is told twice or skipped."""
    together = threading.Barrier(AT_ONCE)

    def edit(n: int) -> None:
        together.wait()
        for i in range(5):
            with app.app_context():
                service.update(dana.workspace_id, allen, {"city": f"City {n}.{i}", "tags": [f"Tag {n}.{i}"]}, "Dana")
                db.session.commit()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(edit, range(AT_ONCE)))
    changes = [event.subjects[0].changes for event in events(dana.workspace_id)[1:]]
    assert len(changes) == AT_ONCE * 5
    for before, after in itertools.pairwise(changes):
        assert before["city"][1] == after["city"][0]
        assert before["tags"][1] == after["tags"][0]


def test_the_event_says_what_changed_and_who_did_it(dana: Any, allen: uuid.UUID, events: Events) -> None:
    values = {"first_name": "Al", "city": "", "notes": "", "job_title": "", "subscribe_sms": False}
    assert service.update(dana.workspace_id, allen, values, "Jon Park")
    db.session.commit()
    event = events(dana.workspace_id)[1]
    (subject,) = event.subjects
    assert event.actor == "Jon Park"
    assert (subject.contact_id, subject.label) == (allen, "Al")
    assert subject.changes == {"firstName": ["Allen", "Al"], "city": ["Paris", ""], "subscribeSMS": [True, False]}


def test_nothing_really_changed_touches_nothing(dana: Any, allen: uuid.UUID) -> None:
    assert not service.update(dana.workspace_id, allen, {"first_name": "Allen", "job_title": "", "notes": ""}, "Dana")
    contact = db.session.get_one(Contact, allen)
    assert (contact.job_title, contact.last_updated_time) == (None, None)


def test_the_list_sorts_by_the_last_real_change(dana: Any, allen: uuid.UUID) -> None:
    contact = db.session.get_one(Contact, allen)
    assert contact.changed_at == contact.created_time
    service.update(dana.workspace_id, allen, {"city": "Lyon"}, "Dana")
    assert contact.changed_at == contact.last_updated_time > contact.created_time


def test_what_is_rolled_back_sends_nothing(dana: Any, allen: uuid.UUID, events: Events) -> None:
    service.create(dana.workspace_id, {"email": "b@example.com"}, "Dana")
    service.update(dana.workspace_id, allen, {"city": "Lyon"}, "Dana")
    service.delete(dana.workspace_id, allen, "Dana")
    db.session.rollback()
    assert [event.type for event in events(dana.workspace_id)] == ["ContactCreated"]


def test_what_is_gone_or_anothers_is_told_apart_by_nobody(dana: Any, stranger: Any, allen: uuid.UUID) -> None:
    for workspace_id, contact_id in ((stranger.workspace_id, allen), (dana.workspace_id, uuid.uuid4())):
        with pytest.raises(service.ContactGone):
            service.update(workspace_id, contact_id, {"city": "Lyon"}, "Sam")
        with pytest.raises(service.ContactGone):
            service.delete(workspace_id, contact_id, "Sam")
