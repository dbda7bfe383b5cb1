"""The history of a webhook: each thing that is done to it, by whom, and no secret among it."""

import html
import re
from collections.abc import Callable
from datetime import timedelta

from portal import audit
from portal.audit import AuditEntry
from portal.extensions import db, utcnow
from portal.pace import pace
from portal.webhooks.lease import Lease
from portal.webhooks.models import PauseReason, State, Status, Webhook
from portal.webhooks.views import HISTORY
from tests.conftest import Person
from tests.webhooks.conftest import Deliver
from tests.webhooks.driving import GONE, answer, refusal
from tests.webhooks.making import make_event, make_webhook

FORM = {"url": "https://hooks.acme.example/new?key=2", "ContactCreated": "y", "headers": "authorization: Bearer s3cret"}
SECRETS = ("s3cret", "other", "key=", "whsec_")


def history(dana: Person, webhook: Webhook) -> list[str]:
    """What the page tells, the newest first, as one line each, without the times."""
    page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
    items = re.findall(r'<li class="mb-2">(.*?)</li>', page.partition(">History<")[2], re.DOTALL)
    without = [re.sub("<time.*?</time>|<[^>]*>", " ", item) for item in items]
    return [" ".join(html.unescape(one).split()) for one in without]


def noted() -> list[str]:
    """What is written down of all webhooks, the oldest first."""
    db.session.rollback()
    mine = db.select(AuditEntry).where(AuditEntry.subject_kind == "webhook").order_by(AuditEntry.at)
    return [entry.action for entry in db.session.scalars(mine)]


def test_it_says_who_changed_what_and_tells_no_secret(dana: Person, webhook: Webhook) -> None:
    address = f"/apps/webhooks/{webhook.id}"
    dana.client.post(f"{address}/edit", data=FORM | {"description": "Billing"})
    for action in ("pause", "resume", "rotate"):
        dana.client.post(f"{address}/{action}")
    dana.client.post(f"{address}/replay", data={"days": "7"})
    told = history(dana, webhook)
    assert [line.partition(":")[0].removeprefix("Dana Whitfield ") for line in told] == [
        "replayed 7 days", "rotated the secret", "resumed", "paused", "changed",
    ]  # fmt: skip
    assert "URL hooks.acme.example/contacts → hooks.acme.example/new" in told[-1]
    assert "ContactCreated, ContactUpdated, ContactDeleted → ContactCreated" in told[-1]
    assert "description none → Billing" in told[-1]
    assert "custom headers none → authorization" in told[-1]
    assert not any(secret in " ".join(told) for secret in SECRETS)


def test_a_changed_secret_is_told_without_the_secret_and_no_change_is_not_told(dana: Person, webhook: Webhook) -> None:
    address = f"/apps/webhooks/{webhook.id}/edit"
    dana.client.post(address, data=FORM)
    dana.client.post(address, data=FORM)
    assert len(history(dana, webhook)) == 1
    dana.client.post(address, data=FORM | {"headers": "authorization: Bearer other"})
    assert "custom headers authorization → authorization (changed where it is not shown)" in history(dana, webhook)[0]
    dana.client.post(address, data=FORM | {"headers": "authorization: Bearer other", "url": FORM["url"] + "other"})
    told = history(dana, webhook)
    assert "URL hooks.acme.example/new → hooks.acme.example/new (changed where it is not shown)" in told[0]
    assert "custom headers" not in told[0]
    assert not any(secret in " ".join(told) for secret in SECRETS)


def test_beginning_and_end_are_written_down(dana: Person) -> None:
    dana.client.post("/apps/webhooks/new", data={"url": "https://hooks.acme.example/a", "ContactCreated": "y"})
    webhook = db.session.query(Webhook).one()
    assert history(dana, webhook)[0] == "Dana Whitfield created"
    dana.client.post(f"/apps/webhooks/{webhook.id}/delete")
    assert noted() == ["created", "deleted"]


def test_a_bulk_is_told_by_each_webhook_that_it_is_about(dana: Person, webhook: Webhook, deliver: Deliver) -> None:
    other, third = (make_webhook(dana.workspace_id) for _ in range(2))
    deliver(status=Status.FAILED, failure="reset")
    deliver(status=Status.FAILED, failure="reset", to=other)
    db.session.query(Webhook).filter_by(id=third.id).update({"event_types": []})
    db.session.commit()
    dana.client.post("/deliveries/bulk", data={"act": "resend", "status": "failed"})
    for one in (webhook, other):
        assert history(dana, one)[0] == "Dana Whitfield resent deliveries in bulk"
    assert history(dana, third) == []
    dana.client.post("/deliveries/bulk", data={"act": "cancel", "webhook": str(other.id)})
    assert history(dana, other)[0] == "Dana Whitfield canceled deliveries in bulk"
    assert len(history(dana, webhook)) == 1


def test_pauses_by_the_portal_are_in_it(dana: Person, webhook: Webhook) -> None:
    make_event(webhook.workspace_id)
    lease = Lease(webhook.id)
    assert lease.take()
    webhook.failures, webhook.failing_since = pace().pause_after_failures, utcnow() - timedelta(days=6)
    db.session.commit()
    answer(lease, refusal())
    assert history(dana, webhook)[0] == "The portal paused, because it only failed for days"
    dana.client.post(f"/apps/webhooks/{webhook.id}/resume")
    lease.take()
    answer(lease, GONE)
    assert history(dana, webhook)[0] == "The portal paused, because its receiver answered 410 Gone"


def test_the_sandbox_webhook_has_one_too(dana: Person) -> None:
    dana.client.post("/apps/sandbox/use")
    webhook = db.session.query(Webhook).one()
    dana.client.post("/apps/sandbox/mode", data={"mode": "ok"})
    assert history(dana, webhook) == ["Dana Whitfield created"]
    webhook = db.session.query(Webhook).one()
    webhook.pause(PauseReason.GONE)
    db.session.commit()
    dana.client.post("/apps/sandbox/mode", data={"mode": "ok"})
    db.session.rollback()
    assert db.session.query(Webhook).one().state == State.ACTIVE
    assert history(dana, webhook)[0] == "Dana Whitfield resumed"


def test_the_page_shows_the_latest_and_markup_is_text(sign_up: Callable[..., Person]) -> None:
    dana = sign_up("<i>Dana</i>")
    webhook = make_webhook(dana.workspace_id, description="<img src=x>")
    for number in range(HISTORY + 2):
        audit.note(f"<b>{number}</b>", "changed", webhook, {"<u>": "<s>"}, {"<u>": number})
        db.session.commit()
    form = {"url": webhook.url, "ContactCreated": "y", "description": "<img src=y>"}
    dana.client.post(f"/apps/webhooks/{webhook.id}/edit", data=form)
    told = history(dana, webhook)
    assert len(told) == HISTORY
    assert told[0].startswith("<i>Dana</i> changed: event types")
    assert "description <img src=x> → <img src=y>" in told[0]
    assert told[1] == "<b>11</b> changed: <u> <s> → 11"


def test_what_is_rolled_back_was_never_noted(webhook: Webhook) -> None:
    audit.note("Dana", "paused", webhook)
    db.session.flush()
    assert noted() == []
