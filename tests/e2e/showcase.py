"""A workspace as it looks after a busy morning: people, healthy and failing webhooks, failures of several kinds."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext

from tests.conftest import serving_valkey
from tests.e2e.conftest import become
from tests.receiving import Got, receiving
from tests.system.conftest import free_port
from tests.system.installation import Browser, Installation, installed, until

PEOPLE = [
    ("Priya", "Raman", "Lumenworks", "VIP", "+44 20 7946 0101"),
    ("Tomás", "Herrera", "Northwind Traders", "VIP, Renewal", "+34 91 555 0142"),
    ("Ingrid", "Solberg", "Fjordline AS", "VIP", "+47 22 55 01 17"),
    ("Kwame", "Mensah", "Brightside Energy", "VIP, Beta", "+233 30 255 0117"),
    ("Beatriz", "Lopes", "Mar e Terra", "", "+351 21 555 0188"),
    ("Hannah", "Vogel", "Steinbach GmbH", "Renewal", "+49 30 5550 0123"),
    ("Oluwaseun", "Adeyemi", "Kolaboard", "Beta", "+234 1 555 0164"),
    ("Yuki", "Tanabe", "Tanabe Studio", "Renewal", "+81 3 5555 0188"),
]
EVERYTHING = "ContactCreated ContactUpdated ContactDeleted"
WEBHOOKS = {
    "CRM": ("/crm/contacts", EVERYTHING),
    "Billing": ("/billing/hooks", "ContactCreated ContactUpdated"),
    "Warehouse": ("/warehouse/in", "ContactUpdated"),
    "Newsletter": ("/newsletter/people", "ContactDeleted"),
    "Partner": ("/partner/events", "ContactUpdated"),
}
"""What each is for: where on its server it is received, and its events."""
EDITS = {1: {"job_title": "Head of Purchasing", "city": "Bilbao"}, 4: {"company_name": "Mar e Terra Lda"}}


@contextmanager
def running() -> Iterator[Installation]:
    """Web and worker on SQLite, as `make run` starts them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, redis_url = stack.enter_context(serving_valkey())
        made = installed(f"sqlite:///{folder / 'portal.db'}", redis_url, folder / "data", free_port())
        portal = stack.enter_context(made)
        portal.web()
        portal.worker()
        yield portal


@contextmanager
def shown() -> Iterator[tuple[Browser, dict[str, str]]]:
    """Dana, logged in, and the addresses of the screens worth looking at, by their names."""
    with running() as portal, receiving(204) as healthy, receiving(fail_some) as failing:
        dana = Browser(portal.url)
        dana.sign_up()
        servers = {
            "CRM": healthy.url,
            "Billing": failing.url,
            "Warehouse": f"http://127.0.0.1:{free_port()}/",  # nobody listens there
            "Newsletter": failing.url,
            "Partner": healthy.url.replace("http:", "https:"),  # a server that speaks no TLS
        }
        for name, url in servers.items():
            add_webhook(dana, name, url)
        dana.post("/apps/sandbox/use", page="/apps/sandbox")
        contacts = [add_contact(dana, *person) for person in PEOPLE]
        for number, edit in EDITS.items():
            dana.post(f"/contacts/{contacts[number]}/edit", edit)
        dana.post(f"/contacts/{contacts.pop()}/delete", page=f"/contacts/{contacts[0]}")
        until(lambda: is_calm(dana), "the deliveries")
        yield dana, addresses(dana, contacts[1])


def logged_in(chromium: Chromium, dana: Browser, **options: Any) -> BrowserContext:
    """A browser with an empty cache in which Dana is logged in."""
    context = chromium.new_context(base_url=dana.url, **options)
    become(context, dana)
    return context


def fail_some(got: Got) -> int:
    """One system is in maintenance for one contact and breaks on another, the other one is gone for good."""
    if got.path.startswith("/newsletter"):
        return 410
    return 503 if b"Solberg" in got.body else 500 if b"Vogel" in got.body else 200


def add_webhook(dana: Browser, name: str, url: str) -> None:
    """One of the webhooks, on the server at `url`."""
    path, events = WEBHOOKS[name]
    form = {"url": re.sub(r"(:\d+)/.*", rf"\1{path}", url), "description": name, **dict.fromkeys(events.split(), "y")}
    answer = dana.post("/apps/webhooks/new", form)
    assert "whsec_" in answer.text, answer.text


def add_contact(dana: Browser, first: str, last: str, company: str, tags: str, phone: str) -> str:
    """A contact; returns its id."""
    email = f"{first.lower()}@{company.split()[0].lower()}.example".replace("á", "a")
    names = {"first_name": first, "last_name": last, "company_name": company}
    return dana.create_contact(**names, email=email, phone_number=phone, tag_names=tags)


def is_calm(dana: Browser) -> bool:
    """Whether everything was tried, and what failed once more after it."""
    log = dana.get("/deliveries").text
    return (
        "Sending" not in log
        and log.count(">2 of 10<") >= 2
        and log.count("204 No Content") == len(PEOPLE) + len(EDITS) + 1
    )


def addresses(dana: Browser, contact: str) -> dict[str, str]:
    """The screens, by name."""
    failed = one(r"/deliveries/[0-9a-f-]{36}", dana.get("/deliveries?q=Solberg").text, "503")
    return {
        "overview": "/",
        "contacts": "/contacts",
        "contact": f"/contacts/{contact}",
        "contact-new": "/contacts/new",
        "apps": "/apps",
        "webhooks": "/apps/webhooks",
        "webhook-new": "/apps/webhooks/new",
        "webhook": one(r"/apps/webhooks/[0-9a-f-]{36}", dana.get("/apps/webhooks").text, "billing"),
        "sandbox": "/apps/sandbox",
        "deliveries": "/deliveries",
        "delivery": failed,
        "settings": "/settings",
        "tags": "/settings/tags",
        "missing": "/contacts/nothing",
    }


def one(pattern: str, page: str, word: str) -> str:
    """The address like `pattern` in the row of a page that says `word`."""
    row = next(row for row in page.split("<tr") if word in row)
    found = re.search(pattern, row)
    assert found, row
    return found.group()
