"""Every page in every state: readable by everybody, in both themes, on any screen, and light enough for a bad line."""

import os
from collections.abc import Iterator, Sequence

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from flask import Flask, abort
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Request, Route, expect
from werkzeug.test import TestResponse

from portal.accounts.views import public
from tests.conftest import Person
from tests.e2e.conftest import LIMIT
from tests.e2e.states import STATES, State, World, peopled
from tests.e2e.test_six_steps import sign_up
from tests.system.installation import Browser, Installation

pytestmark = pytest.mark.browser

PAGE_BYTES, FRAGMENT_BYTES = 150 * 1024, 15 * 1024
WIDE, PHONE, HEIGHT = 1280, 390, 900
OTHER_WIDTHS = (1920, WIDE, 768, PHONE, 360)
NO_PAGES = {"static", "health.show", "docs.schema", "docs.asyncapi", "sandbox.receive", "webhooks.test_result",
            "webhooks.charts", "deliveries.download", "contacts.picture", "contacts.suggest", "exports.download",
            "imports.refused", "contact_list.add_filter", "audit.download", "privacy.export",
            "metrics.show"}  # fmt: skip
"""What answers a GET with something else than a page of its own."""
REFUSALS = (400, 403, 404, 413, 429, 500)
FACTS = """() => ({
  title: document.title,
  headings: document.querySelectorAll("h1").length,
  width: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""
LOOKS = ((WIDE, "light"), (PHONE, "dark"))
"""Each state is judged in one of them, its neighbour in the other; `make thorough` judges each in both."""
PRESS_TWICE = """(button) => {
  const refused = [];
  addEventListener("submit", (event) => { refused.push(event.defaultPrevented); event.preventDefault(); });
  button.click();
  button.click();
  return { refused, shows: getComputedStyle(button, "::after").animationName };
}"""
JUDGE = """() => axe.run({ resultTypes: ["violations", "incomplete"] }).then((all) => {
  const unseen = (node) => node.any.some((check) => check.data?.messageKey === "bgGradient");
  return [...all.violations, ...all.incomplete.filter((one) => one.nodes.some(unseen))];
})"""
"""What breaks a rule, and where a gradient would hide it."""
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Looker:
    """A browser window without a cache, and what is wrong with the pages that it is shown."""

    def __init__(self, page: Page, people: dict[str, Browser], world: World, home: str) -> None:
        self.page, self.people, self.world, self.home = page, people, world, home
        self.who = "nobody"
        self.trouble: list[str] = []
        self.loaded: list[Request] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        page.on("request", self._begin)
        page.on("requestfinished", lambda request: self.loaded.append(request))
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def open(self, state: State) -> None:
        """Come to the page in that state."""
        self.become(state.who)
        self.go(state.address.format_map(self.world))
        if state.act:
            state.act(self.page)

    def show(self, answer: TestResponse) -> None:
        """Show a page that this installation itself would not give."""
        self.page.route(
            "**/shown",
            lambda route: route.fulfill(status=answer.status_code, body=answer.text, headers=dict(answer.headers)),
        )
        self.go("/shown")
        self.page.unroute("**/shown")

    def go(self, address: str) -> None:
        self.page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        self.page.emulate_media(reduced_motion="reduce")
        self.page.goto(address)

    def become(self, who: str) -> None:
        """Go on as that person."""
        if who != self.who:
            self.who = who
            self.page.context.clear_cookies()
            jar = self.people[who].session.cookies
            cookies = [{"name": one.name, "value": one.value or "", "url": self.home} for one in jar]
            self.page.context.add_cookies(cookies)  # type: ignore[arg-type]

    def judge(self, looks: Sequence[tuple[int, str]] = LOOKS) -> list[str]:
        """All that is wrong with the page as it stands."""
        wrong = [f"{weight:,} bytes" for weight in [self.weight()] if weight > PAGE_BYTES]
        for width in OTHER_WIDTHS:
            wrong += self._shape(width)
        for width, theme in looks:
            wrong += self._at(width, theme)
        wrong += self.trouble
        self.trouble.clear()
        return wrong

    def weight(self) -> int:
        """Bytes of bodies, as transferred, since the page was opened."""
        return sum(request.sizes()["responseBodySize"] for request in self.loaded)

    def fragment(self) -> int:
        """Bytes that htmx is answered at the page's address; 0 where there are only whole pages."""
        answer = self.page.context.request.get(self.page.url, headers=PARTIAL)
        return 0 if "<html" in answer.text() else int(answer.headers["content-length"])

    def _at(self, width: int, theme: str) -> list[str]:
        self.page.evaluate("(theme) => { document.documentElement.dataset.bsTheme = theme }", theme)
        wrong = self._shape(width)
        found = self.page.evaluate(JUDGE)
        return wrong + [f"{width} {theme}: {one['id']} {node['target']}" for one in found for node in one["nodes"]]

    def _shape(self, width: int) -> list[str]:
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        facts = self.page.evaluate(FACTS)
        wrong = [f"{width}: {facts['width']} px too wide"] if facts["width"] > 0 else []
        wrong += [f"{facts['headings']} h1"] if facts["headings"] != 1 else []
        return wrong + (["no title"] if not facts["title"].removesuffix("· CloudCX").strip() else [])

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
            self.trouble.append(f"console: {message.text}")

    def _begin(self, request: Request) -> None:
        if request.is_navigation_request():
            self.loaded.clear()


@pytest.fixture(scope="module")
def looker(chromium: Chromium, portal: Installation) -> Iterator[Looker]:
    """One window for all pages."""
    with peopled(portal) as (people, world):
        context = chromium.new_context(base_url=portal.url)
        context.set_default_timeout(LIMIT)
        context.add_init_script(AXE_SCRIPT)
        yield Looker(context.new_page(), people, world, portal.url)
        context.close()


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_page_is_readable_fits_every_screen_and_is_light(looker: Looker, state: State) -> None:
    looker.open(state)
    looks = LOOKS if os.environ.get("THOROUGH") else [LOOKS[STATES.index(state) % 2]]
    assert looker.judge(looks) == []
    assert looker.fragment() <= FRAGMENT_BYTES


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_so_are_refusals(looker: Looker, app: Flask, dana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor, wrong = app.test_client(), {}
    for client, status in [(visitor, 404), *((dana.client, status) for status in REFUSALS)]:
        monkeypatch.setitem(app.view_functions, "docs.receiving", public(lambda status=status: abort(status)))
        looker.show(client.get("/docs/receiving"))
        wrong[status] = looker.judge()
    app.config["SIGNUP"] = "first"
    looker.show(visitor.get("/signup"))
    wrong[0] = looker.judge()
    assert not any(wrong.values()), wrong


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_page_is_left_out(app: Flask) -> None:
    there = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert there - NO_PAGES == {state.endpoint for state in STATES}


def test_what_was_pressed_says_so_at_once_and_is_not_sent_twice(page: Page) -> None:
    sign_up(page)
    page.goto("/contacts/new")
    save = page.get_by_role("button", name="Save")
    assert save.evaluate(PRESS_TWICE) == {"refused": [False, True], "shows": "turn"}
    page.goto("/apps/webhooks/new")
    held: list[Route] = []
    page.route("**/new", lambda route: held.append(route))
    with page.expect_request("**/new"):
        save.click()
    assert save.evaluate(PRESS_TWICE) == {"refused": [], "shows": "turn"}
    held.pop().continue_()
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    assert held == []
