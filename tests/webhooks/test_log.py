"""The delivery log and the page of a delivery, as a person reads them."""

import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.extensions import db, utcnow
from portal.webhooks import live, publisher, search
from portal.webhooks.models import Delivery, EventType, PauseReason, Status, Trigger, Webhook
from tests.conftest import Person
from tests.webhooks.conftest import BODY, HTMX, Deliver, add_attempt
from tests.webhooks.making import make_webhook
from tests.webhooks.test_plans import statements
from tests.webhooks.test_views import polled


def rows(page: str) -> list[str]:
    """The ids of the deliveries on a page, in its order."""
    return re.findall(r'<tr id="d-([0-9a-f-]{36})"', page)


def ids(*deliveries: Delivery) -> list[str]:
    return [str(delivery.id) for delivery in deliveries]


def look(dana: Person, **filters: Any) -> list[str]:
    answer = dana.client.get("/deliveries", query_string=filters)
    assert answer.status_code == 200, answer.text
    return rows(answer.text)


class TestRows:
    def test_a_row_says_what_was_sent_where_and_how_it_went(self, dana: Person, deliver: Deliver) -> None:
        deliver("Tomás Herrera", failure="tls_expired")
        page = dana.client.get("/deliveries").text
        for words in ("Certificate expired", "Tomás Herrera", "ContactUpdated", "hooks.acme.example/contacts",
                      "1 of 10", "84 ms", "data-until="):  # fmt: skip
            assert words in page
        assert "key=1" not in page
        assert '<td class="muted hide-m hide-s"></td>' in page  # it went its automatic way

    def test_an_answer_is_told_with_its_words(self, dana: Person, deliver: Deliver) -> None:
        deliver(status=Status.SUCCEEDED, answer=204)
        assert "204 No Content" in dana.client.get("/deliveries").text

    def test_a_contact_is_a_link_and_several_are_a_number(self, dana: Person, deliver: Deliver) -> None:
        contact = uuid.uuid4()
        deliver("Allen Ji", contact_id=contact)
        assert f'href="/contacts/{contact}">Allen Ji' in dana.client.get("/deliveries").text
        batch = deliver("Ann", "Ben", "Cem")
        assert f'href="/deliveries/{batch.id}">3 contacts' in dana.client.get("/deliveries").text

    def test_a_deleted_contact_stays_readable_and_leads_to_its_deliveries(self, dana: Person, deliver: Deliver) -> None:
        contact = uuid.uuid4()
        deliver("Allen Ji", contact_id=contact, kind=EventType.DELETED)
        assert f'href="/deliveries?contact={contact}">Allen Ji' in dana.client.get("/deliveries").text

    def test_a_trigger_is_told_when_it_is_not_automatic(self, dana: Person, webhook: Webhook) -> None:
        publisher.send_test(webhook, EventType.CREATED, "Dana")
        db.session.commit()
        assert '<td class="muted hide-m hide-s">test</td>' in dana.client.get("/deliveries").text

    def test_what_waits_in_a_lane_or_for_a_paused_webhook_says_so(
        self, dana: Person, webhook: Webhook, deliver: Deliver
    ) -> None:
        contact = uuid.uuid4()
        deliver(contact_id=contact)
        deliver(contact_id=contact)
        assert ">in order</td>" in dana.client.get("/deliveries").text
        webhook.pause(PauseReason.PERSON)
        db.session.commit()
        assert ">paused</td>" in dana.client.get("/deliveries").text

    def test_stored_markup_is_shown_as_text(self, dana: Person, deliver: Deliver) -> None:
        deliver("<script>alert(1)</script>")
        page = dana.client.get("/deliveries").text
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page

    def test_an_empty_log_says_what_to_do_and_an_empty_search_how_to_get_out(self, dana: Person) -> None:
        assert "No deliveries yet" in dana.client.get("/deliveries").text
        assert "Clear filters" in dana.client.get("/deliveries?q=nobody").text


class TestFilters:
    def test_tabs_show_states_with_their_counts(self, dana: Person, deliver: Deliver) -> None:
        done, waiting = deliver(status=Status.SUCCEEDED, answer=200), deliver()
        failed = deliver(status=Status.FAILED, failure="refused")
        text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", dana.client.get("/deliveries").text))
        assert "All 3 Succeeded 1 Waiting 1 Failed 1" in text
        assert look(dana, status="succeeded") == ids(done)
        assert look(dana, status="pending") == ids(waiting)
        assert look(dana, status="failed") == ids(failed)

    def test_by_event_webhook_and_contact(self, dana: Person, deliver: Deliver) -> None:
        contact = uuid.uuid4()
        first = deliver(contact_id=contact, kind=EventType.CREATED)
        other = make_webhook(dana.workspace_id, "https://crm.example/", event_types=["ContactDeleted"])
        second = deliver(kind=EventType.DELETED, to=other)
        assert look(dana, event="ContactCreated") == ids(first)
        assert look(dana, webhook=other.id) == ids(second)
        assert look(dana, contact=contact) == ids(first)
        assert look(dana, contact=contact, event="ContactDeleted") == []

    def test_a_filter_that_is_set_is_a_chip_that_takes_it_off(self, dana: Person, deliver: Deliver) -> None:
        contact = uuid.uuid4()
        deliver("Allen Ji", contact_id=contact)
        page = dana.client.get(f"/deliveries?contact={contact}&event=ContactUpdated&q=allen").text
        assert (
            'href="/deliveries?event=ContactUpdated&amp;q=allen" title="Allen Ji">Contact <b dir="auto">Allen Ji</b>'
            in page
        )
        off = f'href="/deliveries?contact={contact}&amp;q=allen" title="ContactUpdated">'
        assert f'{off}Event <b dir="auto">ContactUpdated</b>' in page

    @pytest.mark.parametrize("query", ["allen", "ALLEN JI", "1001", "msg", "contact", "delivery"])
    def test_search_finds_by_name_number_and_every_id(self, dana: Person, deliver: Deliver, query: str) -> None:
        contact = uuid.uuid4()
        wanted = deliver("Allen Ji", contact_id=contact)
        deliver("Priya Raman", number="1002")
        found = {"msg": wanted.event_id, "contact": str(contact).upper(), "delivery": str(wanted.id)}
        assert look(dana, q=found.get(query, query)) == ids(wanted)

    @pytest.mark.parametrize("query", ["%", "_", "\\", "\0%", "msg_none", "x" * 5_000, "'; --"])
    def test_signs_of_a_search_mean_themselves(self, dana: Person, deliver: Deliver, query: str) -> None:
        deliver("Allen Ji")
        assert look(dana, q=query) == []

    @pytest.mark.parametrize("name", ["webhook", "contact"])
    def test_an_id_that_is_none_finds_nothing(self, dana: Person, deliver: Deliver, name: str) -> None:
        deliver()
        assert look(dana, **{name: "no-id"}) == []


class TestPages:
    @pytest.fixture(autouse=True)
    def short_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(search, "PAGE", 2)

    def walk(self, dana: Person, address: str, word: str) -> tuple[list[str], str]:
        page = dana.client.get(address, follow_redirects=True).text
        link = re.search(rf'href="([^"]+)">{word}</a>', page)
        return rows(page), link[1].replace("&amp;", "&") if link else ""

    def test_older_and_newer_lead_through_all_rows_without_gap_or_repetition(
        self, dana: Person, deliver: Deliver
    ) -> None:
        made = [deliver(age=timedelta(minutes=n)) for n in range(5)]
        same = utcnow() - timedelta(minutes=2)  # a page must not end where rows share their time
        for delivery in made[1:4]:
            delivery.created_at = same
        db.session.commit()
        in_order = [made[0], *sorted(made[1:4], key=lambda d: d.id.hex, reverse=True), made[4]]
        there, address = [], "/deliveries"
        while address:
            found, address = self.walk(dana, last := address, "Older")
            there += found
        assert there == ids(*in_order)
        back, address = self.walk(dana, last, "Newer")
        while address:
            found, address = self.walk(dana, address, "Newer")
            back = found + back
        assert back == there

    def test_pages_keep_their_filters(self, dana: Person, deliver: Deliver) -> None:
        for n in range(3):
            deliver("Allen Ji", age=timedelta(minutes=n))
            deliver("Priya Raman", age=timedelta(minutes=n))
        found, older = self.walk(dana, "/deliveries?q=allen", "Older")
        assert "q=allen" in older
        assert len(found) == 2
        assert len(self.walk(dana, older, "Older")[0]) == 1

    def test_only_the_first_page_is_live(self, dana: Person, deliver: Deliver) -> None:
        for n in range(3):
            deliver(age=timedelta(minutes=n))
        first = dana.client.get("/deliveries").text
        older = self.walk(dana, "/deliveries", "Older")[1]
        assert polled(first, "log")
        assert re.findall(r'hx-trigger="(every [^"]+)"', dana.client.get(older).text) == ["every 60s"]

    @pytest.mark.parametrize("place", ["x", "1_2", "nan_" + str(uuid.UUID(int=1)), "9e99_" + str(uuid.UUID(int=1))])
    def test_a_place_that_is_none_is_the_top(self, dana: Person, deliver: Deliver, place: str) -> None:
        made = ids(deliver())
        assert look(dana, before=place) == look(dana, after=place) == made


class TestLive:
    def test_the_log_is_sent_again_only_when_something_changed(
        self, dana: Person, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        first = deliver()
        address = polled(dana.client.get("/deliveries").text, "log")
        assert dana.client.get(address, headers=HTMX).status_code == 204
        second = deliver(age=timedelta())
        part = dana.client.get(address, headers=HTMX).text
        assert "<!doctype" not in part
        assert rows(part) == ids(second, first)
        address = polled(part, "log")
        first.status = Status.SUCCEEDED
        db.session.commit()
        assert dana.client.get(address, headers=HTMX).status_code == 200

    def test_while_somebody_reads_the_rows_stay_and_new_ones_are_counted(
        self, dana: Person, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        first = deliver()
        page = dana.client.get("/deliveries").text
        top = re.search(r'data-top="([^"]+)"', page)
        assert top
        reading = f"{polled(page, 'log')}&upto={top[1]}"
        second = deliver(age=timedelta())
        part = dana.client.get(reading, headers=HTMX).text
        assert rows(part) == ids(first)
        assert re.search(r'<a class="[^"]*unseen" href="/deliveries">.*?</svg>1 new</a>', part, re.DOTALL)
        first.status = Status.SUCCEEDED
        db.session.commit()
        again = f"{polled(part, 'log')}&upto={top[1]}"
        assert "Succeeded</span>" in dana.client.get(again, headers=HTMX).text  # what is on the screen goes on
        assert rows(dana.client.get(again.replace("upto", "x"), headers=HTMX).text) == ids(second, first)

    def test_an_unchanged_log_is_told_by_one_query(
        self, dana: Person, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        deliver()
        address = polled(dana.client.get("/deliveries?status=pending&q=allen").text, "log")
        with statements() as sent:
            assert dana.client.get(address, headers=HTMX).status_code == 204
        asked = [statement for statement, _ in sent if re.search(r"FROM .*(delivery|subject|event)", statement, re.S)]
        assert len(asked) == 1

    def test_it_asks_quickly_while_something_is_under_way_and_then_calmly(
        self, dana: Person, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "STALE_SECONDS", 10**12)
        deliver()
        page = dana.client.get("/deliveries").text
        assert 'hx-trigger="every 300ms, load delay:100ms"' in page
        address = polled(page, "log")
        later = utcnow() + timedelta(seconds=6)
        monkeypatch.setattr(live, "utcnow", lambda: later)
        assert 'hx-trigger="every 2s"' in dana.client.get(address, headers=HTMX).text

    def test_what_is_unchanged_is_sent_again_after_a_while_for_its_relative_times(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        version = live.version("fact")
        later = utcnow() + timedelta(seconds=live.STALE_SECONDS)
        monkeypatch.setattr(live, "utcnow", lambda: later)
        assert live.version("fact") != version

    def test_a_page_is_never_answered_with_nothing(
        self, dana: Person, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        deliver()
        address = polled(dana.client.get("/deliveries").text, "log")
        assert dana.client.get(address).status_code == 200  # opened in a tab of its own


class TestDetail:
    def test_it_shows_the_exact_request_and_answer_of_an_attempt(self, dana: Person, deliver: Deliver) -> None:
        changes = {"leadStage": ["Lead", "Customer"]}
        answer = b'{"error":"<b>down</b>"}'
        delivery = deliver(
            "Kwame Mensah", changes=changes, answer=503, failure="http_error", reason="Service Unavailable",
            response_headers=[["retry-after", "300"], ["x-html", "<i>"]], response_body=answer, response_length=20_000,
            remote="93.184.215.14:443",
        )  # fmt: skip
        page = dana.client.get(f"/deliveries/{delivery.id}").text
        for words in ("Kwame Mensah", "Lead stage changed by Jon Park", delivery.event_id, "503 Service Unavailable",
                      "HTTP/1.1 503", '<span class="k">retry-after</span>: 300', "&lt;b&gt;down", ": &lt;i&gt;",
                      "First 23 of 20,000 bytes", "To 93.184.215.14:443", "Attempt 1 of 10",
                      "Connect <b>38 ms</b>", "Nothing is lost."):  # fmt: skip
            assert words in page, words
        assert "TLS <b>" not in page  # plain http has no such phase
        assert "POST https://hooks.acme.example/contacts?key=1" in page

    def test_each_attempt_can_be_chosen_and_shown_raw(self, dana: Person, deliver: Deliver) -> None:
        delivery = deliver(failure="timeout_total", reason="", response_body=b"first")
        add_attempt(delivery, 200, response_body=b'{"ok":true}', response_length=11)
        delivery.status = Status.SUCCEEDED
        db.session.commit()
        address = f"/deliveries/{delivery.id}"
        assert '<span class="k">&#34;ok&#34;</span>' in dana.client.get(address).text
        raw = dana.client.get(f"{address}?view=raw").text
        assert "{&#34;ok&#34;:true}" in raw
        assert str(BODY.decode()).replace('"', "&#34;") in raw
        first = dana.client.get(f"{address}?attempt=1").text
        assert "No answer came. No answer in 15 s" in first
        assert "&#34;ok&#34;" not in first

    def test_it_offers_the_request_as_curl(self, dana: Person, deliver: Deliver) -> None:
        page = dana.client.get(f"/deliveries/{deliver(status=Status.SUCCEEDED, answer=200).id}").text
        command = re.search(r'<pre[^>]* id="curl"[^>]*>(.*?)</pre>', page, re.DOTALL)
        assert command
        assert "printf %s &#39;{&#34;event&#34;" in command[1]
        assert not re.search("whsec_[A-Za-z0-9+/]", page)

    def test_one_that_was_never_tried_shows_what_will_be_sent(self, dana: Person, deliver: Deliver) -> None:
        page = dana.client.get(f"/deliveries/{deliver().id}").text
        assert "What will be sent" in page
        assert "Sending" in page

    def test_it_is_live_until_it_has_ended(self, dana: Person, deliver: Deliver, stopped_clock: datetime) -> None:
        delivery = deliver()
        address = polled(dana.client.get(f"/deliveries/{delivery.id}").text, "delivery")
        assert dana.client.get(address, headers=HTMX).status_code == 204
        delivery.status = Status.SUCCEEDED
        add_attempt(delivery, 200)
        db.session.commit()
        ended = dana.client.get(address, headers=HTMX).text
        assert "Answered 200" in ended
        assert 'hx-trigger="every' not in ended


class TestResend:
    def test_it_sends_once_more_by_hand(self, dana: Person, deliver: Deliver) -> None:
        delivery = deliver(status=Status.FAILED, failure="refused")
        answer = dana.client.post(f"/deliveries/{delivery.id}/resend")
        assert answer.location == f"/deliveries/{delivery.id}"
        db.session.refresh(delivery)
        assert (delivery.status, delivery.trigger) == (Status.PENDING, Trigger.MANUAL)
        assert "It is sent again." in dana.client.get(answer.location).text

    def test_to_a_deleted_webhook_it_says_that_there_is_nowhere_to_send(
        self, dana: Person, webhook: Webhook, deliver: Deliver
    ) -> None:
        delivery = deliver(status=Status.FAILED, failure="refused")
        publisher.delete(webhook)
        db.session.commit()
        answer = dana.client.post(f"/deliveries/{delivery.id}/resend")
        assert "nowhere to send it to" in dana.client.get(answer.location).text
        db.session.refresh(delivery)
        assert delivery.status == Status.FAILED


def test_another_workspaces_deliveries_are_found_by_no_search(
    dana: Person, stranger: Person, webhook: Webhook, deliver: Deliver
) -> None:
    contact = uuid.uuid4()
    delivery = deliver("Allen Ji", contact_id=contact)
    searches = [{"q": query} for query in ("", "Allen", delivery.event_id, str(delivery.id))]
    for filters in (*searches, {"contact": str(contact)}, {"webhook": str(webhook.id)}):
        assert look(stranger, **filters) == []
        assert "hooks.acme" not in stranger.client.get("/deliveries", query_string=filters).text
