"""New rows of an open log come by themselves, and wait while somebody reads."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_up
from tests.receiving import Receiver

pytestmark = pytest.mark.browser

MARK = """() => getSelection().selectAllChildren(document.querySelector("#log tbody td"))"""


def add_contact(page: Page, email: str) -> None:
    """In another tab, which then goes away."""
    other = page.context.new_page()
    other.goto("/contacts/new")
    other.get_by_label("Email", exact=True).fill(email)
    other.get_by_role("button", name="Save").click()
    other.get_by_role("button", name="Delete").wait_for()
    other.close()


def test_what_is_read_stays_where_it_is_and_new_rows_wait(page: Page, receiver: Receiver) -> None:
    sign_up(page)
    page.goto("/apps/webhooks/new")
    page.get_by_label("ContactCreated", exact=True).check()
    page.get_by_label("URL", exact=True).fill(receiver.url)
    page.get_by_role("button", name="Save").click()
    add_contact(page, "first@example.com")
    page.goto("/deliveries")
    rows, waiting = page.locator("#log tbody tr"), page.locator(".unseen")
    expect(rows.filter(has_text="200 OK")).to_have_count(1)

    add_contact(page, "second@example.com")
    expect(rows.first).to_contain_text("second@example.com")  # nobody reads

    rows.first.get_by_role("link").first.focus()
    add_contact(page, "third@example.com")
    expect(waiting).to_have_text("1 new")
    expect(rows.first).to_contain_text("second@example.com")
    waiting.click()
    expect(rows.first).to_contain_text("third@example.com")
    expect(waiting).to_have_count(0)

    page.evaluate(MARK)
    add_contact(page, "fourth@example.com")
    expect(waiting).to_have_text("1 new")
    page.evaluate("getSelection().removeAllRanges()")
    expect(rows.first).to_contain_text("fourth@example.com")

    page.get_by_role("button", name="Event").click()
    add_contact(page, "fifth@example.com")
    expect(waiting).to_have_text("1 new")
    expect(page.locator(".drop:popover-open")).to_be_visible()
    expect(rows.filter(has_text="200 OK")).to_have_count(4)
