"""Apps & Integrations and the webhooks, as a person uses them."""

import re
from datetime import datetime, timedelta

from werkzeug.test import TestResponse

from portal.extensions import db, utcnow
from portal.webhooks import signing
from portal.webhooks.models import CONTACT_EVENTS, Delivery, EventType, PauseReason, State, Status, Trigger, Webhook
from tests.conftest import Person
from tests.webhooks.conftest import HTMX, Deliver

FORM = {"ContactCreated": "y", "ContactUpdated": "y", "url": "https://hooks.acme.example/contacts"}
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{40,}={0,2}")


def fresh(webhook: Webhook) -> Webhook:
    db.session.rollback()
    return db.session.get_one(Webhook, webhook.id, populate_existing=True)


def toast(dana: Person, answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.text
    return dana.client.get(answer.location).text


class TestApps:
    def test_the_card_leads_to_the_webhooks(self, dana: Person) -> None:
        page = dana.client.get("/apps").text
        assert re.search(r'href="/apps/webhooks">Settings<', page)
        assert "None yet" in page

    def test_the_card_counts_webhooks_by_state_and_what_waits_there(
        self, dana: Person, webhook: Webhook, deliver: Deliver
    ) -> None:
        deliver()
        deliver()
        webhook.failing_since, webhook.failures, webhook.probe_at = utcnow(), 3, utcnow()
        db.session.commit()
        card = dana.client.get("/apps", headers=HTMX).text
        assert "<!doctype" not in card
        assert re.search(r"Failing</span><span class=\"num\">1, with 2 waiting", card)
        assert "Healthy" not in card

    def test_the_card_is_sent_again_only_when_something_changed(
        self, dana: Person, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        address = polled(dana.client.get("/apps").text, "app-webhooks")
        assert dana.client.get(address, headers=HTMX).status_code == 204
        deliver()
        assert dana.client.get(address, headers=HTMX).status_code == 200


def polled(page: str, part: str) -> str:
    """The address that a live part asks."""
    found = re.search(rf'id="{part}"[^>]* hx-get="([^"]+)" hx-trigger="every', page)
    assert found, f"{part} is not live"
    return found[1].replace("&amp;", "&")


class TestCreate:
    def test_the_form_comes_as_a_part_for_htmx_and_as_a_page_without(self, dana: Person) -> None:
        part = dana.client.get("/apps/webhooks/new", headers=HTMX).text
        page = dana.client.get("/apps/webhooks/new").text
        assert part.lstrip().startswith("<form")
        assert page.startswith("<!doctype html>")
        for name in CONTACT_EVENTS:
            assert f'name="{name}"' in part
            assert f'<label for="{name}">{name}</label>' in part
        assert part.count("See the JSON") == len(EventType)

    def test_a_webhook_is_saved_and_its_secret_shown_once(self, dana: Person) -> None:
        answer = dana.client.post("/apps/webhooks/new", data=FORM)
        assert answer.status_code == 201
        webhook = db.session.query(Webhook).one()
        assert webhook.event_types == ["ContactCreated", "ContactUpdated"]
        assert (webhook.workspace_id, webhook.created_by) == (dana.workspace_id, "Dana Whitfield")
        assert SECRET.findall(answer.text) == [signing.unseal(webhook.secret)]
        for address in ("/apps/webhooks", f"/apps/webhooks/{webhook.id}", f"/apps/webhooks/{webhook.id}/edit"):
            assert not SECRET.search(dana.client.get(address).text)

    def test_htmx_gets_the_secret_in_place_of_the_form(self, dana: Person) -> None:
        answer = dana.client.post("/apps/webhooks/new", data=FORM, headers=HTMX)
        assert answer.status_code == 201
        assert "<!doctype" not in answer.text
        assert SECRET.search(answer.text)

    def test_htmx_gets_the_form_back_with_its_errors(self, dana: Person) -> None:
        answer = dana.client.post("/apps/webhooks/new", data=FORM | {"url": "x"}, headers=HTMX)
        assert answer.status_code == 422
        assert answer.text.lstrip().startswith("<form")


class TestList:
    def test_it_says_where_events_go_and_how_that_goes(
        self, dana: Person, webhook: Webhook, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        for _ in range(3):
            deliver(status=Status.SUCCEEDED, answer=200)
        deliver(failure="timeout_total")
        page = dana.client.get("/apps/webhooks").text
        assert "hooks.acme.example/contacts" in page
        assert "key=1" not in page
        assert "75%" in page
        assert "Created, Updated, Deleted" in page
        assert dana.client.get(polled(page, "webhooks"), headers=HTMX).status_code == 204

    def test_deleted_webhooks_are_gone_from_it(self, dana: Person, webhook: Webhook) -> None:
        dana.client.post(f"/apps/webhooks/{webhook.id}/delete")
        assert "No webhooks yet" in dana.client.get("/apps/webhooks").text


class TestShow:
    def test_a_failing_webhook_says_since_when_and_what_waits(
        self, dana: Person, webhook: Webhook, deliver: Deliver
    ) -> None:
        deliver(age=timedelta(minutes=22))
        webhook.failing_since, webhook.failures = utcnow(), 3
        webhook.probe_at = utcnow() + timedelta(seconds=38)
        db.session.commit()
        page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
        assert f"Failing since {webhook.failing_since:%H:%M} UTC, next try <span data-until=" in page
        assert "1 waiting, about 22 min behind" in page

    def test_a_failing_webhook_says_why_and_what_to_do(self, dana: Person, webhook: Webhook, deliver: Deliver) -> None:
        webhook.failed_ids = [str(deliver(failure="tls_expired").id)]
        webhook.failing_since = utcnow()
        db.session.commit()
        page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
        assert "Certificate expired" in page.partition("Latest deliveries")[0]
        assert "Renew it on the server" in page

    def test_the_secret_is_masked_but_for_its_end(self, dana: Person, webhook: Webhook) -> None:
        page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
        assert f"whsec_••••••••{signing.unseal(webhook.secret)[-4:]}" in page

    def test_it_is_sent_again_only_when_something_changed(
        self, dana: Person, webhook: Webhook, deliver: Deliver, stopped_clock: datetime
    ) -> None:
        address = polled(dana.client.get(f"/apps/webhooks/{webhook.id}").text, "webhook")
        assert dana.client.get(address, headers=HTMX).status_code == 204
        deliver("Priya Raman")
        assert "Priya Raman" in dana.client.get(address, headers=HTMX).text

    def test_stored_markup_is_shown_as_text(self, dana: Person, webhook: Webhook, deliver: Deliver) -> None:
        webhook.description = "<img src=x>"
        webhook.headers = signing.seal_headers({"x-a": "<i>"})
        deliver("<script>alert(1)</script>")
        page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
        assert "&lt;img src=x&gt;" in page
        assert "x-a: ••••••" in page
        assert "<script>alert" not in page


class TestChange:
    def test_edit_shows_what_is_and_saves_what_was_typed(self, dana: Person, webhook: Webhook) -> None:
        webhook.headers = signing.seal_headers({"x-tenant": "harbour"})
        db.session.commit()
        address = f"/apps/webhooks/{webhook.id}/edit"
        page = dana.client.get(address).text
        assert f'value="{webhook.url}"' in page
        assert "x-tenant: ••••••" in page
        assert "harbour" not in page
        assert page.count(" checked") == 3
        secret = webhook.secret
        changed = FORM | {"description": "Billing", "headers": ""}
        assert "Webhook saved." in toast(dana, dana.client.post(address, data=changed))
        saved = fresh(webhook)
        assert (saved.url, saved.description, saved.headers) == (FORM["url"], "Billing", None)
        assert saved.event_types == ["ContactCreated", "ContactUpdated"]
        assert saved.secret == secret

    def test_edit_refuses_what_create_refuses(self, dana: Person, webhook: Webhook) -> None:
        answer = dana.client.post(f"/apps/webhooks/{webhook.id}/edit", data=FORM | {"url": "http://10.0.0.1/"})
        assert answer.status_code == 422
        assert "private address" in answer.text

    def test_pause_holds_and_resume_lets_go(self, dana: Person, webhook: Webhook) -> None:
        paused = toast(dana, dana.client.post(f"/apps/webhooks/{webhook.id}/pause"))
        assert "Paused by hand since" in paused
        assert ">Resume</button>" in re.sub(r"<svg.*?</svg>", "", paused, flags=re.DOTALL)
        assert fresh(webhook).pause_reason == PauseReason.PERSON
        assert "Healthy" in toast(dana, dana.client.post(f"/apps/webhooks/{webhook.id}/resume"))
        assert fresh(webhook).state == State.ACTIVE

    def test_a_rotated_secret_is_shown_once_and_the_old_one_stays_for_a_day(
        self, dana: Person, webhook: Webhook
    ) -> None:
        old = signing.unseal(webhook.secret)
        answer = dana.client.post(f"/apps/webhooks/{webhook.id}/rotate")
        rotated = fresh(webhook)
        assert SECRET.findall(answer.text) == [signing.unseal(rotated.secret)]
        assert signing.secrets_of(rotated) == [signing.unseal(rotated.secret), old]
        assert old not in answer.text
        assert rotated.old_secret_until
        assert timedelta(hours=23) < rotated.old_secret_until - utcnow() <= timedelta(hours=24)

    def test_delete_says_how_many_are_canceled_and_keeps_the_log(
        self, dana: Person, webhook: Webhook, deliver: Deliver
    ) -> None:
        waiting = deliver("Priya Raman")
        address = f"/apps/webhooks/{webhook.id}"
        assert "The 1 that wait are canceled." in dana.client.get(address).text
        assert "1 waiting canceled" in toast(dana, dana.client.post(f"{address}/delete"))
        assert dana.client.get(address).status_code == 404
        detail = dana.client.get(f"/deliveries/{waiting.id}").text
        assert "Canceled" in detail
        assert "hooks.acme.example" in detail
        assert ">Resend<" not in detail


class TestSendTest:
    def test_it_makes_a_delivery_marked_as_a_test_and_leads_there(self, dana: Person, webhook: Webhook) -> None:
        answer = dana.client.post(f"/apps/webhooks/{webhook.id}/test", data={"event_type": "ContactDeleted"})
        delivery = db.session.query(Delivery).one()
        assert answer.location == f"/deliveries/{delivery.id}"
        assert (delivery.trigger, delivery.event.type, delivery.event.is_test) == (Trigger.TEST, "ContactDeleted", True)
        assert "Test sent by Dana Whitfield" in dana.client.get(answer.location).text

    def test_its_result_appears_in_place_and_then_asks_no_more(
        self, dana: Person, webhook: Webhook, stopped_clock: datetime
    ) -> None:
        part = dana.client.post(f"/apps/webhooks/{webhook.id}/test", headers=HTMX).text
        assert 'hx-trigger="every 300ms, load delay:100ms"' in part
        address = polled(part, "test-result")
        assert dana.client.get(address, headers=HTMX).status_code == 204
        delivery = db.session.query(Delivery).one()
        delivery.status, delivery.last_status, delivery.last_duration_ms = Status.SUCCEEDED, 200, 84.0
        db.session.commit()
        done = dana.client.get(address, headers=HTMX).text
        assert "200 OK" in done
        assert "in 84 ms" in done
        assert "hx-get" not in done

    def test_only_the_webhooks_own_event_types_can_be_tested(self, dana: Person, webhook: Webhook) -> None:
        webhook.event_types = ["ContactCreated"]
        db.session.commit()
        answer = dana.client.post(f"/apps/webhooks/{webhook.id}/test", data={"event_type": "ContactDeleted"})
        assert answer.status_code == 400

    def test_each_of_its_event_types_can_be_tested(self, dana: Person, webhook: Webhook) -> None:
        webhook.event_types = list(EventType)
        db.session.commit()
        page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
        assert re.findall(r"<option>(\w+)</option>", page) == list(EventType)
        for kind in EventType:
            part = dana.client.post(f"/apps/webhooks/{webhook.id}/test", data={"event_type": kind}, headers=HTMX).text
            assert f'Test <span class="mono">{kind}</span>' in part
        assert sorted(delivery.event_type for delivery in db.session.query(Delivery)) == sorted(EventType)
