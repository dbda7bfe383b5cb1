"""A real browser in front of a whole installation."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.browser import find
from tests.conftest import serving_valkey
from tests.contacts.conftest import Fields
from tests.receiving import Receiver, receiving
from tests.system.conftest import free_port, numbers
from tests.system.forked import Quick
from tests.system.installation import PASSWORD, Browser, Installation, installed

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
LIMIT = 30_000
"""Milliseconds; only a limit for what never comes."""
expect.set_options(timeout=LIMIT)  # 5 s are not enough on a machine that kills workers beside


def sign_up(page: Page) -> str:
    """Open the portal as a new Administrator, without filling the form in; returns the e-mail address."""
    email = f"dana{next(numbers)}@example.com"
    form = {"workspace": "Harbour Support", "name": "Dana Whitfield", "email": email, "password": PASSWORD}
    answer = page.request.post("/signup", form=Fields(page.request.get("/signup").text()).values | form)
    assert answer.ok, answer.text()
    page.goto("/")
    return email


def become(context: BrowserContext, person: Browser) -> None:
    """Be signed in where that person is, and nowhere else."""
    context.clear_cookies()
    cookies = [{"name": one.name, "value": one.value or "", "url": person.url} for one in person.session.cookies]
    context.add_cookies(cookies)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The machine's Chromium. Without one, browser tests are skipped, except in CI, where that fails."""
    path = find()
    if not path:
        sentence = "no Chromium on this machine and none could be installed"
        pytest.fail(sentence) if os.environ.get("CI") else pytest.skip(sentence)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Web and worker on SQLite, as `make run` starts them."""
    folder = tmp_path_factory.mktemp("e2e")
    with serving_valkey() as (_, redis_url):
        database = f"sqlite:///{folder / 'portal.db'}"
        with installed(database, redis_url, folder / "data", free_port(), Quick) as made:
            made.web()
            made.worker()
            yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@contextmanager
def opened(chromium: Chromium, portal: Installation, **options: Any) -> Iterator[Page]:
    """A fresh browser window; any message of the page's security policy or script error fails the test."""
    # Whatever moves is clicked once it stands still: that is waited for.
    context = chromium.new_context(base_url=portal.url, reduced_motion="reduce", **options)
    context.set_default_timeout(LIMIT)
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page
    context.close()
    unexpected = [one for one in trouble if "the server responded with a status of 4" not in one]
    assert unexpected == []


@pytest.fixture
def page(chromium: Chromium, portal: Installation) -> Iterator[Page]:
    """A fresh browser window."""
    with opened(chromium, portal) as made:
        yield made


@pytest.fixture
def page_without_scripts(chromium: Chromium, portal: Installation) -> Iterator[Page]:
    """A fresh window of a browser that runs no JavaScript."""
    with opened(chromium, portal, java_script_enabled=False) as made:
        yield made
