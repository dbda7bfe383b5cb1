"""Somebody is invited, joins on a phone, and sees what their role includes and nothing else."""

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.conftest import PASSWORD
from tests.e2e.conftest import become, opened
from tests.system.conftest import numbers
from tests.system.installation import Browser, Installation

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


def test_a_colleague_is_invited_joins_on_a_phone_and_is_limited_by_their_role(
    page: Page, portal: Installation, chromium: Chromium
) -> None:
    dana = Browser(portal.url)
    dana.sign_up(f"inviter{next(numbers)}@example.com")
    dana.create_webhook("https://hooks.acme.example/contacts")
    become(page.context, dana)
    page.goto("/settings")
    page.get_by_role("link", name="Manage people").click()
    page.get_by_label("Agent", exact=True).check()
    page.get_by_role("button", name="Create invitation").click()
    expect(page.get_by_role("heading", name="Copy the link now, it is shown once")).to_be_focused()
    link = page.locator("#link").inner_text()

    with opened(chromium, portal, viewport=PHONE) as phone:
        phone.goto(link)
        phone.get_by_label("Your name").fill("Ada Okafor")
        phone.get_by_label("Email").fill(f"ada{next(numbers)}@example.com")
        phone.get_by_label("Password", exact=True).fill(PASSWORD)
        phone.get_by_role("button", name="Create account and join").click()
        phone.get_by_role("button", name="Menu").click()
        menu = phone.get_by_role("navigation", name="Main")
        expect(menu.get_by_role("link", name="Contacts")).to_be_visible()
        expect(menu.get_by_role("link", name="Apps & Integrations")).to_have_count(0)
        phone.goto("/apps/webhooks")
        refusal = "Only Administrators may manage webhooks and their secrets. Ask Dana Whitfield."
        expect(phone.get_by_text(refusal)).to_be_visible()

        # With the next role there is more at once, and out is out.
        page.goto("/settings/people")
        page.get_by_role("link", name="Ada Okafor").click()
        page.get_by_label("Supervisor", exact=True).check()
        page.get_by_role("button", name="Save role").click()
        expect(page.get_by_text("Ada Okafor is a Supervisor now.")).to_be_visible()
        phone.goto("/apps")
        expect(phone.get_by_role("heading", name="Webhooks")).to_be_visible()
        expect(phone.get_by_role("link", name="Settings of Webhooks")).to_have_count(0)
        page.get_by_role("button", name="Deactivate").click()
        page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
        expect(page.get_by_text("Ada Okafor is deactivated and signed out.")).to_be_visible()
        phone.goto("/contacts")
        expect(phone.get_by_role("heading", name="Log in")).to_be_visible()
