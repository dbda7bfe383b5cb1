"""The first ten minutes: from sign-up to a green delivery, then a failure, its countdown and its recovery, live."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_up

pytestmark = pytest.mark.browser
CLICKS = 4
"""At most so many after sign-up until the first delivery is green."""


def test_the_first_delivery_takes_at_most_four_clicks_and_no_server(page: Page) -> None:
    sign_up(page)
    clicks = ["Use the sandbox receiver", "Add a sample contact"]
    for name in clicks:
        page.get_by_role("button", name=name).click()
    expect(page.get_by_text("Signature valid")).to_be_visible()
    expect(page.locator("#steps .pill.ok", has_text="200 OK")).to_be_visible()
    expect(page.get_by_role("region", name="What the server got")).to_contain_text('"email": "allen@acme.example"')
    assert len(clicks) <= CLICKS


def test_a_failure_its_countdown_and_its_recovery_are_shown_live(page: Page) -> None:
    sign_up(page)
    page.goto("/apps")
    page.get_by_role("link", name="Open the sandbox receiver").click()
    page.get_by_role("button", name="Use the sandbox receiver").click()
    page.get_by_role("button", name="Make it fail").click()
    expect(page.get_by_text("Fails: answers 500")).to_be_visible()
    page.get_by_role("button", name="Add a sample contact").click()

    page.evaluate("window.opened = 'once'")
    note = page.locator("section.note")
    expect(note).to_contain_text("The server had a problem of its own.")
    expect(note.locator("[data-until]")).to_have_text(re.compile(r"^\d+:\d\d$"))
    delivery = page.get_by_role("link", name="ContactCreated · Allen Ji")
    expect(delivery.locator(".pill")).to_have_text(re.compile("500"))
    page.get_by_role("button", name="Let it recover").click()
    expect(delivery.locator(".pill.ok")).to_have_text("200 OK")
    expect(note).to_have_count(0)
    expect(page.get_by_role("button", name="Make it fail")).to_be_visible()
    assert page.evaluate("window.opened") == "once"


def test_the_form_takes_the_sandbox_and_keeps_what_was_chosen(page: Page) -> None:
    sign_up(page)
    page.goto("/apps/webhooks/new")
    page.get_by_label("ContactDeleted", exact=True).check()
    page.get_by_role("link", name="Use the sandbox receiver").click()
    expect(page.get_by_label("URL")).to_have_value(re.compile(r"/sandbox/[\w-]{32}$"))
    expect(page.get_by_label("ContactDeleted", exact=True)).to_be_checked()
    expect(page.get_by_label("ContactCreated", exact=True)).not_to_be_checked()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("whsec_").first).to_be_visible()
