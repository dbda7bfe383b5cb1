"""The Overview: three steps for a newcomer, facts for everybody else."""

import re
from typing import Any

import pytest
from sqlalchemy import update

from portal.extensions import db, utcnow
from portal.webhooks.models import Delivery, Status

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def webhook(dana: Any) -> None:
    dana.client.post("/apps/webhooks/new", data={"url": "http://127.0.0.1:9/hook", "ContactCreated": "y"})


def deliver() -> None:
    now = utcnow()
    db.session.execute(
        update(Delivery).values(status=Status.SUCCEEDED, last_status=200, updated_at=now, succeeded_at=now)
    )
    db.session.commit()


def done(page: str) -> list[str]:
    """The steps that are ticked off."""
    return re.findall(r'<h2>([^<]+) <span class="visually-hidden">\(done\)', page)


def test_a_newcomer_sees_three_steps_and_what_a_server_gets(dana: Any) -> None:
    page = dana.client.get("/").text
    assert "Welcome, Dana" in page
    assert [title in page for title in ("Add a webhook", "Add a contact", "See it delivered")] == [True] * 3
    assert done(page) == []
    assert 'href="/apps/webhooks/new"' in page
    assert "whatsappNumber" in page


@pytest.mark.usefixtures("webhook")
def test_the_steps_tick_themselves_off(dana: Any) -> None:
    assert done(dana.client.get("/").text) == ["Add a webhook"]
    assert dana.client.post("/sample").status_code == 303
    page = dana.client.get("/").text
    assert done(page) == ["Add a webhook", "Add a contact"]
    poll = re.findall(r'hx-get="([^"]+)"', page)[0]
    assert dana.client.get(poll, headers=HTMX).status_code == 204
    deliver()
    last = dana.client.get(poll, headers=HTMX).text
    assert done(last) == ["Add a webhook", "Add a contact", "See it delivered"]
    assert "hx-get" not in last


@pytest.mark.usefixtures("webhook")
def test_afterwards_there_are_facts(dana: Any) -> None:
    dana.client.post("/sample")
    deliver()
    dana.client.post("/contacts/new", data={"email": "waiting@example.com"})
    page = dana.client.get("/").text
    figures = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)<", page))
    assert (figures["Delivered, 24 h"], figures["Success rate"], figures["Contacts"]) == ("1", "100%", "2")
    assert [count in page for count in (">1 waiting</a>", ">0 failed</a>")] == [True, True]
    assert figures["Save to answer, p95"] != "–"
    assert "127.0.0.1:9/hook" in page
    assert page.index("waiting@example.com") < page.index("Allen Ji")


@pytest.mark.usefixtures("webhook")
def test_a_test_delivery_is_no_first_delivery(dana: Any) -> None:
    webhook_id = re.findall(r"/apps/webhooks/([0-9a-f-]{36})", dana.client.get("/apps/webhooks").text)[0]
    dana.client.post(f"/apps/webhooks/{webhook_id}/test", data={"event_type": "ContactCreated"})
    deliver()
    assert done(dana.client.get("/").text) == ["Add a webhook"]


@pytest.mark.usefixtures("webhook")
def test_a_stranger_sees_nothing_of_it(dana: Any, stranger: Any) -> None:
    dana.client.post("/sample")
    deliver()
    assert done(stranger.client.get("/").text) == []
