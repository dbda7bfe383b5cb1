"""A field of one's own from its definition to a clash of two people, in a browser: wide, on a phone, by keyboard."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_up
from tests.e2e.test_keyboard import enter, tab_to
from tests.system.installation import Installation

pytestmark = pytest.mark.browser

PHONE: Any = {"width": 390, "height": 844}
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def define(page: Page) -> None:
    """A choice that is required, by the settings page."""
    page.goto("/settings")
    page.get_by_role("link", name="Edit fields").click()
    page.get_by_role("link", name="New field").click()
    page.get_by_label("Name", exact=True).fill("Plan")
    expect(page.get_by_label("Choices")).to_be_hidden()
    page.get_by_label("Type").select_option(label="Choice")
    expect(page.get_by_label("Length")).to_be_hidden()
    page.get_by_label("Choices").fill("Gold\nSilver")
    page.get_by_label("Required").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Plan", exact=True)).to_be_visible()


def create(page: Page) -> None:
    """A contact; without the plan it is refused."""
    page.goto("/contacts/new")
    page.get_by_label("Email", exact=True).fill("allen@example.com")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Plan is required.")).to_be_visible()
    page.get_by_label("Plan").select_option("Gold")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="allen@example.com")).to_be_visible()


def test_a_field_is_made_filled_edited_in_place_and_fought_over(page: Page, tmp_path: Path) -> None:
    sign_up(page)
    page.set_viewport_size(PHONE)
    define(page)
    create(page)
    other = page.context.new_page()
    other.goto(page.url)
    for one, city in ((page, "Nice"), (other, "Lyon")):
        one.get_by_role("link", name="Edit Address").click()
        one.get_by_label("City").fill(city)
    panel = other.locator("#group-address")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_text("Lyon")).to_be_visible()
    expect(other.locator("#timeline")).to_contain_text("changed City")
    expect(other.get_by_role("link", name="Edit Address")).to_be_focused()

    other.close()  # a window in the background is drawn once a second
    panel = page.locator("#group-address")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("alert")).to_be_focused()
    expect(panel.get_by_role("alert")).to_contain_text("saved allen@example.com while you were editing")
    assert page.evaluate(OVERFLOW) <= 0
    panel.get_by_label("Yours: Nice").check()
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_text("Nice")).to_be_visible()
    expect(page.locator("#timeline li").first.locator("del")).to_contain_text("Lyon")

    page.get_by_label("Add a tag").fill("VIP")
    expect(page.get_by_text("No other tag of that name")).to_be_visible()
    page.get_by_label("Add a tag").press("Enter")
    page.get_by_role("button", name="Remove tag VIP").click()
    expect(page.get_by_label("Add a tag")).to_be_focused()
    page.get_by_role("button", name="VIP", exact=True).click()
    expect(page.get_by_role("button", name="Remove tag VIP")).to_be_visible()

    Image.new("RGB", (600, 400), "teal").save(tmp_path / "me.png")
    page.get_by_role("button", name="Add picture").click()
    page.get_by_label("PNG, JPEG").set_input_files(tmp_path / "me.png")
    page.get_by_role("button", name="Upload").click()
    face = page.locator("#head img.ava")
    expect(face).to_be_visible()
    expect(face).to_have_js_property("naturalWidth", 256)
    assert page.evaluate(OVERFLOW) <= 0


def test_the_same_by_keyboard_alone(page: Page, portal: Installation) -> None:
    sign_up(page)
    for name in ("Birthday", "Plan"):
        page.goto("/settings/fields/new")
        tab_to(page, page.get_by_label("Name", exact=True))
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    enter(page, "button", "Move Plan up")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Plan")
    expect(page.get_by_role("button", name="Move Plan down")).to_be_focused()
    page.goto("/contacts/new")
    tab_to(page, page.get_by_label("Email", exact=True))
    page.keyboard.type("allen@example.com")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="allen@example.com")).to_be_visible()
    enter(page, "link", "Edit Custom fields")
    expect(page.get_by_role("heading", name="Custom fields")).to_be_focused()
    tab_to(page, page.get_by_label("Plan"))
    page.keyboard.type("Gold")
    enter(page, "button", "Save")
    expect(page.get_by_role("link", name="Edit Custom fields")).to_be_focused()
    expect(page.locator("#group-own")).to_contain_text("Gold")


def test_the_same_without_scripts(page_without_scripts: Page) -> None:
    page = page_without_scripts
    sign_up(page)
    define(page)
    create(page)
    page.get_by_role("link", name="Edit Custom fields").click()
    page.get_by_label("Plan").select_option("Silver")
    page.locator("#group-own").get_by_role("button", name="Save").click()
    expect(page.locator("#group-own")).to_contain_text("Silver")
    page.get_by_label("Add a tag").fill("VIP")
    page.get_by_role("button", name="Add tag").click()
    page.get_by_role("button", name="Remove tag VIP").click()
    expect(page.get_by_role("button", name="Remove tag VIP")).to_have_count(0)
