"""Everything can be done by keyboard alone: the focus always shows, and is where the eye should be."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import sign_up
from tests.receiving import Receiver
from tests.system.installation import PASSWORD

pytestmark = pytest.mark.browser

TABS = 60
"""More than any page has up to what is looked for."""
LOOK = """(target) => {
  const node = document.activeElement, box = node.getBoundingClientRect();
  const isInView = box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight;
  return { isThere: node === target, isInView: node === document.body || isInView, html: node.outerHTML };
}"""
STANDS_OUT = """() => {
  const node = document.activeElement;
  if (node === document.body) return true;
  const look = () => ["outline", "boxShadow", "borderColor"].map((name) => getComputedStyle(node)[name]).join();
  const focused = look();
  node.blur();
  const plain = look();
  node.focus();
  return focused !== plain;
}"""
judged: set[str] = set()
"""What has stood out with the focus, letter by letter: much is on every page."""


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press the key until the focus is there; wherever it comes past, it shows."""
    expect(target).to_be_visible()
    for presses in range(TABS):
        seen = target.evaluate(LOOK)
        if presses:
            assert seen["isInView"], seen["html"]
            assert seen["html"] in judged or page.evaluate(STANDS_OUT), seen["html"]
            judged.add(seen["html"])
        if seen["isThere"]:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{TABS} times {key} do not lead to {target}")


def enter(page: Page, role: str, name: str, key: str = "Tab") -> None:
    """Go there and press Enter."""
    tab_to(page, page.get_by_role(role, name=name, exact=True), key)  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def test_the_six_steps(page: Page, receiver: Receiver) -> None:
    email = sign_up(page)
    enter(page, "button", "Log out")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(email)
    tab_to(page, page.get_by_label("Password"))
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is not right")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    enter(page, "link", "Apps & Integrations")
    enter(page, "link", "Settings of Webhooks")
    enter(page, "link", "Create contact webhook")
    expect(page.get_by_role("heading", name="Create contact webhook")).to_be_focused()
    tab_to(page, page.get_by_label("ContactCreated", exact=True))
    page.keyboard.press("Space")
    enter(page, "button", "Save")
    expect(page.get_by_role("alert").filter(has_text="Not saved yet")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("URL", exact=True)).to_be_focused()
    page.keyboard.type(receiver.url)
    enter(page, "button", "Save")
    expect(page.get_by_role("heading", name="Copy the secret now")).to_be_focused()

    enter(page, "link", "Contacts", "Shift+Tab")
    enter(page, "link", "New contact")
    tab_to(page, page.get_by_label("Email", exact=True))
    page.keyboard.type("allen@example.com")
    enter(page, "button", "Save")
    enter(page, "button", "Delete")
    question = page.get_by_role("dialog")
    expect(question).to_be_visible()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    enter(page, "link", "Deliveries", "Shift+Tab")
    row = page.get_by_role("row").filter(has_text="200 OK")
    tab_to(page, row.get_by_role("link").first)
    page.keyboard.press("Enter")
    expect(page.get_by_text("webhook-signature").first).to_be_visible()
    enter(page, "link", "Signature lab")
    tab_to(page, page.get_by_label("Paste the signature"))
    page.keyboard.type("v1," + "A" * 43 + "=")
    enter(page, "button", "Check")
    expect(page.get_by_role("status").filter(has_text="none of the usual mistakes")).to_be_visible()


def test_the_first_tab_leads_past_the_menu(page: Page) -> None:
    sign_up(page)
    page.goto("/contacts")
    tab_to(page, page.get_by_role("link", name="Skip to content"))
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="List", exact=True)).to_be_focused()


def test_menus_open_and_close_and_give_the_focus_back(page: Page) -> None:
    sign_up(page)
    page.goto("/deliveries")
    enter(page, "button", "Event")
    choice = page.get_by_role("link", name="ContactUpdated")
    tab_to(page, choice)
    page.keyboard.press("Escape")
    expect(choice).to_be_hidden()
    expect(page.get_by_role("button", name="Event")).to_be_focused()

    page.set_viewport_size({"width": 390, "height": 844})
    link = page.get_by_role("link", name="Contacts", exact=True)
    expect(link).to_be_hidden()
    enter(page, "button", "Menu", "Shift+Tab")
    tab_to(page, link)
    page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(page.get_by_role("button", name="Menu")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, link)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Contacts", exact=True)).to_be_visible()
