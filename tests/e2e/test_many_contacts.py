"""Many contacts in a browser: filter, select all that match, change; compare two and merge them. By mouse, by keyboard
on a phone, and without scripts."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import become
from tests.e2e.test_keyboard import enter, tab_to
from tests.receiving import Receiver
from tests.system.conftest import numbers
from tests.system.installation import Browser, Installation, until

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


def test_ticks_stay_at_their_contacts_and_all_links_ask_for_what_is_shown_while_somebody_searches(
    page: Page, portal: Installation, receiver: Receiver
) -> None:
    with_people(page, portal, receiver, WIDE)
    search, ticks = page.get_by_label("Search"), page.get_by_role("checkbox")
    page.get_by_label("Select Cid").check()
    search.press_sequentially("Bea")
    expect(ticks).to_have_count(1)
    expect(page.get_by_label("Select Bea")).not_to_be_checked()
    expect(search).to_be_focused()
    assert search.evaluate("(field) => [field.value, field.selectionStart]") == ["Bea", 3]
    expect(page.get_by_role("link", name="Export", exact=True)).to_have_attribute("href", "/contacts/export?q=Bea")
    page.get_by_label("Select Bea").check()
    search.fill("")
    expect(ticks).to_have_count(3)
    assert [one.get_attribute("aria-label") for one in ticks.all() if one.is_checked()] == ["Select Bea"]
    search.fill("Ann")
    expect(ticks).to_have_count(1)
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("link", name="City", exact=True).click()
    search.fill("Bea")
    expect(page.get_by_label("Select Bea")).to_be_visible()
    expect(search).to_be_focused()
    page.get_by_label("Value").fill("paris")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("link", name="City contains paris")).to_be_visible()
    expect(page.get_by_label("Search")).to_have_value("Bea")


def many_in_oslo(page: Page, portal: Installation) -> None:
    """Dana at a list of which a page shows 25 of 27, with somebody elsewhere besides."""
    dana = Browser(portal.url)
    dana.sign_up(f"many{next(numbers)}@example.com")
    for i in range(28):
        dana.create_contact(first_name=f"P{i}", city="Oslo" if i else "Rome", email=f"p{i}@example.com")
    become(page.context, dana)
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto("/contacts?f=city.is.Oslo&n=25")


def test_more_than_the_page_are_selected_and_changed(page: Page, portal: Installation) -> None:
    many_in_oslo(page, portal)
    page.get_by_role("link", name="Select this page").click()
    assert all(one.is_checked() for one in page.get_by_role("checkbox").all())
    page.get_by_role("link", name="Select all 27 that match").click()
    expect(page.get_by_text("All 27 selected")).to_be_visible()
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Priority").select_option("High")
    page.get_by_role("button", name="Change 27 contacts").click()
    expect(page.get_by_text("27 changed, 0 skipped")).to_be_visible()


def test_more_than_the_page_are_selected_and_changed_by_keyboard(page: Page, portal: Installation) -> None:
    """Backwards: in front of the buttons there is the whole page."""
    many_in_oslo(page, portal)
    enter(page, "link", "Select this page", "Shift+Tab")
    expect(page.get_by_text("This page is selected.")).to_be_visible()
    enter(page, "link", "Select all 27 that match", "Shift+Tab")
    expect(page.get_by_text("All 27 selected")).to_be_visible()
    enter(page, "button", "Edit", "Shift+Tab")
    tab_to(page, page.get_by_label("Add tags"))
    page.keyboard.type("Spring")
    enter(page, "button", "Change 27 contacts")
    expect(page.get_by_text("27 changed, 0 skipped")).to_be_visible()


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
    restore = page.get_by_role("button", name="Restore 2")  # offered once all is done, which is after the first is told
    until(lambda: restore.count() == 1 or page.reload() is None, "the way back")
    restore.click()
    assert {one.json["event"] for one in receiver.wait(7)[5:]} == {"ContactCreated"}


def test_what_is_chosen_is_what_becomes_of_them_also_when_another_one_is_to_stay(
    page: Page, portal: Installation, receiver: Receiver
) -> None:
    with_people(page, portal, receiver, WIDE)
    page.get_by_role("link", name="Ann", exact=True).click()
    page.get_by_role("link", name="Compare and merge").click()
    row = page.get_by_role("row", name="First name")
    names, becomes = row.get_by_role("radio"), row.get_by_role("cell").last
    for choice, name in ((names.last, "Bea"), (names.first, "Ann"), (names.last, "Bea")):
        choice.check()
        expect(becomes).to_have_text(name)
    for stays, chosen in (("Bea", names.last), ("Ann", names.first)):
        page.get_by_role("radio", name=f"{stays} stays").check()
        expect(page.get_by_role("button", name=f"Merge into {stays}")).to_be_visible()
        expect(becomes).to_have_text(stays)
        expect(chosen).to_be_checked()


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
