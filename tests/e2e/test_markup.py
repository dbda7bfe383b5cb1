"""Whatever people and receivers write is shown as what they wrote: no page becomes theirs, in a real browser."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Dialog, Page, Request, expect

from portal.webhooks.exact import visible
from portal.webhooks.letters import MASK
from portal.webhooks.outbound import UrlRefused, check_url
from tests.conftest import Person
from tests.contacts.conftest import Fields
from tests.e2e.conftest import become
from tests.e2e.payloads import LONG, PAYLOADS
from tests.system.installation import PASSWORD, Browser, Installation, until

pytestmark = pytest.mark.browser

ASCII = [one for one in PAYLOADS if one.isascii()]
TAGS = [one for one in PAYLOADS if "," not in one]

WIDTHS = {
    "first_name": 100, "last_name": 100, "company_name": 200, "job_title": 200, "street": 200, "city": 100,
    "province": 100, "country_region": 100, "telegram_username": 100, "instagram_username": 100,
    "facebook_username": 100, "language": 50, "contact_id": 36, "zip_code": 20,
}  # fmt: skip
"""How many characters each free field of a contact takes."""
STRANGE_EMAIL = "'`{{7*7}}${7*7}#=|@example.com"
JUDGE = """(page) => {
  const all = (selector) => [...page.querySelectorAll(selector)];
  return {
    text: [page.documentElement.textContent, ...all("input, textarea, option").map((one) => one.value)].join(" "),
    foreign: all("[pwn], x-pwn, [style], [href^='javascript:' i], [action^='javascript:' i]").map((one) => one.tagName),
  };
}"""
PARSE = f"(texts) => texts.map((text) => ({JUDGE})(new DOMParser().parseFromString(text, 'text/html')))"
OPENED = f"() => ({{ ...({JUDGE})(document), ran: 'pwn' in window }})"


def packed(payloads: Sequence[str], width: int) -> list[str]:
    """The payloads that fit into the width, as few texts as possible."""
    texts = [""]
    for one in payloads:
        if len(one) > width:
            continue
        if len(texts[-1]) + 1 + len(one) > width:
            texts.append("")
        texts[-1] = f"{texts[-1]} {one}".strip()
    return texts


NAMES = packed(PAYLOADS, 100)
"""What people and workspaces are called."""


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


class Visitor:
    """Lets the browser read pages, and holds against each of them what it may not do."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home
        self.trouble: list[str] = []
        page.on("dialog", self._dismiss)
        page.on("request", self._judge)

    def open(self, address: str, shown: Sequence[str]) -> None:
        """Open the page, and see all of `shown` on it, letter by letter."""
        self.page.goto(address)
        self.read(shown)

    def read(self, shown: Sequence[str]) -> None:
        """Judge the page that is open."""
        seen = self.page.evaluate(OPENED)
        assert (seen["ran"], self.trouble) == (False, []), self.page.url
        accept(seen, shown, self.page.url)

    def parse(self, pages: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Let the browser make documents of these pages, each with what it shows; quicker than to open them all."""
        for (text, shown), seen in zip(pages, self.page.evaluate(PARSE, [text for text, _ in pages]), strict=True):
            accept(seen, shown, text[:2000])

    def become(self, person: Browser) -> None:
        """Go on as that person."""
        become(self.page.context, person)

    def _judge(self, request: Request) -> None:
        if not request.url.startswith((self.home, "data:")):
            self.trouble.append(f"a request to {request.url}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.trouble.append(f"a dialog: {dialog.message}")
        dialog.dismiss()


def accept(seen: dict[str, Any], shown: Sequence[str], page: str) -> None:
    """The page shows these texts as they are, and nothing on it was made by them."""
    text = one_line(seen["text"])
    assert seen["foreign"] == [], page
    assert [one for one in shown if one_line(one) not in text] == [], page


@contextmanager
def hostile_receiver() -> Iterator[str]:
    """A receiver whose answer is markup wherever an answer can hold text; yields its address."""
    head = [f"HTTP/1.1 200 {' '.join(ASCII)}", *(f"x-{number}: {one}" for number, one in enumerate(ASCII))]
    answer = "\r\n".join([*head, "connection: close", "", "\n".join([*PAYLOADS, LONG])]).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def contacts() -> list[dict[str, str]]:
    """Contacts that carry every payload in every free field that has room for it."""
    texts = {name: packed(PAYLOADS, width) for name, width in WIDTHS.items()}
    count = max(map(len, texts.values()))
    every = [{name: several[i % len(several)] for name, several in texts.items()} for i in range(count)]
    for i, contact in enumerate(every):
        contact |= {"contact_id": f"{i:02} {contact['contact_id']}", "notes": "\n".join(PAYLOADS)}
        contact |= {"tags": ", ".join(TAGS[i::count]), "email": STRANGE_EMAIL}
        contact["avatar_url"] = "https://example.com/?" + re.sub(r"\s", "/", "".join(PAYLOADS[i::count]))
    every[0]["notes"] = LONG
    return every


@pytest.fixture(scope="module")
def dana(portal: Installation) -> Browser:
    """Somebody whose name is markup, at work for a company whose name is markup."""
    person = Browser(portal.url)
    form = {"workspace": NAMES[0], "name": NAMES[1], "email": "markup@example.com", "password": PASSWORD}
    person.post("/signup", form)
    return person


@pytest.fixture
def visitor(page: Page, portal: Installation, dana: Browser) -> Visitor:
    """The browser, signed in as Dana."""
    made = Visitor(page, portal.url)
    made.become(dana)
    return made


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_names_of_people_and_workspaces(visitor: Visitor, sign_up: Callable[[str, str], Person]) -> None:
    visitor.open("/settings", NAMES[:2])
    people = [sign_up(name, workspace) for name, workspace in zip(NAMES, reversed(NAMES), strict=True)]
    pages = [person.client.get("/settings").text for person in people]
    visitor.parse([*zip(pages, zip(NAMES, reversed(NAMES), strict=True), strict=True)])


def test_contacts_and_tags(visitor: Visitor, dana: Browser) -> None:
    every = contacts()
    shown = [[*(text for name, text in one.items() if name != "tags"), *one["tags"].split(", ")] for one in every]
    form = Fields(dana.get("/contacts/new").text).values
    saved = [dana.session.post(f"{dana.url}/contacts/new", form | one, timeout=30) for one in every]
    edited = [dana.session.get(f"{page.url}/edit", timeout=30) for page in saved]
    visitor.parse([(page.text, texts) for page, texts in zip([*saved, *edited], shown * 2, strict=True)])
    for page in (saved[0], edited[0]):
        visitor.open(page.url, shown[0])
    names = [f"{one['first_name']} {one['last_name']}" for one in every]
    visitor.open("/contacts", [*names, *(one["company_name"] for one in every)])
    visitor.open("/settings/tags", TAGS)
    visitor.open("/contacts/new", TAGS)
    visitor.page.get_by_label("Email", exact=True).fill("b@example.com")
    visitor.page.get_by_label("First name").fill(PAYLOADS[0])
    visitor.page.get_by_role("button", name="Save").click()
    expect(visitor.page.get_by_text("is saved.")).to_be_visible()
    visitor.read([f"{PAYLOADS[0]} is saved."])


def test_what_is_searched_for_and_what_is_refused(visitor: Visitor, dana: Browser) -> None:
    pages = []
    for one in packed(PAYLOADS, 200):
        query = urlencode(dict.fromkeys(("q", "sort", "after", "webhook", "contact", "status", "request", "next"), one))
        pages += [(dana.get(f"/{path}?{query}").text, [one]) for path in ("contacts", "deliveries")]
        pages += [(dana.get(f"/{path}?{query}").text, []) for path in ("apps/sandbox", "docs/receiving")]
    visitor.parse(pages)
    visitor.open(f"/contacts?{query}", [one])
    everything = " ".join(PAYLOADS)
    for path in ("/contacts/new", "/apps/webhooks/new"):
        form = dict.fromkeys((*WIDTHS, "email", "phone_number", "avatar_url", "tags", "url", "description"), everything)
        refused = dana.post(path, form)
        assert refused.status_code == 422
        visitor.parse([(refused.text, [everything])])


def test_webhooks_and_answers_of_receivers(visitor: Visitor, dana: Browser) -> None:
    headers = [f"x-m{number}: {' '.join(ASCII[number::20])}" for number in range(20)]
    masked = [f"x-m{number}: {MASK}" for number in range(20)]
    texts = packed(PAYLOADS, 200)
    with hostile_receiver() as home:
        path = "/".join(re.sub(r"\s", "/", one) for one in PAYLOADS if can_be_in_a_url(one))
        forms = [{"url": f"{home}/{path}", "ContactCreated": "y", "headers": "\n".join(headers)}]
        forms += [{"url": f"{home}/{number}", "ContactDeleted": "y"} for number in range(1, len(texts))]
        for form, text in zip(forms, texts, strict=True):
            assert dana.post("/apps/webhooks/new", form | {"description": text}).status_code == 201
        contact = dana.create_contact(first_name=texts[0][:100], notes="\n".join(PAYLOADS), email=STRANGE_EMAIL)
        until(lambda: "200 OK" in dana.get("/deliveries").text, "the answer")
    visitor.open("/apps/webhooks", [path, *texts])
    webhook = address_on(dana.get("/deliveries?status=succeeded"), "webhook=")
    for form in ("", "/edit"):
        visitor.open(f"/apps/webhooks/{webhook}{form}", [path, texts[0], *masked])
    visitor.open(f"/contacts/{contact}", [path])
    visitor.open("/deliveries", [path])
    delivery = address_on(dana.get("/deliveries"), "/deliveries/")
    answers = [visible(one) for one in (*ASCII, *PAYLOADS)]
    bodies = [visible(json.dumps(one, ensure_ascii=False)[1:-1]) for one in PAYLOADS]
    for view in ("", "?view=raw"):
        visitor.open(f"/deliveries/{delivery}{view}", [*answers, *bodies])
    visitor.open(f"/deliveries/{delivery}/lab", bodies)


def test_what_anybody_posts_to_the_sandbox(visitor: Visitor, dana: Browser) -> None:
    address = address_on(dana.get("/apps/sandbox"), "/sandbox/", "[\\w-]{20,}")
    plain, inside_json = map(visible, PAYLOADS), (visible(json.dumps(one)[1:-1]) for one in PAYLOADS)
    for texts, body, shown in (
        (ASCII[:30], "\n".join(PAYLOADS), [*plain]),
        (ASCII[30:], json.dumps(PAYLOADS), [*inside_json]),
    ):
        said = " ".join(texts)
        headers = {"x-cloudcx-event": said, "x-cloudcx-attempt": said, "webhook-id": said, "content-type": said}
        requests.post(f"{dana.url}/sandbox/{address}", data=body.encode(), headers=headers, timeout=30)
        for view in ("", "?view=raw"):
            visitor.open(f"/apps/sandbox{view}", [said, *shown])


def can_be_in_a_url(text: str) -> bool:
    try:
        check_url("https://example.com/" + re.sub(r"\s", "/", text))
    except UrlRefused:
        return False
    return True


def address_on(page: requests.Response, before: str, kind: str = "[0-9a-f-]{36}") -> str:
    """The first id on the page that follows these letters."""
    found = re.search(f"{before}({kind})", page.text)
    assert found, page.url
    return found[1]
