"""Every column of the log is a filter, all of them go together, and a search knows contacts by what they were."""

import uuid
from datetime import timedelta

import pytest

from portal.contacts import service as contacts
from portal.extensions import db, utcnow
from portal.webhooks import filters, publisher, words
from portal.webhooks.filters import NAMES
from portal.webhooks.models import Delivery, EventType, PauseReason, Status, Trigger, Webhook
from portal.webhooks.publisher import About
from tests.conftest import Person
from tests.webhooks.conftest import BODY, Deliver
from tests.webhooks.making import delivery_of, make_webhook
from tests.webhooks.test_log import ids, look, rows


@pytest.fixture
def world(dana: Person, webhook: Webhook, deliver: Deliver) -> dict[str, Delivery]:
    """A delivery of each kind, by its name; all of them belong to contacts of their own."""
    slow = deliver(status=Status.SUCCEEDED, answer=202)
    slow.last_duration_ms, slow.attempts = 6_000, 3
    contact = uuid.uuid4()
    made = {
        "ok": deliver(status=Status.SUCCEEDED, answer=200, kind=EventType.CREATED),
        "slow": slow,
        "old": deliver(status=Status.SUCCEEDED, answer=200, age=timedelta(days=3)),
        "missing": deliver(status=Status.FAILED, answer=404, failure="http_error"),
        "broken": deliver(answer=503, failure="http_error", contact_id=contact),
        "behind": deliver(contact_id=contact),
        "refused": deliver(status=Status.FAILED, failure="refused"),
    }
    held = make_webhook(dana.workspace_id, "https://held.example/")
    made["held"] = deliver(to=held)
    held.pause(PauseReason.PERSON)
    made["test"] = publisher.send_test(webhook, EventType.CREATED, "Dana")
    made["missing"].last_trigger = Trigger.MANUAL
    db.session.commit()
    return made


EXPECTED = {
    "status=failed": "missing refused",
    "status=succeeded": "ok slow old",
    "event=ContactCreated": "ok test",
    "webhook={held}": "held",
    "contact={broken}": "broken behind",
    "result=200": "ok old",
    "result=404": "missing",
    "result=2xx": "ok slow old",
    "result=4xx": "missing",
    "result=5xx": "broken",
    "result=refused": "refused",
    "trigger=manual": "missing",
    "trigger=test": "test",
    "attempt=first": "ok old missing broken refused",
    "attempt=retried": "slow",
    "attempt=3": "slow",
    "attempt=4": "",
    "slower=5": "slow",
    "slower=0.05": "ok slow old missing broken refused",
    "next=retry": "broken",
    "next=behind": "behind",
    "next=held": "held",
    "since=24h&status=succeeded": "ok slow",
    "since=7d&status=succeeded": "ok slow old",
    "to={yesterday}": "old",
    "from={yesterday}&result=2xx": "ok slow",
    "from={yesterday}&to={yesterday}": "",
    "status=failed&result=404&trigger=manual&attempt=first&webhook={webhook}": "missing",
    "status=failed&result=404&trigger=test": "",
    "contact={broken}&status=pending&next=behind": "behind",
}


def test_each_filter_finds_its_own_alone_and_with_others(dana: Person, world: dict[str, Delivery]) -> None:
    webhooks = {"held": world["held"].webhook_id, "webhook": world["ok"].webhook_id}
    contact = {"broken": world["broken"].event.subjects[0].contact_id}
    yesterday = f"{utcnow() - timedelta(days=1):%Y-%m-%dT%H:%M}"
    found, expected = {}, {}
    for query, names in EXPECTED.items():
        address = query.format(**webhooks, **contact, yesterday=yesterday)
        found[query] = set(rows(dana.client.get(f"/deliveries?{address}").text))
        expected[query] = {str(world[name].id) for name in names.split()}
    assert found == expected


def test_what_says_nothing_known_finds_nothing_and_can_be_taken_off(dana: Person, deliver: Deliver) -> None:
    deliver(status=Status.SUCCEEDED, answer=200)
    for value in ("nonsense", "٤٠٤", "-7", "9" * 30, "2026-13-45", "0001-01-01T00:00+23:59"):
        for name in NAMES:
            page = dana.client.get("/deliveries", query_string={name: value})
            assert (page.status_code, rows(page.text)) == (200, []), (name, value)
            assert name == "q" or 'class="chip on" href="/deliveries"' in page.text, (name, value)


def test_a_page_looks_at_so_many_rows_then_says_how_far_it_came_and_leads_on(
    dana: Person, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "WINDOW", 3)
    old = deliver(status=Status.SUCCEEDED, answer=202, age=timedelta(hours=1))
    for minutes in range(5):
        deliver(status=Status.SUCCEEDED, answer=200, age=timedelta(minutes=minutes))
    page = dana.client.get("/deliveries?result=202").text
    assert "Nothing found so far" in page
    assert "Looked back to" in page
    older = page.split(">Look further back<")[0].rpartition('href="')[2].split('"')[0].replace("&amp;", "&")
    assert "result=202" in older
    page = dana.client.get(older).text
    assert rows(page) == ids(old)
    assert "Looked back to" not in page
    assert look(dana, result="202", since="7d", attempt="first") == []  # and so with others


def test_the_rarest_filter_leads(dana: Person, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "WINDOW", 3)
    one = deliver(status=Status.FAILED, failure="refused", kind=EventType.DELETED, age=timedelta(hours=1))
    for minutes in range(5):
        deliver(status=Status.FAILED, failure="refused", age=timedelta(minutes=minutes))
        deliver(status=Status.SUCCEEDED, answer=200, kind=EventType.DELETED, age=timedelta(minutes=minutes))
    contact = one.event.subjects[0].contact_id
    assert look(dana, status="failed", event="ContactDeleted", contact=contact) == ids(one)


class TestSearch:
    def test_a_contact_is_found_by_what_it_was_is_and_had_been_when_it_was_deleted(
        self, dana: Person, webhook: Webhook
    ) -> None:
        values = {"first_name": "Tomás", "last_name": "Herrera-Ruiz", "email": "T.Herrera@north.example"}
        contact = contacts.create(dana.workspace_id, {**values, "phone_number": "+34 91 555 0117"}, "Dana")
        key, number = contact.id, contact.contact_id
        contacts.update(dana.workspace_id, key, {"last_name": "Blanco", "email": "tb@south.example"}, "Dana")
        contacts.delete(dana.workspace_id, key, "Dana")
        other = contacts.create(dana.workspace_id, {"first_name": "Thomas", "last_name": "Herr"}, "Dana")
        db.session.commit()
        theirs = look(dana, contact=key)
        assert len(theirs) == 3
        for q in ("tomas", "TOMÁS blanco", "herrera-ruiz", "ruiz", "t.herrera@north", "north.example", "tb@south",
                  "+34 91 555 0117", "0034915550117", "91 555 0117", "0117", number, number[:6], str(key)):  # fmt: skip
            assert look(dana, q=q) == theirs, q
        for q in ("tomas herr thomas", "errera", "117 5", "blanco@"):
            assert look(dana, q=q) == [], q
        assert set(look(dana, q="herr")) == {*theirs, *look(dana, contact=other.id)}

    def test_a_word_with_which_another_begins_is_not_kept(self) -> None:
        assert words.folded(["Tom", "Tom Tomlin", "tom@x.example"]) == [
            b"example",
            b"tom@x.example",
            b"tomlin",
            b"x.example",
        ]

    def test_several_contacts_are_found_together_and_many_by_going_through_the_log(
        self, dana: Person, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        people = [deliver(f"Ann {n}", f"Ann {n}b", age=timedelta(minutes=n)) for n in range(5)]
        deliver("Bob", age=timedelta())
        assert look(dana, q="ann") == ids(*people)
        monkeypatch.setattr(filters, "MANY", 2)
        assert look(dana, q="ann") == ids(*people)
        assert look(dana, q="ann bob") == []
        monkeypatch.setattr(filters, "WINDOW", 3)
        assert look(dana, q="ann") == ids(*people[:2])  # of the three newest rows

    def test_a_search_sees_its_own_workspace_only(
        self, dana: Person, stranger: Person, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = deliver("Allen Ji")
        contact = one.event.subjects[0].contact_id
        make_webhook(stranger.workspace_id)
        for q in ("allen", "a", "1001", str(contact), str(one.id), one.event_id):
            assert look(stranger, q=q) == [], q
        deliver("Allen Ji", contact_id=contact)
        monkeypatch.setattr(filters, "WINDOW", 1)  # how far it came would tell of rows, too
        for query in (f"contact={contact}&result=200", f"webhook={one.webhook_id}&result=200"):
            assert "Nothing found so far" in dana.client.get(f"/deliveries?{query}").text
            assert "No delivery matches" in stranger.client.get(f"/deliveries?{query}").text


def test_every_delivery_is_on_the_page_of_each_of_its_contacts(dana: Person, webhook: Webhook) -> None:
    ann, ben = uuid.uuid4(), uuid.uuid4()
    about = [About(ann, "1", "Ann"), About(ben, "2", "Ben"), About(ann, "1", "Ann")]
    event = publisher.publish(dana.workspace_id, EventType.UPDATED, BODY, about, "Dana")
    replayed = Delivery(
        workspace_id=dana.workspace_id, event_id=event.id, webhook=make_webhook(dana.workspace_id), seq=99
    )
    db.session.add(replayed)  # whoever makes it, without saying what its event is
    db.session.commit()
    both = set(ids(delivery_of(event, webhook), replayed))
    assert replayed.event_type == EventType.UPDATED
    assert set(look(dana, contact=ann)) == set(look(dana, contact=ben)) == both
