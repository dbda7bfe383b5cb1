"""The vendor's six steps, walked by the words on the screen, to the delivery with status 200."""

import threading

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import LIMIT, sign_up
from tests.receiving import Receiver
from tests.system.conftest import numbers
from tests.system.installation import PASSWORD, until

pytestmark = pytest.mark.browser

WITHOUT_TIMERS = """
for (const name of ["setTimeout", "setInterval"]) {
  const start = window[name];
  window[name] = (work, after, ...rest) => (after >= 1000 ? 0 : start(work, after, ...rest));
}
"""
"""A page in which nothing happens by itself after a second or more: nothing is asked for again."""


def sign_up_by_form(page: Page) -> str:
    email = f"new{next(numbers)}@example.com"
    page.goto("/signup")
    page.get_by_label("Workspace").fill("Harbour Support")
    page.get_by_label("Your name").fill("Dana Whitfield")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create workspace").click()
    expect(page.get_by_role("link", name="Contacts", exact=True)).to_be_visible()
    return email


def create_webhook(page: Page, url: str) -> None:
    page.get_by_role("link", name="Apps & Integrations").first.click()
    page.get_by_role("link", name="Settings of Webhooks").click()
    page.get_by_role("link", name="Create contact webhook").click()
    for event in ("ContactCreated", "ContactUpdated", "ContactDeleted"):
        page.get_by_label(event).check()
    page.get_by_label("URL").fill(url)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("whsec_").first).to_be_visible()


@pytest.mark.parametrize("window", ["page", "page_without_scripts"])
def test_the_six_steps_end_at_a_delivery_with_status_200(
    window: str, request: pytest.FixtureRequest, receiver: Receiver
) -> None:
    page: Page = request.getfixturevalue(window)
    email = sign_up_by_form(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    create_webhook(page, receiver.url)

    page.get_by_role("link", name="Contacts", exact=True).click()
    page.get_by_role("link", name="New contact").first.click()
    page.get_by_label("First name").fill("Allen")
    page.get_by_label("Last name").fill("Ji")
    page.get_by_label("Email", exact=True).fill("allen@example.com")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Allen Ji")).to_be_visible()
    page.get_by_role("link", name="Edit").first.click()
    page.get_by_label("Company name").fill("Cloudfon")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Cloudfon").first).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete contact").click()

    got = receiver.wait(3)
    assert [one.json["event"] for one in got] == ["ContactCreated", "ContactUpdated", "ContactDeleted"]
    page.get_by_role("link", name="Deliveries").first.click()
    green = page.get_by_role("row").filter(has_text="200 OK")
    if window == "page_without_scripts":
        until(lambda: green.count() == 3 or page.reload() is None, "three green rows")
    expect(green).to_have_count(3)
    page.get_by_role("row").filter(has_text="ContactCreated").get_by_role("link").first.click()
    expect(page.get_by_text("webhook-signature").first).to_be_visible()


def test_a_row_turns_green_by_itself(page: Page, receiver: Receiver) -> None:
    let_go = threading.Event()

    def wait_for_it(_: object) -> int:
        let_go.wait(60)
        return 200

    receiver.answer = wait_for_it
    sign_up(page)
    create_webhook(page, receiver.url)
    page.goto("/contacts/new")
    page.get_by_label("Email", exact=True).fill("allen@example.com")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="allen@example.com")).to_be_visible()
    receiver.wait(1)
    page.goto("/deliveries")
    row = page.get_by_role("row").filter(has_text="ContactCreated")
    expect(row).to_contain_text("Sending")
    let_go.set()
    expect(row).to_contain_text("200 OK")


def test_a_save_shows_in_another_tab_before_that_tab_would_have_asked(page: Page, receiver: Receiver) -> None:
    sign_up(page)
    create_webhook(page, receiver.url)
    page.goto("/contacts/new")
    log = page.context.new_page()
    log.add_init_script(WITHOUT_TIMERS)
    log.goto("/deliveries")
    page.get_by_label("Email", exact=True).fill("allen@example.com")
    page.get_by_role("button", name="Save").click()
    expect(log.get_by_role("row").filter(has_text="allen@example.com")).to_be_visible(timeout=LIMIT)
