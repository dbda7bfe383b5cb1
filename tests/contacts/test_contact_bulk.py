"""Edit, delete and restore many contacts: asked first, in slices that are done once, with what was skipped and why."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal import jobs, slices
from portal.accounts.models import Membership, Role, User
from portal.contacts import bulk, custom_fields, many, service, trash
from portal.contacts.field_models import FieldType
from portal.contacts.list_models import ContactBulk, TrashedContact
from portal.contacts.models import Avatar, Contact, Tag
from portal.extensions import db, utcnow
from portal.webhooks import tasks
from portal.webhooks.models import Event
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both

Events = Callable[[uuid.UUID], list[Event]]
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
LEADS = {"all": "match", "f": "lead_stage.is.Lead", "act": "edit"}


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CHUNK", 2)


@pytest.fixture
def leads(dana: Any, stranger: Any) -> list[uuid.UUID]:
    """Five leads of whom one has the tag already, a customer, and a lead of somebody else's."""
    rows = [{"first_name": f"Lead {i}", "lead_stage": "Lead", "tags": ["Old", *(["New"] if i == 2 else [])]}
            for i in range(5)]  # fmt: skip
    made = many.create_many(dana.workspace_id, [*rows, {"first_name": "C", "lead_stage": "Customer"}], "Dana")
    many.create_many(stranger.workspace_id, rows[:1], "Sam")
    make_webhook(dana.workspace_id, "https://one.example/in")
    make_webhook(dana.workspace_id, "https://many.example/in", contacts_per_request=100)
    db.session.commit()
    return sorted(one.id for one in made[:5] if one)


def begun(client: Any, **form: Any) -> uuid.UUID:
    answer = client.post("/contacts/bulk", data=form)
    assert answer.status_code == 303, answer.text
    return uuid.UUID(answer.location.rpartition("/")[2])


def finish(key: uuid.UUID) -> ContactBulk:
    while bulk.go_on(key):
        pass
    return db.session.get_one(ContactBulk, key)


def test_the_question_says_how_many_and_what_goes_where_before_anything_happens(
    dana: Any, leads: list[uuid.UUID], events: Events
) -> None:
    before = len(events(dana.workspace_id))
    page = re.sub(r"<[^>]+>|\s+", " ", dana.client.post("/contacts/bulk/ask", data=LEADS).text)
    assert "Change 5 contacts" in page
    assert re.search(r"one\.example/in +1 contact +5 ", page)
    assert re.search(r"many\.example/in +up to 100 contacts +about 1 ", page)
    one = dana.client.post("/contacts/bulk/ask", data={"id": str(leads[0]), "act": "delete"}).text
    assert "Delete 1 contact?" in one
    assert len(events(dana.workspace_id)) == before


@pytest.mark.parametrize("address", ["/contacts/bulk/ask", "/contacts/bulk"])
def test_nothing_selected_never_means_everything(
    dana: Any, stranger: Any, leads: list[uuid.UUID], address: str
) -> None:
    for form in ({}, {"id": ""}, {"id": "x"}, {"all": "yes"}, {"f": "lead_stage.is.Lead"}):
        answer = dana.client.post(address, data={"act": "delete", **form})
        assert (answer.status_code, "Nothing is selected." in answer.text) == (422, True), form
    assert db.session.query(ContactBulk).count() == 0
    key = begun(stranger.client, act="delete", id=[str(key) for key in leads])
    assert finish(key).done == 0
    assert db.session.query(Contact).count() == 7


def test_all_that_match_are_changed_and_a_kill_in_the_middle_changes_nothing_of_that(
    dana: Any, leads: list[uuid.UUID], events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is on its way those that it changed stop matching, and one is deleted."""
    key = begun(dana.client, **LEADS, lead_stage="Customer", add_tags="new, Spring", remove_tags="OLD", owner="-")
    assert bulk.go_on(key)
    with monkeypatch.context() as patch:
        patch.setattr(many, "publish_many", fail)
        with pytest.raises(ConnectionError):
            bulk.go_on(key)
    db.session.rollback()
    service.delete(dana.workspace_id, leads[4], "Jon")
    db.session.commit()
    before = len(events(dana.workspace_id))
    done = finish(key)
    assert (done.total, done.done, done.skipped) == (5, 4, {"gone": 1})
    said = "Add tags: new, Spring · Remove tags: OLD · Owner: blank · Lead stage: Customer"
    assert said in dana.client.get(f"/contacts/bulk/{key}").text
    contacts = db.session.scalars(select(Contact).where(Contact.id.in_(leads))).all()
    assert {(one.lead_stage, ",".join(tag.name for tag in one.tags)) for one in contacts} == {
        ("Customer", "New,Spring")
    }
    told = [str(one.contact_id) for event in events(dana.workspace_id)[before:] for one in event.subjects]
    assert sorted(told) == sorted(str(key) for key in leads[2:4] for _ in range(2)), "each once for each webhook"


def fail(*_: Any) -> None:
    raise ConnectionError


@pytest.mark.parametrize("of", [{"f": "tags.is.{old}"}, {"f": "tags.not.{old}"}])
def test_all_that_match_never_become_everybody_when_what_they_are_asked_by_is_deleted(
    dana: Any, leads: list[uuid.UUID], of: dict[str, str]
) -> None:
    """Before the question, before the button, and in the middle of the work, which ends at once and says why."""
    mine = select(Tag).where(Tag.workspace_id == dana.workspace_id, Tag.name == "Old")
    tag = db.session.scalars(mine).one()
    form = {"all": "match", "act": "delete", "f": of["f"].format(old=tag.id)}
    key = begun(dana.client, **form)
    bulk.go_on(key)
    done = db.session.get_one(ContactBulk, key).done
    dana.client.post(f"/settings/tags/{tag.id}/delete")
    assert not bulk.go_on(key)
    ended = db.session.get_one(ContactBulk, key)
    assert (ended.done, ended.skipped) == (done, {"lost": ended.total - done} if ended.total > done else {})
    if ended.skipped:
        assert "A filter asks for what no longer exists" in dana.client.get(f"/contacts/bulk/{key}").text
    assert "Nobody to delete" in dana.client.post("/contacts/bulk/ask", data=form).text
    assert finish(begun(dana.client, **form)).done == 0
    assert db.session.query(Contact).count() == 7 - done


def test_who_was_told_of_another_number_is_asked_again_and_nothing_that_was_typed_is_lost(
    dana: Any, leads: list[uuid.UUID]
) -> None:
    page = dana.client.post("/contacts/bulk/ask", data=LEADS).text
    form = {**LEADS, "total": re.findall(r'name="total" value="(\d+)"', page)[0], "add_tags": "Spring"}
    service.create(dana.workspace_id, {"first_name": "Late", "lead_stage": "Lead"}, "Jon")
    db.session.commit()
    again = dana.client.post("/contacts/bulk", data=form)
    assert (again.status_code, "Meanwhile they became 6 contacts" in again.text) == (422, True)
    assert 'value="Spring"' in again.text
    assert db.session.query(ContactBulk).count() == 0
    assert finish(begun(dana.client, **form | {"total": "6"})).done == 6


def test_what_says_it_already_is_skipped_and_nothing_is_sent_about_it(
    dana: Any, leads: list[uuid.UUID], events: Events
) -> None:
    before = len(events(dana.workspace_id))
    done = finish(begun(dana.client, **LEADS, add_tags="NEW"))
    assert (done.done, done.skipped) == (4, {"same": 1})
    assert sum(event.takes_from == 1 for event in events(dana.workspace_id)[before:]) == 4
    page = dana.client.get(f"/contacts/bulk/{done.id}").text
    assert "They said all of this already" in page
    assert set(db.session.scalars(select(Tag.name).where(Tag.workspace_id == dana.workspace_id))) == {"Old", "New"}


def test_who_would_carry_too_many_tags_is_skipped_and_who_does_may_lose_some(dana: Any, leads: list[uuid.UUID]) -> None:
    def worn(key: uuid.UUID) -> int:
        db.session.rollback()
        return len(db.session.get_one(Contact, key).tags)

    full, over = leads[0], leads[1]
    for key, count in ((full, 50), (over, 53)):
        many.update_many(dana.workspace_id, [key], lambda _, n=count: {"tags": [f"T{i}" for i in range(n)]}, "Dana")
    db.session.commit()
    done = finish(begun(dana.client, **LEADS, add_tags="More", lead_stage="Customer"))
    assert (done.done, done.skipped) == (3, {"tags": 2})
    assert "They would carry more than 50 tags." in dana.client.get(f"/contacts/bulk/{done.id}").text
    form = {"act": "edit", "id": [str(full), str(over)], "remove_tags": "t0, T1", "add_tags": "More, T2"}
    assert finish(begun(dana.client, **form)).done == 2
    assert (worn(full), worn(over)) == (49, 52)
    tag = db.session.scalars(select(Tag.id).where(Tag.name == "T3")).one()
    assert dana.client.post(f"/contacts/{over}/tags", data={"remove": str(tag)}).status_code == 303
    refused = dana.client.post(f"/contacts/{over}/tags", data={"add": "Even more"})
    assert (refused.status_code, worn(over)) == (422, 51)


def test_who_was_deactivated_gets_no_contacts(dana: Any, leads: list[uuid.UUID]) -> None:
    jon = User(name="Jon Former", email="jon@example.com", password_hash="-")
    db.session.add(jon)
    db.session.flush()
    db.session.add(Membership(workspace_id=dana.workspace_id, user_id=jon.id, role=Role.AGENT, deactivated_at=utcnow()))
    db.session.commit()
    assert "Jon Former" not in dana.client.post("/contacts/bulk/ask", data=LEADS).text
    assert dana.client.post("/contacts/bulk", data={**LEADS, "owner": str(jon.id)}).status_code == 422
    assert f'value="{dana.user_id}"' in dana.client.post("/contacts/bulk/ask", data=LEADS).text


TYPED = {
    FieldType.TEXT: ("Gold", "Gold"), FieldType.LONG_TEXT: ("Gold\r\nplus", "Gold\nplus"),
    FieldType.NUMBER: ("1.50", 1.5), FieldType.DATE: ("2026-11-25", "2026-11-25"),
    FieldType.DATE_TIME: ("2026-11-25T14:30", "2026-11-25T14:30:00Z"), FieldType.CHOICE: ("Red", "Red"),
    FieldType.CHOICES: (["Blue", "Red"], ["Red", "Blue"]), FieldType.CHECKBOX: ("", True),
    FieldType.URL: ("https://a.example", "https://a.example"), FieldType.EMAIL: ("a@b.example", "a@b.example"),
    FieldType.PHONE: ("+34 600", "+34 600"),
}  # fmt: skip
"""Of each type what is typed for many, and what each contact says then."""


def test_a_custom_field_of_any_type_is_set_for_many_and_cleared(dana: Any, leads: list[uuid.UUID]) -> None:
    """In the form that the choice of the field opens; who says it already is skipped, and the timeline has both."""
    facts = ({"name": f"The {kind}", "type": kind, "options": ["Red", "Blue"]} for kind in TYPED)
    keys = {one["type"]: str(custom_fields.add(dana.workspace_id, one).id) for one in facts}
    db.session.commit()
    two = {"act": "edit", "id": [str(key) for key in leads[:2]]}
    for kind, (typed, stored) in TYPED.items():
        form, name = {**two, "custom": f"set-{keys[kind]}"}, f"field_{uuid.UUID(keys[kind]).hex}"
        opened = dana.client.post("/contacts/bulk/ask", data=form, headers=PARTIAL).text
        assert (f'name="{name}"' in opened) is (kind != FieldType.CHECKBOX), kind
        service.update(dana.workspace_id, leads[0], {"custom_fields": {keys[kind]: stored}}, "Jon")
        db.session.commit()
        done = finish(begun(dana.client, **two, custom=f"set-{keys[kind]}", **{name: typed}))
        assert (done.done, done.skipped, values(leads[1])[keys[kind]]) == (1, {"same": 1}, stored), kind
        assert f"The {kind}: " in dana.client.get(f"/contacts/bulk/{done.id}").text
        assert finish(begun(dana.client, **two, custom=f"clear-{keys[kind]}")).done == 2
        assert keys[kind] not in values(leads[0]) | values(leads[1]), kind
    timeline = re.sub(r"(<[^>]+>|\s)+", " ", dana.client.get(f"/contacts/{leads[1]}").text)
    assert "Dana Whitfield changed The phone from +34 600 → to blank" in timeline
    assert "Dana Whitfield changed The phone blank → to +34 600" in timeline


def values(key: uuid.UUID) -> dict[str, Any]:
    db.session.rollback()
    return db.session.get_one(Contact, key, populate_existing=True).custom_fields


def test_a_custom_field_of_many_is_judged_as_that_of_one(dana: Any, leads: list[uuid.UUID]) -> None:
    """What is typed wrong, nothing typed, and what is required but cleared; nothing is lost and nothing begins."""
    size, due = (custom_fields.add(dana.workspace_id, {"name": name, "type": kind, "is_required": name == "Due"})
                 for name, kind in (("Size", FieldType.NUMBER), ("Due", FieldType.DATE)))  # fmt: skip
    hidden = custom_fields.add(dana.workspace_id, {"name": "Hidden", "type": FieldType.TEXT, "is_visible": False})
    keys = [str(one.id) for one in (size, due, hidden)]
    inputs = [f"field_{uuid.UUID(key).hex}" for key in keys]
    db.session.commit()
    for act, typed, said in (
        (f"set-{keys[0]}", "many", "Size is a number, such as 12 or 3.5."),
        (f"set-{keys[0]}", "", "Give Size a value, or choose to clear it."),
        (f"set-{keys[1]}", "", "Due is required."),
        (f"clear-{keys[1]}", "", "Due is required, so it can’t be cleared."),
        (f"set-{keys[2]}", "x", "Custom field is one of the list. Choose again."),
    ):
        form = {**LEADS, "custom": act, "add_tags": "Spring", inputs[keys.index(act.partition("-")[2])]: typed}
        refused = dana.client.post("/contacts/bulk", data=form)
        assert (refused.status_code, said in refused.text, 'value="Spring"' in refused.text) == (422, True, True), act
    assert f'value="set-{keys[2]}"' not in dana.client.post("/contacts/bulk/ask", data=LEADS).text
    assert db.session.query(ContactBulk).count() == 0


def test_an_edit_that_changes_nothing_or_the_impossible_is_told_at_its_field(dana: Any, leads: list[uuid.UUID]) -> None:
    cases = {"lead_stage": "Emperor", "owner": str(uuid.uuid4()), "add_tags": "x" * 51, "subscribe_sms": "maybe"}
    for name, value in cases.items():
        refused = dana.client.post("/contacts/bulk", data={**LEADS, name: value})
        assert (refused.status_code, 'aria-invalid="true"' in refused.text) == (422, True), name
        assert "lead_stage.is.Lead" in refused.text, "the selection is not lost"
    assert "Choose at least one thing to change." in dana.client.post("/contacts/bulk", data=LEADS).text
    assert db.session.query(ContactBulk).count() == 0


def test_what_is_deleted_can_be_restored_at_once_with_its_ids_and_exactly_as_it_was(
    dana: Any, leads: list[uuid.UUID], events: Events
) -> None:
    service.update(dana.workspace_id, leads[0], {"city": "Rome", "notes": "x"}, "Dana")
    service.update(dana.workspace_id, leads[0], {"city": "", "company_name": None}, "Dana")
    db.session.commit()
    before = facts(leads)
    done = finish(begun(dana.client, **{**LEADS, "act": "delete"}))
    assert (done.done, db.session.query(Contact).count()) == (5, 2)
    assert "Restore 5" in dana.client.get(f"/contacts/bulk/{done.id}").text
    dana.client.post(f"/settings/tags/{db.session.scalars(select(Tag.id).where(Tag.name == 'Old')).first()}/delete")
    many.create_many(dana.workspace_id, [{"contact_id": before[leads[1]]["contact_id"]}], "Jon")
    db.session.commit()
    address = dana.client.post(f"/contacts/bulk/{done.id}/undo").location
    back = finish(uuid.UUID(address.rpartition("/")[2]))
    assert (back.done, back.skipped) == (4, {"taken": 1})
    assert facts(leads) == {key: said for key, said in before.items() if key != leads[1]}
    assert {event.type for event in events(dana.workspace_id)[-4:]} == {"ContactCreated"}
    assert db.session.scalars(select(TrashedContact.id)).all() == [leads[1]]


def facts(ids: list[uuid.UUID]) -> dict[uuid.UUID, dict[str, Any]]:
    """Every column of these contacts, and the names of their tags."""
    db.session.rollback()
    contacts = db.session.scalars(select(Contact).where(Contact.id.in_(ids)).execution_options(populate_existing=True))
    columns = [column.name for column in Contact.__table__.columns]
    return {one.id: {**{name: getattr(one, name) for name in columns}, "tags": [tag.name for tag in one.tags]}
            for one in contacts}  # fmt: skip


def test_the_trash_gives_back_what_is_ticked_and_is_emptied_after_30_days(
    dana: Any, stranger: Any, leads: list[uuid.UUID]
) -> None:
    dana.client.post(f"/contacts/{leads[0]}/delete")
    dana.client.post(f"/contacts/{leads[1]}/delete")
    assert dana.client.get(f"/contacts/{leads[0]}").status_code == 404
    page = dana.client.get("/contacts/trash").text
    for time in ("", "x", "2026-01-01T00:00:00", "9999-12-31T23:59:59-23:00"):
        assert dana.client.get(f"/contacts/trash?before={time}_{uuid.uuid4()}").text.count("<li") == page.count(
            "<li"
        ), time
    assert page.count('name="id"') == 2
    assert dana.client.post("/contacts/trash").status_code == 422
    stranger.client.post("/contacts/trash", data={"id": str(leads[0])})
    assert db.session.get(Contact, leads[0]) is None
    db.session.rollback()
    assert dana.client.post("/contacts/trash", data={"id": str(leads[0])}).status_code == 303
    assert dana.client.get(f"/contacts/{leads[0]}").status_code == 200
    old = update(TrashedContact).values(deleted_at=utcnow() - trash.KEPT - timedelta(minutes=1))
    db.session.execute(old)
    db.session.commit()
    assert "The trash is empty" in dana.client.get("/contacts/trash").text, "whether or not it was emptied already"
    dana.client.post("/contacts/trash", data={"id": str(leads[1])})
    assert db.session.get(Contact, leads[1]) is None
    tasks.sweep("tests")
    assert jobs.TRASH in {job.func_name for job in jobs.bells().queue.jobs}
    trash.empty()
    assert db.session.query(TrashedContact).count() == 0


def test_the_trash_is_emptied_for_good_before_its_time_and_nothing_is_sent(
    dana: Any, stranger: Any, leads: list[uuid.UUID], events: Events
) -> None:
    """What comes into it meanwhile stays, and so does the history in the log."""
    facts = {"token": "t" * 43, "kind": "image/png", "data": b"x"}
    db.session.add(Avatar(workspace_id=dana.workspace_id, contact_id=leads[0], **facts))
    db.session.commit()
    finish(begun(dana.client, **{**LEADS, "act": "delete"}))
    theirs = db.session.scalar(select(Contact.id).where(Contact.workspace_id == stranger.workspace_id))
    stranger.client.post(f"/contacts/{theirs}/delete")
    page = dana.client.get("/contacts/trash").text
    assert ("5 contacts are gone for good" in page, page.count("Delete for good<span")) == (True, 5)
    before = len(events(dana.workspace_id))
    key = uuid.UUID(dana.client.post("/contacts/trash/empty").location.rpartition("/")[2])
    late = service.create(dana.workspace_id, {"first_name": "Late"}, "Dana").id
    service.delete(dana.workspace_id, late, "Dana")
    db.session.commit()
    done = finish(key)
    assert (done.done, done.skipped, len(events(dana.workspace_id)) - before) == (5, {}, 2)
    assert set(db.session.scalars(select(TrashedContact.id))) == {theirs, late}
    assert db.session.query(Avatar).count() == 0
    shown = dana.client.get(f"/contacts/bulk/{key}").text
    assert ("Empty the trash of 5 contacts" in shown, "Open the log" in shown) == (True, False)
    finish(uuid.UUID(dana.client.post("/contacts/trash/empty").location.rpartition("/")[2]))
    assert dana.client.post("/contacts/trash/empty").location == "/contacts/trash"


def test_the_sweeper_rings_for_work_that_was_left_and_stop_leaves_the_rest(dana: Any, leads: list[uuid.UUID]) -> None:
    key = begun(dana.client, **LEADS, priority="High")
    jobs.bells().redis.flushall()
    tasks.sweep("tests")
    assert (jobs.CONTACTS, str(key)) in [(job.func_name, job.args[0]) for job in jobs.bells().queue.jobs]
    assert bulk.go_on(key)
    assert dana.client.post(f"/contacts/bulk/{key}/stop").status_code == 303
    assert not bulk.go_on(key)
    db.session.rollback()
    stopped = db.session.get_one(ContactBulk, key)
    assert (stopped.is_stopped, stopped.done, stopped.left) == (True, 2, 3)
    assert "3</b> left" not in dana.client.get(f"/contacts/bulk/{key}").text
    assert "3 left as they were" in dana.client.get(f"/contacts/bulk/{key}").text
