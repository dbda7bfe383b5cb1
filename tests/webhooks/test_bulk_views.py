"""Many at once, as a person sees it: the question with its count, the progress, the result with what was skipped."""

import re
import uuid

import pytest

from portal.extensions import db
from portal.webhooks import bulk
from portal.webhooks.models import PauseReason, Status, Webhook
from portal.webhooks.worker_models import Bulk
from tests.conftest import Person
from tests.webhooks.conftest import HTMX, Deliver


def begin(dana: Person, act: str, **filters: str) -> str:
    """Press the button of the question; the address of the progress."""
    answer = dana.client.post("/deliveries/bulk", data={"act": act, **filters})
    assert answer.status_code == 303
    return answer.location


def work(address: str) -> None:
    while bulk.go_on(uuid.UUID(address.split("/")[-1])):
        pass


def text(dana: Person, address: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", dana.client.get(address).text))


def test_the_question_says_how_many_go_where_before_anything_is_done(dana: Person, deliver: Deliver) -> None:
    for _ in range(3):
        deliver(status=Status.FAILED, answer=500, failure="http_error")
    deliver(status=Status.SUCCEEDED, answer=200)
    page = text(dana, "/deliveries/bulk?act=resend&status=failed")
    assert "Resend 3 deliveries?" in page
    assert "hooks.acme.example/contacts" in page
    assert db.session.scalars(db.select(Bulk)).all() == []


def test_progress_and_result_are_shown_and_nothing_changed_costs_204(dana: Person, deliver: Deliver) -> None:
    contact = uuid.uuid4()
    deliver(contact_id=contact, status=Status.FAILED, answer=500, failure="http_error")
    newer = deliver(contact_id=contact, status=Status.SUCCEEDED, answer=200)
    newer.succeeded_at = newer.created_at
    deliver(status=Status.FAILED, answer=500, failure="http_error")
    db.session.commit()
    address = begin(dana, "resend", status="failed")
    page = dana.client.get(address)
    assert "Under way" in page.text
    poll = re.search(r'hx-get="([^"]+)"', page.text)
    assert poll
    assert dana.client.get(poll[1].replace("&amp;", "&"), headers=HTMX).status_code == 204
    work(address)
    assert dana.client.get(poll[1].replace("&amp;", "&"), headers=HTMX).status_code == 200
    done = text(dana, address)
    assert "1 in line again, 1 skipped" in done
    assert "A newer change of the same contact has arrived" in done
    assert re.findall(r'hx-get="([^"]+)"', dana.client.get(address).text) == ["/here"]  # as on every page


def test_cancel_is_for_what_waits(dana: Person, deliver: Deliver) -> None:
    waiting, failed = deliver(), deliver(status=Status.FAILED, answer=500, failure="http_error")
    assert "Cancel 1 delivery?" in text(dana, "/deliveries/bulk?act=cancel")
    work(begin(dana, "cancel"))
    db.session.expire_all()
    assert (waiting.status, failed.status) == (Status.CANCELED, Status.FAILED)


def test_a_paused_webhook_is_said_to_hold(dana: Person, deliver: Deliver, webhook: Webhook) -> None:
    deliver()
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    assert "(paused, held)" in text(dana, "/deliveries/bulk?act=resend")
    address = begin(dana, "resend")
    work(address)
    assert "Their webhook is paused" in text(dana, address)


def test_replay_is_a_button_of_the_webhook(dana: Person, deliver: Deliver, webhook: Webhook) -> None:
    deliver(status=Status.SUCCEEDED, answer=200)
    assert 'value="7"' in dana.client.get(f"/apps/webhooks/{webhook.id}").text
    answer = dana.client.post(f"/apps/webhooks/{webhook.id}/replay", data={"days": "7"})
    work(answer.location)
    assert "Replaying 1 event" in text(dana, answer.location)
    assert "1 in line, 0 skipped" in text(dana, answer.location)


@pytest.mark.parametrize(("path", "form"), [("/deliveries/bulk", {"act": "explode"}), ("replay", {"days": "999"})])
def test_what_nobody_offers_is_refused(dana: Person, webhook: Webhook, path: str, form: dict[str, str]) -> None:
    address = path if path.startswith("/") else f"/apps/webhooks/{webhook.id}/{path}"
    assert dana.client.post(address, data=form).status_code == 400
    assert db.session.scalars(db.select(Bulk)).all() == []


def test_it_can_be_stopped(dana: Person, deliver: Deliver) -> None:
    deliver(status=Status.FAILED, answer=500, failure="http_error")
    address = begin(dana, "resend")
    dana.client.post(f"{address}/stop")
    assert "Stopped" in text(dana, address)
    assert "1 left as they were" in text(dana, address)


def test_nothing_matches_says_so(dana: Person) -> None:
    assert "Nothing to resend" in text(dana, "/deliveries/bulk?act=resend&status=failed")


def test_the_log_leads_to_the_question_about_all_that_match(dana: Person, deliver: Deliver) -> None:
    deliver()
    assert "Resend all that match" not in dana.client.get("/deliveries").text, "nothing chosen never means everything"
    page = dana.client.get("/deliveries?status=pending&event=ContactUpdated").text
    for act, title in (("resend", "Resend 1 delivery?"), ("cancel", "Cancel 1 delivery?")):
        link = re.search(rf'href="(/deliveries/bulk[^"]*act={act}[^"]*)"', page)
        assert link
        assert title in text(dana, link[1].replace("&amp;", "&"))


def test_the_webhook_leads_to_what_waits_for_it(dana: Person, deliver: Deliver, webhook: Webhook) -> None:
    deliver()
    page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
    assert "Try them now" in page
    webhook.pause(PauseReason.PERSON)
    db.session.commit()
    page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
    assert "Try them now" not in page
    assert "Cancel them" in page
