"""Many changes at once: in groups that each webhook takes, in order, and told once wherever somebody looks."""

import json
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import pytest
from flask import Flask

from portal.extensions import db, utcnow
from portal.webhooks import batches, bulk, engine, publisher
from portal.webhooks.batches import News, publish_many
from portal.webhooks.lease import Lease
from portal.webhooks.log_models import Mention, SearchWord
from portal.webhooks.models import Delivery, Event, EventType, LaneEntry, Status, Webhook
from portal.webhooks.publisher import About
from portal.webhooks.worker_models import Bulk
from tests.conftest import Person
from tests.webhooks.driving import OK, make_due, refusal
from tests.webhooks.making import delivery_of, make_webhook, make_workspace

pytestmark = pytest.mark.both

SIZES = (1, 3, 3, 100)
SEEDS = range(2)


def write(items: Sequence[bytes]) -> bytes:
    return b"[%s]" % b",".join(items)


def news_of(contacts: Sequence[uuid.UUID], number: int, padding: int = 0) -> list[News]:
    return [
        News(
            About(one, "1", "Allen Ji", {}, ["allen@example.com"]),
            json.dumps([str(one), number, "x" * padding]).encode(),
        )
        for one in contacts
    ]


def tell(workspace_id: uuid.UUID, contacts: Sequence[uuid.UUID], number: int = 0, padding: int = 0) -> None:
    publish_many(workspace_id, EventType.UPDATED, news_of(contacts, number, padding), write, "Dana")
    db.session.commit()


def events_to(webhook: Webhook) -> list[Event]:
    query = db.select(Event).join(Delivery, Delivery.event_id == Event.id).where(Delivery.webhook_id == webhook.id)
    return list(db.session.scalars(query.order_by(Delivery.seq)))


@pytest.mark.parametrize("seed", SEEDS)
def test_each_webhook_gets_every_change_of_every_contact_once_and_in_order(app: Flask, seed: int) -> None:
    """Single changes and slices of many, by chance, to webhooks of different sizes, of which some answers are bad."""
    chance, space = random.Random(seed), make_workspace()
    hooks = [make_webhook(space, contacts_per_request=size) for size in SIZES]
    people, changes = [uuid.uuid4() for _ in range(7)], defaultdict(list)
    for number in range(12):
        some = chance.sample(people, chance.choice([1, 1, 2, 5, 7]))
        for one in some:
            changes[one].append(number)
        if len(some) == 1 and chance.random() < 0.5:
            [news] = news_of(some, number)
            publisher.publish(space, EventType.UPDATED, write([news.item]), [news.about], "Dana")
        else:
            publish_many(space, EventType.UPDATED, news_of(some, number), write, "Dana")
        db.session.commit()
    for webhook, size in zip(hooks, SIZES, strict=True):
        arrived = defaultdict(list)
        for body in drained(webhook, chance):
            assert 1 <= len(body) <= size
            for contact, number, _ in body:
                arrived[uuid.UUID(contact)].append(number)
        assert arrived == changes
    assert db.session.query(LaneEntry).count() == 0


def drained(webhook: Webhook, chance: random.Random) -> list[list[list[str]]]:
    """The bodies that a webhook takes, in the order in which it takes them; a third of the tries fail."""
    lease, bodies = Lease(webhook.id), []
    assert lease.take()
    while letters := engine.claim(webhook.id, lease.token, []):
        chance.shuffle(letters)
        answers = [(letter, OK if chance.random() < 2 / 3 else refusal()) for letter in letters]
        bodies += [json.loads(letter.body) for letter, answer in answers if answer is OK]
        engine.record(lease.token, answers)
        db.session.commit()
        for letter, answer in answers:
            if answer is not OK:
                make_due(letter.delivery_id)
    lease.release()
    return bodies


def test_webhooks_of_one_size_share_their_events_and_others_have_their_own(app: Flask) -> None:
    space = make_workspace()
    one, three, also_three = (make_webhook(space, contacts_per_request=size) for size in (1, 3, 3))
    contacts = [uuid.uuid4() for _ in range(7)]
    tell(space, contacts)
    assert [len(event.subjects) for event in events_to(one)] == [1] * 7
    assert [len(event.subjects) for event in events_to(three)] == [3, 3, 1]
    assert events_to(three) == events_to(also_three)
    assert db.session.query(Event).count() == 10
    assert db.session.query(Mention).count() == 7 * 3
    assert {bytes(word) for word in db.session.scalars(db.select(SearchWord.word))} >= {b"ji", b"1"}
    [told] = publisher.history_of(space, contacts[0])
    assert len(told[0].subjects) == 1
    assert {delivery.webhook_id for delivery in told[2]} == {one.id, three.id, also_three.id}


def test_a_body_stays_under_256_kb_unless_one_contact_has_more(app: Flask) -> None:
    webhook = make_webhook(make_workspace(), contacts_per_request=100)
    tell(webhook.workspace_id, [uuid.uuid4() for _ in range(9)], padding=60_000)
    assert [len(event.subjects) for event in events_to(webhook)] == [4, 4, 1]
    assert max(len(event.body) for event in events_to(webhook)) < batches.MAX_BODY
    db.session.execute(db.delete(LaneEntry))
    tell(webhook.workspace_id, [uuid.uuid4() for _ in range(2)], padding=300_000)
    assert [len(event.subjects) for event in events_to(webhook)][3:] == [1, 1]


def test_nobody_listens_and_yet_it_is_history_and_can_be_replayed(app: Flask) -> None:
    space, contact = make_workspace(), uuid.uuid4()
    tell(space, [contact, uuid.uuid4()])
    [told] = publisher.history_of(space, contact)
    assert (len(told[0].subjects), told[2]) == (1, [])
    newcomer = make_webhook(space, contacts_per_request=50)
    assert replayed(newcomer).done == 2


def test_a_replay_sends_each_change_once_and_never_more_contacts_than_are_taken(app: Flask) -> None:
    """Whatever the webhook takes by now, it finds one telling; one that takes less than any says what was left out."""
    space = make_workspace()
    three, fifty = (make_webhook(space, contacts_per_request=size) for size in (3, 50))
    tell(space, [uuid.uuid4() for _ in range(7)])
    for webhook, wanted, skipped in ((three, 3, {}), (fifty, 1, {})):
        for event in events_to(webhook):
            engine._end(delivery_of(event, webhook), Status.FAILED)
        db.session.execute(db.delete(LaneEntry).where(LaneEntry.webhook_id == webhook.id))
        db.session.commit()
        assert (replayed(webhook).done, replayed(webhook).skipped) == (wanted, skipped | {"waiting": wanted})
    ten, one = (make_webhook(space, contacts_per_request=size) for size in (10, 1))
    assert (replayed(ten).done, replayed(one).done, replayed(one).skipped) == (3, 1, {"large": 2, "waiting": 1})


def replayed(webhook: Webhook) -> Bulk:
    made = bulk.replay(webhook, utcnow() - timedelta(hours=1), "Dana")
    key = made.id
    db.session.commit()
    while bulk.go_on(key):
        pass
    return db.session.get_one(Bulk, key)


def test_the_form_says_how_many_contacts_a_webhook_takes(dana: Person) -> None:
    form = {"ContactCreated": "y", "url": "https://hooks.acme.example/in"}
    for wrong in ("0", "101", "-1", "1.5", "many", "", "9" * 5000):
        refused = dana.client.post("/apps/webhooks/new", data=form | {"contacts_per_request": wrong})
        assert (refused.status_code, "whole number from 1 to 100" in refused.text) == (422, True), wrong
    assert dana.client.post("/apps/webhooks/new", data=form | {"contacts_per_request": " 100 "}).status_code == 201
    webhook = db.session.scalars(db.select(Webhook)).one()
    assert webhook.contacts_per_request == 100
    assert "Up to 100" in dana.client.get(f"/apps/webhooks/{webhook.id}").text
    dana.client.post(f"/apps/webhooks/{webhook.id}/edit", data=form)
    assert db.session.scalars(db.select(Webhook.contacts_per_request)).one() == 100, "no field, no change"
