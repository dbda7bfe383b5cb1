"""Every page in every state: readable by everybody, in both themes, on any screen, and light enough for a bad line."""

import re
from collections.abc import Iterator, Sequence

import pytest
from _pytest.mark import ParameterSet
from axe_playwright_python.base import AXE_SCRIPT
from flask import Flask, abort
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Page, Request, Route, expect
from werkzeug.test import TestResponse

from portal.accounts.views import public
from tests.conftest import Person
from tests.e2e.conftest import LIMIT, become, sign_up
from tests.e2e.states import STATES, State, World, peopled
from tests.system.installation import Browser, Installation
from tests.turns import IS_THOROUGH, share

pytestmark = pytest.mark.browser

PAGE_BYTES, FRAGMENT_BYTES = 150 * 1024, 15 * 1024
WIDE, PHONE, HEIGHT = 1280, 390, 900
WIDTHS = (1920, WIDE, 768, PHONE, 360) if IS_THOROUGH else (WIDE, PHONE)
NO_PAGES = {"static", "health.show", "docs.schema", "docs.asyncapi", "sandbox.receive", "webhooks.test_result",
            "webhooks.charts", "deliveries.download", "contacts.picture", "contacts.suggest", "exports.download",
            "imports.refused", "contact_list.add_filter", "audit.download", "privacy.export",
            "metrics.show", "accounts.here"}  # fmt: skip
"""What answers a GET with something else than a page of its own."""
REFUSALS = (400, 403, 404, 413, 429, 500, 503)
FACTS = """() => ({
  title: document.title,
  headings: document.querySelectorAll("h1").length,
  above: -document.querySelector("main").getBoundingClientRect().top - scrollY,
  width: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""
LOOKS = ((WIDE, "light"), (PHONE, "dark"))
"""Each state is judged in one of them, its neighbour in the other, without those parts that were judged in that look
before, letter by letter the same; `make thorough` judges all of each in both."""
PRESS_TWICE = """(button) => {
  const refused = [];
  addEventListener("submit", (event) => { refused.push(event.defaultPrevented); event.preventDefault(); });
  button.click();
  button.click();
  return { refused, shows: getComputedStyle(button, "::after").animationName };
}"""
PARTS = """() => [...document.querySelectorAll(".shell > header, nav a, section, form, fieldset, details, tr, li")]
  .filter((part) => part.checkVisibility())"""
TEXTS = "(parts) => parts.map((part) => part.outerHTML + part.innerText)"
"""Letter by letter, and what of it shows: a menu that opens is the same markup, but was not judged."""
TOKEN = re.compile(r'(?<=name="csrf_token" value=")[^"]*')
JUDGE = """([parts, known]) => axe.run(
  { exclude: parts.filter((_, number) => known.includes(number)) }, { resultTypes: ["violations", "incomplete"] },
).then((all) => {
  const unseen = (node) => node.any.some((check) => check.data?.messageKey === "bgGradient");
  return [...all.violations, ...all.incomplete.filter((one) => one.nodes.some(unseen))];
})"""
"""What breaks a rule, and where a gradient would hide it; not in the parts that are known by their numbers."""
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Looker:
    """A browser window without a cache, and what is wrong with the pages that it is shown."""

    def __init__(self, page: Page, people: dict[str, Browser], world: World) -> None:
        self.page, self.people, self.world = page, people, world
        self.who = "nobody"
        self.trouble: list[str] = []
        self.loaded: list[Request] = []
        self.judged: set[tuple[int, str, str]] = set()
        self.untouched = ""
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        page.on("request", self._begin)
        page.on("requestfinished", lambda request: self.loaded.append(request))
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})

    def open(self, state: State) -> None:
        """Come to the page in that state; from the same page, if nothing was done on it, without opening it anew."""
        address = state.address.format_map(self.world)
        if (state.who, address) != (self.who, self.untouched):
            self.become(state.who)
            self.go(address)
        self.resize(WIDE)
        self.untouched = "" if state.act else address
        if state.act:
            state.act(self.page)

    def show(self, answer: TestResponse) -> None:
        """Show a page that this installation itself would not give."""
        self.page.route(
            "**/shown",
            lambda route: route.fulfill(status=answer.status_code, body=answer.text, headers=dict(answer.headers)),
        )
        self.untouched = ""
        self.go("/shown")
        self.page.unroute("**/shown")

    def go(self, address: str) -> None:
        self.resize(WIDE)
        self.page.goto(address)

    def resize(self, width: int) -> None:
        if self.page.viewport_size != {"width": width, "height": HEIGHT}:
            self.page.set_viewport_size({"width": width, "height": HEIGHT})

    def become(self, who: str) -> None:
        """Go on as that person."""
        if who != self.who:
            self.who = who
            become(self.page.context, self.people[who])

    def judge(self, looks: Sequence[tuple[int, str]]) -> list[str]:
        """All that is wrong with the page as it stands."""
        wrong = [f"{weight:,} bytes" for weight in [self.weight()] if weight > PAGE_BYTES]
        for width in WIDTHS:
            wrong += self._shape(width)
            for theme in (theme for at, theme in looks if at == width):
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
        parts = self.page.evaluate_handle(PARTS)
        texts = [(width, theme, TOKEN.sub("", text)) for text in parts.evaluate(TEXTS)]
        known = [] if IS_THOROUGH else [number for number, text in enumerate(texts) if text in self.judged]
        self.judged.update(texts)
        found = self.page.evaluate(JUDGE, [parts, known])
        return [f"{width} {theme}: {one['id']} {node['target']}" for one in found for node in one["nodes"]]

    def _shape(self, width: int) -> list[str]:
        self.resize(width)
        facts = self.page.evaluate(FACTS)
        wrong = [f"{width}: {facts['width']} px too wide"] if facts["width"] > 0 else []
        wrong += [f"{width}: {facts['above']} px above the page's top"] if facts["above"] > 0 else []
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
        context = chromium.new_context(base_url=portal.url, reduced_motion="reduce")
        context.set_default_timeout(LIMIT)
        context.add_init_script(AXE_SCRIPT)
        yield Looker(context.new_page(), people, world)
        context.close()


def by_turns() -> Iterator[ParameterSet]:
    """Every page in its first state, and of the others every third; `make thorough` looks at all."""
    seen: set[str] = set()
    others = 0
    for state in STATES:
        others += state.endpoint in seen
        waits = state.endpoint in seen and others % 3
        seen.add(state.endpoint)
        yield pytest.param(state, id=state.name, marks=[pytest.mark.thorough] if waits else [])


@pytest.mark.parametrize("state", list(by_turns()))
def test_a_page_is_readable_fits_every_screen_and_is_light(looker: Looker, state: State) -> None:
    looker.open(state)
    assert looker.judge(share(LOOKS, STATES.index(state))) == []
    assert looker.fragment() <= FRAGMENT_BYTES


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_so_are_refusals(looker: Looker, app: Flask, dana: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor, wrong = app.test_client(), {}
    for number, (client, status) in enumerate([(visitor, 404), *((dana.client, status) for status in REFUSALS)]):
        monkeypatch.setitem(app.view_functions, "docs.receiving", public(lambda status=status: abort(status)))
        looker.show(client.get("/docs/receiving"))
        wrong[number] = looker.judge(share(LOOKS, number))
    app.config["SIGNUP"] = "first"
    looker.show(visitor.get("/signup"))
    wrong[-1] = looker.judge(LOOKS)
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
