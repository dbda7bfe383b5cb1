"""The sandbox receiver: takes what comes, says whether its signature is valid, fails when told to, and recovers."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.accounts.models import SandboxMode, Workspace
from portal.extensions import db, utcnow
from portal.sandbox import service
from portal.sandbox.models import SandboxRequest
from portal.webhooks import signing
from portal.webhooks.models import Delivery, PauseReason, State, Webhook
from portal.webhooks.verifying import Verdict
from tests.conftest import Person

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
BODY = b'{"event":"ContactDeleted","ids":["1"]}'


@pytest.fixture
def address(dana: Person) -> str:
    """The path of Dana's sandbox, with a webhook that points at it."""
    dana.client.post("/apps/sandbox/use")
    return "/sandbox/" + db.session.get_one(Workspace, dana.workspace_id).sandbox_token


def post(app: Flask, address: str, body: bytes = BODY, **headers: str) -> Any:
    return app.test_client().post(address, data=body, headers=headers)


def signed(body: bytes = BODY) -> dict[str, str]:
    secret = signing.secrets_of(db.session.scalars(select(Webhook)).one())[0]
    stamp = int(utcnow().timestamp())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": signing.sign(secret, "msg_1", stamp, body),
    }


def arrived() -> list[SandboxRequest]:
    db.session.rollback()
    return list(db.session.scalars(select(SandboxRequest).order_by(SandboxRequest.received_at)))


def make_fail(dana: Person, mode: str) -> None:
    assert dana.client.post("/apps/sandbox/mode", data={"mode": mode}).status_code == 303


def test_one_click_makes_a_webhook_for_every_event_and_a_second_click_no_other(dana: Person, address: str) -> None:
    dana.client.post("/apps/sandbox/use")
    webhook = db.session.scalars(select(Webhook)).one()
    assert webhook.url == "http://localhost" + address
    assert webhook.event_types == ["ContactCreated", "ContactUpdated", "ContactDeleted"]


def test_it_says_that_a_true_delivery_is_valid_and_a_changed_one_is_not(app: Flask, dana: Person, address: str) -> None:
    assert post(app, address, **signed()).status_code == 200
    assert "Signature valid" in dana.client.get("/apps/sandbox").text
    assert post(app, address, BODY + b" ", **signed()).status_code == 200
    assert "Signature not valid" in dana.client.get("/apps/sandbox").text
    assert [one.verdict for one in arrived()] == [Verdict.VALID, Verdict.NOT_VALID]


def test_what_arrived_is_shown_as_it_came_pretty_and_raw(app: Flask, dana: Person, address: str) -> None:
    post(app, address, b'{"a":"<b>"}', **{"X-Own": "<i>1</i>"})
    pretty, raw = dana.client.get("/apps/sandbox").text, dana.client.get("/apps/sandbox?view=raw").text
    assert "x-own</span>: &lt;i&gt;1&lt;/i&gt;" in pretty
    assert "&lt;b&gt;" in pretty
    assert "{&#34;a&#34;:&#34;&lt;b&gt;&#34;}" in raw


def test_an_older_request_can_be_chosen(app: Flask, dana: Person, address: str) -> None:
    post(app, address, b"first")
    post(app, address, b"second")
    page = dana.client.get(f"/apps/sandbox?request={arrived()[0].id}").text
    assert "first</pre>" in page
    assert "second</pre>" in dana.client.get("/apps/sandbox").text


def test_it_remembers_the_last_fifty(app: Flask, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "KEPT", 3)
    for number in range(5):
        post(app, address, str(number).encode())
    assert [one.body for one in arrived()] == [b"2", b"3", b"4"]


def test_of_a_long_body_it_keeps_the_beginning_and_says_so(app: Flask, dana: Person, address: str) -> None:
    body = b"x" * (service.KEPT_BYTES + 1)
    post(app, address, body, **signed(body))
    assert arrived()[0].verdict is Verdict.VALID
    assert "65,537 bytes, the first 65,536 are kept" in dana.client.get("/apps/sandbox").text


@pytest.mark.parametrize(("mode", "status"), [("error", 500), ("gone", 410), ("ok", 200)])
def test_it_fails_as_it_is_told(app: Flask, dana: Person, address: str, mode: str, status: int) -> None:
    make_fail(dana, mode)
    assert post(app, address).status_code == status
    assert arrived()[0].answer == status


def test_slow_answers_are_few_at_a_time(
    app: Flask, dana: Person, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SLOW_SECONDS", 0)
    make_fail(dana, "slow")
    assert post(app, address).status_code == 200
    taken = [service.slow_slots.acquire(blocking=False) for _ in range(service.SLOW_AT_ONCE)]
    assert all(taken), "a slot was not given back"
    assert post(app, address).status_code == 503
    for _ in taken:
        service.slow_slots.release()
    assert post(app, address).status_code == 200
    assert [one.answer for one in arrived()] == [None, 503, None]


def test_an_unknown_way_to_fail_is_refused(dana: Person) -> None:
    assert dana.client.post("/apps/sandbox/mode", data={"mode": "explode"}).status_code == 400


def fail_all() -> None:
    """As if its receiver had failed often: the breaker is open, the next try is far away."""
    later = utcnow().replace(year=2099)
    db.session.execute(update(Delivery).values(due_at=later, last_failure="http_error", last_status=500, attempts=2))
    db.session.execute(update(Webhook).values(failures=3, failing_since=utcnow(), probe_at=later))
    db.session.commit()


def due_and_webhook() -> tuple[Any, Webhook]:
    db.session.rollback()
    return db.session.scalars(select(Delivery.due_at)).one(), db.session.scalars(select(Webhook)).one()


@pytest.mark.usefixtures("address")
def test_when_it_recovers_what_waits_is_tried_at_once(app: Flask, dana: Person) -> None:
    make_fail(dana, "error")
    dana.client.post("/sample")
    fail_all()
    app.extensions["bells"].redis.flushall()
    make_fail(dana, "ok")
    due, webhook = due_and_webhook()
    assert due < utcnow()
    assert (webhook.probe_at, webhook.failures, webhook.failing_since) == (None, 0, None)
    assert app.extensions["bells"].redis.keys("bell:*")


@pytest.mark.usefixtures("address")
@pytest.mark.parametrize(("reason", "state"), [(PauseReason.GONE, State.ACTIVE), (PauseReason.PERSON, State.PAUSED)])
def test_recovery_resumes_what_it_had_paused_but_not_what_a_person_paused(
    dana: Person, reason: PauseReason, state: State
) -> None:
    dana.client.post("/sample")
    db.session.scalars(select(Webhook)).one().pause(reason)
    db.session.commit()
    make_fail(dana, "ok")
    assert due_and_webhook()[1].state == state


@pytest.mark.usefixtures("address")
def test_a_failure_is_said_in_plain_words_with_a_countdown(dana: Person) -> None:
    make_fail(dana, "error")
    dana.client.post("/sample")
    fail_all()
    page = dana.client.get("/apps/sandbox").text
    assert "The server had a problem of its own." in page
    assert re.search(r"Next try: <b><span data-until=", page)
    assert "Let it recover" in page


@pytest.mark.usefixtures("address")
def test_the_page_asks_for_news_and_gets_only_news(app: Flask, dana: Person, address: str) -> None:
    post(app, address)
    poll = re.findall(r'hx-get="([^"]+)"', dana.client.get("/apps/sandbox").text)[0].replace("&amp;", "&")
    assert dana.client.get(poll, headers=HTMX).status_code == 204
    post(app, address)
    news = dana.client.get(poll, headers=HTMX)
    assert news.status_code == 200
    assert "What arrived" in news.text
    assert "<html" not in news.text


def test_making_it_fail_answers_htmx_with_the_part_that_changed(dana: Person) -> None:
    answer = dana.client.post("/apps/sandbox/mode", data={"mode": "gone"}, headers=HTMX)
    assert "Fails: answers 410 Gone" in answer.text
    assert "<html" not in answer.text


def test_the_form_gets_its_url_typed_in_and_nothing_else_is_lost(dana: Person) -> None:
    token = db.session.get_one(Workspace, dana.workspace_id).sandbox_token
    whole = dana.client.get("/apps/sandbox/webhook").text
    part = dana.client.get("/apps/sandbox/webhook", headers=HTMX).text
    assert f'value="http://localhost/sandbox/{token}"' in whole
    assert f'value="http://localhost/sandbox/{token}"' in part
    assert whole.count("checked>") == 3
    assert "Description" not in part
    assert "is-invalid" not in whole + part


def test_the_address_is_the_one_that_the_installation_is_known_by(app: Flask, dana: Person) -> None:
    app.config["URL"] = "https://portal.example"
    dana.client.post("/apps/sandbox/use")
    assert db.session.scalars(select(Webhook.url)).one().startswith("https://portal.example/sandbox/")


def test_people_who_open_the_address_are_shown_what_came(app: Flask, dana: Person, address: str) -> None:
    assert dana.client.get(address).location == "/apps/sandbox"
    assert app.test_client().get(address + "x").location == "/apps/sandbox"


def test_an_unknown_address_takes_nothing(app: Flask, address: str) -> None:
    assert post(app, address + "x").status_code == 404
    assert arrived() == []


def test_nobody_sees_what_came_to_another_workspace(app: Flask, dana: Person, stranger: Person, address: str) -> None:
    post(app, address, b"only Dana's")
    [one] = arrived()
    for path in ("/apps/sandbox", f"/apps/sandbox?request={one.id}"):
        assert "only Dana" not in stranger.client.get(path).text
    assert "only Dana" in dana.client.get("/apps/sandbox").text


def test_one_workspace_failing_does_not_make_another_fail(
    app: Flask, dana: Person, stranger: Person, address: str
) -> None:
    make_fail(stranger, "error")
    assert post(app, address).status_code == 200
    assert db.session.get_one(Workspace, dana.workspace_id).sandbox_mode is SandboxMode.OK


def test_a_flood_is_asked_to_come_again_later(app: Flask, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "RATE", "2/hour")
    assert [post(app, address).status_code for _ in range(2)] == [200, 200]
    refused = post(app, address)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert len(arrived()) == 2
