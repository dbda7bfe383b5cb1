"""An import in a real browser: choose, map, check, run, mend what is refused; by mouse, by keyboard and on a phone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.e2e.conftest import opened, sign_up
from tests.e2e.test_keyboard import enter, tab_to
from tests.system.installation import Installation, until

pytestmark = pytest.mark.browser

PEOPLE = "Mail,Given name,Town,Remark\nana@x.example,Ana,Porto,One\nbo at x,Bo,Faro,Two\ncara@x.example,Cara,Braga,\n"


def begin(page: Page, folder: Path, text: str = PEOPLE) -> None:
    """From the list of contacts to the page of columns."""
    file = folder / "people.csv"
    file.write_text(text)
    page.goto("/contacts")
    page.get_by_role("link", name="Import", exact=True).click()
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="What do the columns of people.csv mean?")).to_be_visible()


def test_from_the_file_to_the_contacts_and_the_mended_rows(page: Page, tmp_path: Path) -> None:
    sign_up(page)
    begin(page, tmp_path)
    expect(page.get_by_label("Mail goes to")).to_have_value("email")
    page.get_by_label("Town goes to").select_option("Leave out")
    page.get_by_label("Remark goes to").select_option("First name")
    page.get_by_role("button", name="Check all rows").click()
    page.get_by_role("link", name="First name is filled by column 2 already.").click()
    page.get_by_label("Remark goes to").select_option("Notes")
    page.get_by_label("Town goes to").select_option("City")
    page.get_by_label("Tags for all of them").fill("Spring")
    page.get_by_role("button", name="Check all rows").click()
    expect(page.get_by_text("2 contacts would be made or changed")).to_be_visible()
    expect(page.get_by_text("Give a full e-mail address")).to_be_visible()
    page.get_by_role("button", name="Import 2 contacts").click()
    expect(page.get_by_role("heading", name="people.csv is imported")).to_be_visible()
    page.reload()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download refused rows").click()
    refused = started.value.path().read_text(encoding="utf-8-sig")
    assert "Reason" in refused

    begin(page, tmp_path, refused.replace("bo at x", "bo@x.example"))
    expect(page.get_by_label("Reason goes to")).to_have_value("")
    page.get_by_role("button", name="Check all rows").click()
    page.get_by_role("button", name="Import 1 contact").click()
    expect(page.get_by_role("heading", name="is imported")).to_be_visible()
    page.get_by_role("link", name="Open contacts").click()
    for name in ("Ana", "Bo", "Cara"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="Export", exact=True).first.click()
        page.get_by_role("button", name="Download CSV").click()
    begin(page, tmp_path, started.value.path().read_text(encoding="utf-8-sig"))
    page.get_by_role("button", name="Check all rows").click()
    expect(page.get_by_text("every row says what its contact says already")).to_be_visible()


def test_by_keyboard_on_a_phone(chromium: Chromium, portal: Installation, tmp_path: Path) -> None:
    with opened(chromium, portal) as page:
        sign_up(page)
        page.set_viewport_size({"width": 390, "height": 800})
        begin(page, tmp_path)
        tab_to(page, page.get_by_label("Remark goes to"))
        page.keyboard.type("Job")
        enter(page, "button", "Check all rows")
        expect(page.get_by_text("2 contacts would be made or changed")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        enter(page, "button", "Import 2 contacts")
        expect(page.get_by_role("heading", name="people.csv is imported")).to_be_visible()
        enter(page, "link", "Open contacts")
        expect(page).to_have_url(re.compile("/contacts$"))
        expect(page.get_by_role("link", name="Ana", exact=True)).to_be_visible()


def test_without_scripts(page_without_scripts: Page, tmp_path: Path) -> None:
    page = page_without_scripts
    sign_up(page)
    begin(page, tmp_path)
    page.get_by_role("button", name="Check all rows").click()
    expect(page.get_by_role("heading", name=re.compile("people.csv"))).to_be_visible()
    begins = page.get_by_role("button", name="Import 2 contacts")
    until(lambda: begins.is_visible() or page.reload() is None, "all rows are checked")
    begins.click()
    expect(page.get_by_role("heading", name=re.compile("people.csv"))).to_be_visible()
