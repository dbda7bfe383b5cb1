"""Signing in as people do: two steps, a lost phone, another browser, a forgotten password, a session that ended."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, expect

from tests.conftest import serving_valkey
from tests.e2e.conftest import opened, sign_up
from tests.system.conftest import free_port
from tests.system.forked import Quick
from tests.system.installation import PASSWORD, Installation, installed, until
from tests.test_mail import Postbox

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
ANOTHER = "four words nobody knows"


def log_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def log_out(page: Page) -> None:
    if page.get_by_role("button", name="Menu").is_visible():
        page.get_by_role("button", name="Menu").click()
    page.get_by_role("button", name="Log out", exact=True).last.click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def end_other(page: Page) -> None:
    page.get_by_role("row").get_by_role("link", name="Log out").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    expect(page.get_by_text("That browser is logged out.")).to_be_visible()


def is_home(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).not_to_have_text(re.compile("Log in|code"))
    page.goto("/account")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def switch_on(page: Page) -> tuple[str, list[str]]:
    page.goto("/account")
    page.get_by_role("link", name="Set up").click()
    box = page.get_by_role("img", name="QR picture for the authenticator app").locator("svg").bounding_box()
    assert box
    assert box["width"] > 150, "it can be scanned"
    secret = page.locator("#key").inner_text().replace(" ", "")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password")).to_have_attribute("type", "text")
    done, refused = page.get_by_role("heading", name="Your recovery codes"), page.get_by_text("Not saved yet")
    for _ in range(2):  # the code before this one, so that the next can log in: it may end in this very moment
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).at(int(time.time()) - 30))
        page.get_by_role("button", name="Switch on").click()
        expect(done.or_(refused).first).to_be_visible()
        if done.is_visible():
            break
    expect(done).to_be_visible()
    return secret, page.locator("#codes").inner_text().split()


@pytest.mark.parametrize("size", [PHONE, pytest.param(None, marks=pytest.mark.thorough)], ids=["phone", "wide"])
def test_two_steps_a_lost_phone_another_browser_and_a_forgotten_password(
    page: Page, chromium: Chromium, portal: Installation, size: dict[str, int] | None
) -> None:
    if size:
        page.set_viewport_size(size)  # type: ignore[arg-type]
    email = sign_up(page)
    secret, codes = switch_on(page)
    log_out(page)
    log_in(page, email)
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Log in").click()
    is_home(page)

    with opened(chromium, portal) as other:
        log_in(other, email)
        other.get_by_label("Code", exact=True).fill(codes[0])
        other.get_by_role("button", name="Log in").click()
        expect(other.get_by_text("You used a recovery code. 9 are left")).to_be_visible()
        is_home(other)
        page.reload()
        end_other(page)
        other.reload()
        expect(other.get_by_role("heading", name="Log in")).to_be_visible()

    page.get_by_role("link", name="Change password").click()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("password1234")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("on the lists that guessers try first").last).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill(ANOTHER)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Your password is changed.")).to_be_visible()
    fits(page)


def test_a_log_out_takes_the_pages_of_other_tabs_along_but_not_what_is_typed_there(page: Page) -> None:
    sign_up(page)
    page.get_by_role("button", name="Dark theme").click()
    page.goto("/settings")
    other, typing = page.context.new_page(), page.context.new_page()
    other.goto("/settings")
    typing.goto("/contacts/new")
    typing.get_by_label("First name").fill("Ada")
    log_out(page)
    expect(page.locator("html[data-bs-theme=dark]")).to_be_visible()
    expect(other).to_have_url(re.compile("/login.next=/settings$"))
    expect(typing.get_by_label("First name")).to_have_value("Ada")
    page.go_back()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


@pytest.mark.parametrize(
    ("window", "how"),
    [
        ("page", "ended elsewhere"),
        ("page_without_scripts", "cookies gone"),
        pytest.param("page", "cookies gone", marks=pytest.mark.thorough),
        pytest.param("page_without_scripts", "ended elsewhere", marks=pytest.mark.thorough),
    ],
)
def test_a_form_comes_back_with_what_was_typed(
    window: str, how: str, request: pytest.FixtureRequest, chromium: Chromium, portal: Installation
) -> None:
    page: Page = request.getfixturevalue(window)
    email = sign_up(page)
    page.goto("/contacts/new")
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Email", exact=True).fill("ada@example.com")
    page.get_by_label("Notes").fill("Ten minutes\nof typing")
    if how == "cookies gone":
        page.context.clear_cookies()
    else:
        with opened(chromium, portal) as other:
            log_in(other, email)
            other.goto("/account")
            end_other(other)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("You were logged out, and nothing is saved yet.")).to_be_visible()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    if window == "page_without_scripts":
        page.get_by_role("button", name="Back to what you typed").click()
    expect(page.get_by_label("First name")).to_have_value("Ada")
    expect(page.get_by_label("Notes")).to_have_value("Ten minutes\nof typing")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Ada")).to_be_visible()


def test_a_page_that_htmx_sends_stays_as_it_is(page: Page) -> None:
    email = sign_up(page)
    page.goto("/apps/webhooks")
    page.get_by_role("link", name="Create contact webhook").first.click()
    page.get_by_label("ContactDeleted", exact=True).check()
    page.get_by_label("URL", exact=True).fill("https://hooks.acme.example/contacts")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog", name="You were logged out")
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_label("Password").fill("not my password")
    dialog.get_by_role("button", name="Log in").click()
    expect(dialog.get_by_text("is not right")).to_be_visible()
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("You are logged in again.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("whsec_").first).to_be_visible()


@pytest.fixture
def posting(tmp_path: Path) -> Iterator[tuple[Installation, Postbox]]:
    """An installation that sends letters, and where they arrive."""
    box, database = Postbox(), f"sqlite:///{tmp_path / 'portal.db'}"
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    with serving_valkey() as (_, redis_url), installed(database, redis_url, tmp_path, free_port(), Quick) as made:
        made.env["SMTP_URL"] = f"smtp://127.0.0.1:{server.port}"
        made.web()
        made.worker()
        yield made, box
    server.stop()


def test_a_forgotten_password_is_set_anew_by_the_letter(
    chromium: Chromium, posting: tuple[Installation, Postbox]
) -> None:
    portal, box = posting
    with opened(chromium, portal, viewport=PHONE) as page:
        email = sign_up(page)
        log_out(page)
        page.get_by_role("link", name="Forgot your password?").click()
        page.get_by_label("Email").fill(email)
        fits(page)
        page.get_by_role("button", name="Send the link").click()
        expect(page.get_by_role("status")).to_contain_text("a letter with a link is on its way")
        fits(page)
        [link] = re.findall(r"http\S+/reset/\S+", until(lambda: box.got and box.got[0], "a letter").get_content())
        page.goto(link)
        page.get_by_label("New password").fill(ANOTHER)
        fits(page)
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text("Your new password is set. Log in with it.")).to_be_visible()
        fits(page)
        log_in(page, email)
        expect(page.get_by_text("is not right").last).to_be_visible()
        log_in(page, email, ANOTHER)
        is_home(page)


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
