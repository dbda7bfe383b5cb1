"""Many contacts in a browser: filter, select all that match, change; compare two and merge them. By mouse, by keyboard
on a phone, and without scripts."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import become
from tests.e2e.test_keyboard import enter, tab_to
from tests.receiving import Receiver
from tests.system.conftest import numbers
from tests.system.installation import Browser, Installation

pytestmark = pytest.mark.browser

PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
PEOPLE = (("Ann", "Paris"), ("Bea", "Paris"), ("Cid", "Rome"))


def with_people(page: Page, portal: Installation, receiver: Receiver, size: dict[str, int]) -> None:
    """Dana at her list with three contacts, of whom two have one e-mail, and a webhook that has heard of them."""
    dana = Browser(portal.url)
    dana.sign_up(f"many{next(numbers)}@example.com")
    dana.create_webhook(receiver.url)
    for name, city in PEOPLE:
        dana.create_contact(first_name=name, city=city, email="pat@example.com" if city == "Paris" else "c@example.com")
    receiver.wait(len(PEOPLE))
    become(page.context, dana)
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.goto("/contacts")


def change_all_in_paris(page: Page) -> None:
    """With the mouse: a filter, all that match, a tag and a stage for them."""
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("link", name="City", exact=True).click()
    page.get_by_label("City").select_option("is")
    page.get_by_label("Value").fill("paris")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("link", name="City is paris")).to_be_visible()
    page.get_by_role("link", name="Select this page").click()
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_role("heading", name="Change 2 contacts")).to_be_visible()
    expect(page.get_by_role("row", name="127.0.0.1")).to_contain_text("2")
    page.get_by_label("Add tags").fill("Spring")
    page.get_by_label("Lead stage").select_option("Customer")
    page.get_by_role("button", name="Change 2 contacts").click()
    expect(page.get_by_text("2 changed, 0 skipped")).to_be_visible()


def test_all_that_match_are_changed(page: Page, portal: Installation, receiver: Receiver) -> None:
    with_people(page, portal, receiver, WIDE)
    change_all_in_paris(page)
    told = [one.json["contacts"][0] for one in receiver.wait(5)[3:]]
    assert {(one["firstName"], one["leadStage"], one["tags"][0]["name"]) for one in told} == {
        ("Ann", "Customer", "Spring"),
        ("Bea", "Customer", "Spring"),
    }


def test_all_that_match_are_changed_without_scripts_on_a_phone(
    page_without_scripts: Page, portal: Installation, receiver: Receiver
) -> None:
    page = page_without_scripts
    with_people(page, portal, receiver, PHONE)
    page.goto("/contacts?f=city.is.Paris")
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is selected.")
    page.goto("/contacts?f=city.is.Paris&pick=match")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete 2 contacts").click()
    assert {one.json["event"] for one in receiver.wait(5)[3:]} == {"ContactDeleted"}
    page.reload()
    page.get_by_role("button", name="Restore 2").click()
    assert {one.json["event"] for one in receiver.wait(7)[5:]} == {"ContactCreated"}


def test_two_are_merged_by_keyboard_on_a_phone(page: Page, portal: Installation, receiver: Receiver) -> None:
    with_people(page, portal, receiver, PHONE)
    enter(page, "link", "Ann")
    enter(page, "link", "Compare and merge")
    expect(page.get_by_role("heading", name="Merge 2 contacts")).to_be_visible()
    names = page.get_by_role("row", name="First name").get_by_role("radio")
    tab_to(page, names.first)
    page.keyboard.press("ArrowRight")
    expect(names.last).to_be_checked()
    expect(page.get_by_role("row", name="First name").get_by_role("cell").last).to_have_text("Bea")
    tab_to(page, page.get_by_role("button", name="Merge into"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bea")).to_be_visible()
    updated, deleted = receiver.wait(5)[3:]
    if updated.json["event"] == "ContactDeleted":  # two contacts: in whichever order
        updated, deleted = deleted, updated
    assert updated.json["contacts"][0]["firstName"] == "Bea"
    assert deleted.json["ids"] != [updated.json["contacts"][0]["id"]]
