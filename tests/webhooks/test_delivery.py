"""The page of a delivery beyond its request and answer: who goes first, what it was about, its signature lab."""

import hashlib
import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest

from portal.contacts import present
from portal.contacts import service as contacts
from portal.extensions import db, utcnow
from portal.webhooks import delivery as pages
from portal.webhooks import lanes, publisher, signing
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Delivery, EventType, Status, Trigger, Webhook
from portal.webhooks.publisher import About
from tests.conftest import Person
from tests.webhooks.conftest import BODY, HTMX, Deliver, add_attempt
from tests.webhooks.making import make_webhook

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def text_of(page: str) -> str:
    """What people read."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def opened(dana: Person, delivery: Delivery, more: str = "") -> str:
    answer = dana.client.get(f"/deliveries/{delivery.id}{more}")
    assert answer.status_code == 200
    return answer.text


class TestLife:
    def test_what_waits_in_line_says_behind_what(self, dana: Person, deliver: Deliver) -> None:
        contact = uuid.uuid4()
        first, second, third = (deliver(contact_id=contact) for _ in range(3))
        add_attempt(first, 503, "http_error")
        first.due_at = utcnow() + timedelta(minutes=5)
        db.session.commit()
        page = opened(dana, third)
        assert "behind 2 of the same contact" in page
        assert "2 deliveries go before it, first" in page
        assert f'href="/deliveries/{first.id}"' in page
        assert "(503 Service Unavailable)" in page
        assert "One delivery goes before it:" in opened(dana, second)
        assert "before it" not in opened(dana, first)

    def test_those_of_other_contacts_and_webhooks_are_not_in_the_way(self, dana: Person, deliver: Deliver) -> None:
        contact = uuid.uuid4()
        other = make_webhook(
            dana.workspace_id, "https://crm.example/", event_types=[EventType.CREATED, EventType.DELETED]
        )
        deliver(contact_id=uuid.uuid4(), kind=EventType.CREATED, to=other)
        in_the_way = deliver(contact_id=contact)
        assert lanes.ahead_of(deliver(contact_id=contact, kind=EventType.DELETED, to=other)) == (0, None)
        assert lanes.ahead_of(deliver(contact_id=contact)) == (2, in_the_way)


class TestAttempts:
    def resent(self, deliver: Deliver, times: int) -> Delivery:
        """A delivery with so many attempts; all fail but every tenth."""
        delivery = deliver(status=Status.SUCCEEDED, answer=200)
        for number in range(2, times + 1):
            ok = number % 10 == 0
            add_attempt(delivery, 200 if ok else 500, None if ok else "http_error", response_body=b"x" * 16_000,
                        trigger=Trigger.MANUAL, started_at=utcnow() - timedelta(minutes=times - number))  # fmt: skip
        db.session.commit()
        return delivery

    def numbers(self, page: str) -> list[int]:
        return [int(number) for number in re.findall(r"<span>(\d+) · ", page)]

    def test_however_many_there_are_the_page_stays_small(self, dana: Person, deliver: Deliver) -> None:
        delivery = self.resent(deliver, 121)
        page = opened(dana, delivery)
        assert self.numbers(page) == [*range(121, 101, -1)]
        assert "20 of 121" in page
        assert len(page) < 100_000
        seen, address = self.numbers(page), page
        while link := re.search(r'href="([^"]+)">Older</a>', address):
            address = dana.client.get(link[1].replace("&amp;", "&")).text
            seen += self.numbers(address)
        assert seen == [*range(121, 0, -1)]
        assert ">Older</a>" not in address
        assert re.search(r'href="/deliveries/[^"]+\?attempt=2">Newer</a>', address)

    @on_sqlite
    def test_an_attempt_is_found_by_its_number(self, dana: Person, deliver: Deliver) -> None:
        delivery = self.resent(deliver, 30)
        for wanted, shown in {"25": 25, "1": 1, "0": 30, "31": 30, "x": 30, "9" * 30: 30, "-1": 30}.items():
            assert f"<h2>Attempt {shown}" in opened(dana, delivery, f"?attempt={wanted}")

    @on_sqlite
    def test_what_an_older_failure_means_is_told_where_it_is_looked_at(self, dana: Person, deliver: Deliver) -> None:
        delivery = self.resent(deliver, 10)
        assert "Look in its log" in opened(dana, delivery, "?attempt=9")
        assert "Look in its log" not in opened(dana, delivery)


class TestStory:
    """What changed, and the contact then and now."""

    def made(self, dana: Person, webhook: Webhook, **values: Any) -> tuple[uuid.UUID, Delivery]:
        contact = contacts.create(dana.workspace_id, values, "Jon Park")
        db.session.commit()
        return contact.id, self.newest(webhook)

    def newest(self, webhook: Webhook) -> Delivery:
        query = db.select(Delivery).where(Delivery.webhook_id == webhook.id).order_by(Delivery.seq.desc())
        return db.session.scalars(query.limit(1)).one()

    def test_a_contact_is_told_as_it_was_beside_as_it_is(self, dana: Person, webhook: Webhook) -> None:
        owner = str(dana.user_id)
        contact, created = self.made(dana, webhook, first_name="Allen", email="a@x.example", tags=["VIP"], owner=owner)
        page = text_of(opened(dana, created))
        assert "Created with First name Allen Email a@x.example" in page
        assert "Owner Dana Whitfield" in page
        assert "added: VIP" in page
        assert "Nothing has changed since: the contact is as it was sent." in page
        contacts.update(dana.workspace_id, contact, {"first_name": "Al", "notes": "Long " * 99, "tags": []}, "Jon Park")
        db.session.commit()
        page = text_of(opened(dana, created))
        assert "Field As it was sent As it is now First name Sent Allen Now Al Tags Sent removed: VIP Now blank" in page
        changed = text_of(opened(dana, self.newest(webhook)))
        assert (
            "What changed First name from Allen → to Al Tags from removed: VIP → to blank Notes from blank" in changed
        )
        assert "495 characters" in changed
        assert present.payloads(uuid.uuid4(), [contact]) == {}  # no other workspace can ask

    def test_what_was_deleted_since_says_when_and_by_whom(self, dana: Person, webhook: Webhook) -> None:
        contact, created = self.made(dana, webhook, first_name="Allen")
        contacts.delete(dana.workspace_id, contact, "Ana Souza")
        deleted = self.newest(webhook)
        publisher.publish(dana.workspace_id, EventType.UPDATED, b"{}", [About(contact, "1", "Allen")], "Somebody Else")
        db.session.commit()
        page = opened(dana, created)
        assert re.search(r"Deleted since , [\d:]+ by Ana Souza\. All its deliveries", text_of(page))
        assert f'href="/deliveries?contact={contact}">All its deliveries' in page
        assert "As it was sent" in page
        assert "only its id was sent" in opened(dana, deleted)

    @on_sqlite
    def test_a_batch_is_folded_and_counted(self, dana: Person, deliver: Deliver) -> None:
        delivery = deliver(*(f"Person {n}" for n in range(30)), changes={"city": ["Porto", "Pune"]})
        page = opened(dana, delivery)
        assert page.count("<summary>Person ") == 40
        assert "And 10 more." in page

    @on_sqlite
    def test_a_test_is_about_nobody(self, dana: Person, webhook: Webhook) -> None:
        delivery = publisher.send_test(webhook, EventType.CREATED, "Dana")
        db.session.commit()
        page = opened(dana, delivery)
        assert "then and now" not in page
        assert "Created with" not in page

    @on_sqlite
    def test_hostile_text_stays_text(self, dana: Person, webhook: Webhook, deliver: Deliver) -> None:
        nasty = "<script>alert(1)</script>\u202e\x1b[31m"
        tag = [{"id": "1", "name": nasty}]
        delivery = deliver(changes={"notes": [nasty, nasty * 99], "tags": [None, tag]}, answer=200)
        page = opened(dana, delivery)
        assert page.count("&lt;script&gt;") >= 3
        for sign in ("<script>alert", "\u202e", "\x1b"):
            assert sign not in page


def send(delivery: Delivery, number: int = 1) -> Attempt:
    """An attempt with the headers that it would really have."""
    at = utcnow() - timedelta(minutes=number)
    headers = signing.request_headers(delivery, number, Trigger.AUTOMATIC, at)
    attempt = add_attempt(delivery, 401, "http_error", started_at=at, request_headers=[*map(list, headers.items())])
    db.session.commit()
    return attempt


@on_sqlite
class TestLab:
    @pytest.fixture
    def delivery(self, deliver: Deliver) -> Delivery:
        return deliver()

    @pytest.fixture
    def sent(self, delivery: Delivery) -> dict[str, str]:
        """The headers of its attempt."""
        return dict(send(delivery).request_headers)

    def told(self, dana: Person, delivery: Delivery, signature: str, more: str = "") -> str:
        answer = dana.client.post(f"/deliveries/{delivery.id}/lab{more}", data={"signature": signature}, headers=HTMX)
        assert "<html" not in answer.text
        return text_of(answer.text)

    def test_it_shows_every_step_and_no_secret(
        self, dana: Person, webhook: Webhook, delivery: Delivery, sent: dict[str, str]
    ) -> None:
        assert f"/deliveries/{delivery.id}/lab?attempt=1" in opened(dana, delivery)
        page = opened(dana, delivery, "/lab")
        text = re.sub(r"<[^>]+>", "", page)
        content = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + BODY
        secret = signing.unseal(webhook.secret)
        for step in (content.decode().replace('"', "&#34;"), f"{len(BODY)} bytes, ends with 0x7d, without a newline",
                     hashlib.sha256(BODY).hexdigest(), hashlib.sha256(content).hexdigest(), "a key of 32 bytes",
                     hashlib.sha256(secret.encode()).hexdigest()[:8], sent["webhook-signature"]):  # fmt: skip
            assert step in text, step
        assert secret[6:] not in page
        assert secret[6:20] not in page

    def test_a_pasted_signature_is_judged_in_place_and_on_a_page_of_its_own(
        self, dana: Person, delivery: Delivery, sent: dict[str, str]
    ) -> None:
        right = sent["webhook-signature"]
        assert "It is the right one" in self.told(dana, delivery, right)
        assert "The = at the end is missing" in self.told(dana, delivery, right.rstrip("="))
        page = dana.client.post(f"/deliveries/{delivery.id}/lab", data={"signature": right})
        assert "<html" in page.text
        assert "It is the right one" in page.text
        assert f'value="{right}"' in page.text.replace("&#43;", "+")
        wrong = self.told(dana, delivery, "0" * 64)
        assert "none of the usual mistakes" in wrong
        assert hashlib.sha256(BODY).hexdigest() in wrong

    def test_what_is_no_signature_is_refused(self, dana: Person, delivery: Delivery, sent: dict[str, str]) -> None:
        for pasted in ("", "hello", "<script>alert(1)</script>", "\0", "x" * 100_000):
            answer = dana.client.post(f"/deliveries/{delivery.id}/lab", data={"signature": pasted})
            assert (answer.status_code, "That is no signature" in answer.text) == (422, True)
            assert "<script>alert" not in answer.text
            assert len(answer.text) < 20_000

    def test_secrets_are_told_apart(self, dana: Person, webhook: Webhook, delivery: Delivery) -> None:
        other = make_webhook(dana.workspace_id, "https://crm.example/in")
        stamp = dict(send(delivery).request_headers)["webhook-timestamp"]

        def by(secret: str, stamp: str = stamp) -> str:
            return signing.sign(secret, delivery.event_id, int(stamp), BODY)

        assert "The secret of another webhook, crm.example/in" in self.told(
            dana, delivery, by(signing.unseal(other.secret))
        )
        old, new = signing.unseal(webhook.secret), publisher.rotate_secret(webhook)
        db.session.commit()
        assert "A newer secret than this attempt" in self.told(dana, delivery, by(new))
        assert "It is the right one" in self.told(dana, delivery, by(old))
        both = dict(send(delivery, 2).request_headers)
        page = text_of(opened(dana, delivery, "/lab?attempt=2"))
        assert "By the secret before it, valid until" in page
        for one in both["webhook-signature"].split():
            assert one in page
            assert "It is the right one" in self.told(dana, delivery, one, "?attempt=2")
        webhook.old_secret_until = utcnow() - timedelta(hours=1)
        db.session.commit()
        stamp = dict(send(delivery, 3).request_headers)["webhook-timestamp"]
        assert "The old secret" in self.told(dana, delivery, by(old, stamp), "?attempt=3")
        publisher.rotate_secret(webhook)
        publisher.rotate_secret(webhook)
        db.session.commit()
        assert "It was replaced since" in opened(dana, delivery, "/lab?attempt=3")
        assert "It is the right one" in self.told(dana, delivery, by(new, stamp), "?attempt=3")
        for kept in (webhook.secret, webhook.old_secret):
            assert kept
            assert "A newer secret" in self.told(dana, delivery, by(signing.unseal(kept), stamp), "?attempt=3")

    def test_secrets_of_other_workspaces_and_deleted_webhooks_are_not_tried(
        self, dana: Person, stranger: Person, delivery: Delivery, sent: dict[str, str]
    ) -> None:
        deleted = make_webhook(dana.workspace_id)
        publisher.delete(deleted)
        for one in (make_webhook(stranger.workspace_id), deleted):
            stamp = int(sent["webhook-timestamp"])
            pasted = signing.sign(signing.unseal(one.secret), delivery.event_id, stamp, BODY)
            db.session.commit()
            assert "none of the usual mistakes" in self.told(dana, delivery, pasted)

    def test_what_was_not_sent_or_not_signed_has_nothing_to_look_at(self, dana: Person, deliver: Deliver) -> None:
        delivery = deliver()
        assert "This delivery was not sent yet." in opened(dana, delivery, "/lab")
        answer = dana.client.post(f"/deliveries/{delivery.id}/lab", data={"signature": "v1,x"}, headers=HTMX)
        assert (answer.status_code, "not sent yet" in answer.text) == (200, True)
        add_attempt(delivery, 200)
        db.session.commit()
        assert "This attempt carries no signature." in opened(dana, delivery, "/lab")

    def test_it_cannot_be_asked_without_end(
        self, dana: Person, delivery: Delivery, sent: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pages, "LAB_RATE", "2/minute")
        address = f"/deliveries/{delivery.id}/lab"
        answers = [dana.client.post(address, data={"signature": "0" * 64}).status_code for _ in range(3)]
        assert answers == [200, 200, 429]

    def test_nothing_that_was_pasted_or_kept_secret_reaches_the_log(
        self, dana: Person, webhook: Webhook, delivery: Delivery, sent: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        self.told(dana, delivery, "0" * 64)
        assert signing.unseal(webhook.secret)[6:] not in caplog.text
        assert "0" * 64 not in caplog.text


@on_sqlite
def test_large_bodies_are_shown_in_part(dana: Person, deliver: Deliver) -> None:
    delivery = deliver(body=json.dumps({"contacts": ["x" * 200_000]}).encode())
    send(delivery)
    page = opened(dana, delivery)
    assert "The first 65,536 bytes. The curl command has all of them." in page
    assert 265_000 < page.count("x") < 270_000
    assert "the first 65,536 are shown" in opened(dana, delivery, "/lab")
