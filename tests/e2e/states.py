"""Every page in every state that people see it in: what has to be there, who looks, and what they click."""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

from tests.receiving import Got, receiving
from tests.system.installation import Browser, Installation, until

PEOPLE = [
    ("Priya", "Raman", "Lumenworks", "VIP"),
    ("Tomás", "Herrera", "Northwind Traders", "VIP, Renewal"),
    ("Ingrid", "Solberg", "Fjordline AS", ""),
    ("Kwame", "Mensah", "Brightside Energy of Western Africa and Partners", "VIP, Beta, Renewal, Newsletter, Spring"),
]
FILLED = {
    "job_title": "Head of Support", "notes": "Prefers WhatsApp before noon.\nEscalations go to Valencia.",
    "telegram_username": "@therrera", "phone_number": "+34 91 555 0117", "street": "Calle de Serrano 41",
    "avatar_url": "https://images.example/people/a-very-long-address-of-a-picture-that-does-not-break-anywhere.png",
}  # fmt: skip
REFUSED, QUESTION, FORM, SECRET = "[role=alert]", ".ask:popover-open", "#form form", "#secret"
"""What shows that a press had its effect."""
ALL_SET = (
    "status=x&event=x&webhook=x&contact=x&result=404&trigger=test&attempt=first&slower=1&next=held&from=2026-11-20"
)
LONG_PATH = "/in/cloudcx/contacts/production/eu-west-1/a-path-that-takes-more-room-than-there-is"
World = dict[str, str]
"""The ids of what the pages are about, by what they stand for."""


@dataclass(frozen=True)
class State:
    """A page as somebody sees it: `address` names ids of the world in braces, `act` is what is done on it then."""

    name: str
    endpoint: str
    address: str
    who: str = "dana"
    act: Callable[[Page], None] | None = None


def press(name: str, then: str, role: Any = "button") -> Callable[[Page], None]:
    """Press what has that name, and wait until `then` is there."""

    def act(page: Page) -> None:
        page.get_by_role(role, name=name, exact=True).first.click()
        page.locator(then).first.wait_for()

    return act


def register(page: Page) -> None:
    """Save a new webhook, so that its secret shows."""
    page.get_by_label("ContactDeleted", exact=True).check()
    page.get_by_label("URL", exact=True).fill("https://hooks.acme.example/contacts")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("whsec_").first.wait_for()


def try_out(page: Page) -> None:
    """Send a test and see how it went."""
    page.get_by_role("button", name="Send test").click()
    page.locator("#test-result .pill.ok").wait_for()


def unfold(page: Page) -> None:
    """Open all that is folded."""
    for summary in page.locator("#delivery summary").all():
        summary.click()


def paste(page: Page) -> None:
    """Paste a signature into the lab that no mistake explains: what is said then is the most there is to say."""
    page.get_by_label("Paste the signature").fill("deadbeef" * 8)
    page.get_by_role("button", name="Check").click()
    page.locator("#verdict .note").wait_for()


def spoil(page: Page) -> None:
    """Type what is no address."""
    page.get_by_label("Email", exact=True).fill("no address")
    page.locator("#group-contact").get_by_role("button", name="Save").click()
    page.locator(REFUSED).first.wait_for()


def meet(page: Page) -> None:
    """Save what another tab has changed meanwhile."""
    page.get_by_label("City").fill("Nice")
    page.get_by_label("Street").fill(
        "Promenade des Anglais 1, where there is much to be said about the sea " + "x" * 40
    )
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("City").fill(f"Lyon {time.monotonic()}")
    other.locator("#group-address").get_by_role("button", name="Save").click()
    other.locator("#group-address dl").wait_for()
    other.close()
    page.locator("#group-address").get_by_role("button", name="Save").click()
    page.locator(".clash").first.wait_for()


STATES = [
    State("log in", "accounts.log_in", "/login", "nobody"),
    State("log in, refused", "accounts.log_in", "/login", "nobody", press("Log in", "[aria-invalid=true]")),
    State("sign up", "accounts.signup", "/signup", "nobody"),
    State("sign up, refused", "accounts.signup", "/signup", "nobody", press("Create workspace", REFUSED)),
    State("how to receive, for visitors", "docs.receiving", "/docs/receiving", "nobody"),
    State("first steps", "overview.index", "/", "newcomer"),
    State("no contacts", "contacts.index", "/contacts", "newcomer"),
    State("apps, nothing yet", "webhooks.apps", "/apps", "newcomer"),
    State("no webhooks", "webhooks.index", "/apps/webhooks", "newcomer"),
    State("no deliveries", "deliveries.index", "/deliveries", "newcomer"),
    State("sandbox, unused", "sandbox.show", "/apps/sandbox", "newcomer"),
    State("no custom fields", "definitions.fields", "/settings/fields", "newcomer"),
    State("no tags", "contacts.tags", "/settings/tags", "newcomer"),
    State("first steps, one done", "overview.index", "/", "beginner"),
    State("sandbox, waiting", "sandbox.show", "/apps/sandbox", "beginner"),
    State("overview", "overview.index", "/"),
    State("contacts", "contacts.index", "/contacts"),
    State("contacts, no match", "contacts.index", "/contacts?q=nobody+of+that+name"),
    State("contact", "contacts.show", "/contacts/{contact}"),
    State("contact, delete?", "contacts.show", "/contacts/{contact}", act=press("Delete", QUESTION)),
    State("contact, a group", "contacts.group", "/contacts/{contact}/group?of=own"),
    State("contact, a group refused", "contacts.group", "/contacts/{contact}/group?of=contact", act=spoil),
    State("contact, two people", "contacts.group", "/contacts/{contact}/group?of=address", act=meet),
    State("contact, picture?", "contacts.show", "/contacts/{contact}", act=press("Add picture", QUESTION)),
    State("new contact", "contacts.new", "/contacts/new"),
    State("new contact, refused", "contacts.new", "/contacts/new", act=press("Save", REFUSED)),
    State("edit contact", "contacts.edit", "/contacts/{contact}/edit"),
    State("apps", "webhooks.apps", "/apps"),
    State("webhooks", "webhooks.index", "/apps/webhooks"),
    State("webhooks, form", "webhooks.index", "/apps/webhooks", act=press("Create contact webhook", FORM, "link")),
    State("new webhook", "webhooks.new", "/apps/webhooks/new"),
    State("new webhook, refused", "webhooks.new", "/apps/webhooks/new", act=press("Save", REFUSED)),
    State("new webhook, sandbox", "sandbox.fill", "/apps/sandbox/webhook"),
    State("new webhook, secret", "webhooks.new", "/apps/webhooks/new", "registrar", register),
    State("webhook, healthy", "webhooks.show", "/apps/webhooks/{webhook-healthy}", act=try_out),
    State("webhook, failing", "webhooks.show", "/apps/webhooks/{webhook-failing}"),
    State("webhook, paused", "webhooks.show", "/apps/webhooks/{webhook-paused}"),
    State("webhook, rotated", "webhooks.show", "/apps/webhooks/{webhook-paused}", act=press("Rotate secret", SECRET)),
    State("webhook, delete?", "webhooks.show", "/apps/webhooks/{webhook-failing}", act=press("Delete", QUESTION)),
    State("edit webhook", "webhooks.edit", "/apps/webhooks/{webhook-failing}/edit"),
    State("deliveries", "deliveries.index", "/deliveries"),
    State("deliveries, filtered", "deliveries.index", "/deliveries?status=pending&event=ContactCreated&q=Solberg"),
    State("deliveries, choosing", "deliveries.index", "/deliveries", act=press("Webhook", ".drop:popover-open")),
    State("deliveries, a time", "deliveries.index", "/deliveries", act=press("Time", ".drop:popover-open")),
    State("deliveries, a code", "deliveries.index", "/deliveries", act=press("Result", ".drop:popover-open")),
    State("deliveries, all set", "deliveries.index", "/deliveries?" + ALL_SET),
    State("deliveries, no match", "deliveries.index", "/deliveries?q=nobody"),
    State("delivery, succeeded", "deliveries.show", "/deliveries/{delivery-succeeded}"),
    State("delivery, retrying", "deliveries.show", "/deliveries/{delivery-retrying}"),
    State("delivery, failed", "deliveries.show", "/deliveries/{delivery-failed}"),
    State("delivery, queued", "deliveries.show", "/deliveries/{delivery-queued}"),
    State("delivery, contact changed since", "deliveries.show", "/deliveries/{delivery-changed}", act=unfold),
    State("delivery, hostile answer", "deliveries.show", "/deliveries/{delivery-hostile}"),
    State("delivery, hostile answer, raw", "deliveries.show", "/deliveries/{delivery-hostile}?view=raw"),
    State("signature lab, wrong", "deliveries.lab", "/deliveries/{delivery-changed}/lab", act=paste),
    State("signature lab, not sent", "deliveries.lab", "/deliveries/{delivery-held}/lab"),
    State("resend in bulk?", "bulk.ask", "/deliveries/bulk?act=resend"),
    State("cancel in bulk?", "bulk.ask", "/deliveries/bulk?act=cancel"),
    State("nothing to resend", "bulk.ask", "/deliveries/bulk?act=resend&q=nobody"),
    State("bulk, done", "bulk.show", "/deliveries/bulk/{bulk}"),
    State("sandbox, failing", "sandbox.show", "/apps/sandbox"),
    State("audit log", "audit.index", "/settings/audit"),
    State("audit log, no match", "audit.index", "/settings/audit?person=nobody"),
    State("erase for good?", "privacy.erase", "/contacts/{contact}/erase"),
    State(
        "erase for good, refused", "privacy.erase", "/contacts/{contact}/erase", act=press("Erase for good", REFUSED)
    ),
    State("erased", "privacy.show", "/contacts/erasures/{erasure}"),
    State("settings", "accounts.settings", "/settings"),
    State("custom fields", "definitions.fields", "/settings/fields"),
    State("new field, refused", "definitions.new_field", "/settings/fields/new", act=press("Save", REFUSED)),
    State("edit field", "definitions.edit_field", "/settings/fields/{field}"),
    State("edit field, delete?", "definitions.edit_field", "/settings/fields/{field}", act=press("Delete", QUESTION)),
    State("lists", "definitions.words", "/settings/lists"),
    State("lists, refused", "definitions.words", "/settings/lists", act=press("Add priority", REFUSED)),
    State("lists, delete?", "definitions.words", "/settings/lists", act=press("Delete Contact", QUESTION)),
    State("tags", "contacts.tags", "/settings/tags"),
    State("tags, refused", "contacts.tags", "/settings/tags", act=press("Add tag", REFUSED)),
    State("how to receive", "docs.receiving", "/docs/receiving"),
]


@contextmanager
def peopled(portal: Installation) -> Iterator[tuple[dict[str, Browser], World]]:
    """Everybody who looks, and Dana's workspace, in which there is some of everything."""
    people = {name: Browser(portal.url) for name in ("nobody", "newcomer", "beginner", "registrar", "dana")}
    for name, person in people.items():
        if name != "nobody":
            person.sign_up(f"{name}.of.pages@example.com")
    people["beginner"].post("/apps/sandbox/use", page="/apps/sandbox")
    with receiving(204) as healthy, receiving(refuse) as failing:
        world = webhooks(people["dana"], {"healthy": healthy.url, "failing": failing.url + LONG_PATH})
        world |= fields(people["dana"])
        world |= contacts(people["dana"])
        until(lambda: "Failing" in people["dana"].get("/apps/webhooks").text, "the breaker opens")
        world |= deliveries(people["dana"], world)
        world |= bulk(people["dana"], world["webhook-paused"])
        world |= erasure(people["dana"])
        give_up(portal, world["delivery-failed"])
        raise_alarm(portal, world["webhook-failing"])
        deface(portal, world["delivery-hostile"])
        yield people, world


def refuse(_: Got) -> int:
    """A receiver in maintenance."""
    return 503


def webhooks(dana: Browser, urls: dict[str, str]) -> World:
    """A healthy one, one that fails, one that is paused, and the sandbox's, which was told to fail."""
    world = {}
    for name, url in {**urls, "paused": "https://paused.example/hook"}.items():
        dana.create_webhook(url)
        listed = rf'/apps/webhooks/([0-9a-f-]{{36}})">{re.escape(url.split("://")[1])}<'
        world[f"webhook-{name}"] = first(listed, dana.get("/apps/webhooks").text)
    dana.post(f"/apps/webhooks/{world['webhook-paused']}/pause", page=f"/apps/webhooks/{world['webhook-paused']}")
    dana.post("/apps/sandbox/use", page="/apps/sandbox")
    dana.post("/apps/sandbox/mode", {"mode": "error"}, page="/apps/sandbox")
    return world


def fields(dana: Browser) -> World:
    """One of each kind of input."""
    kinds = ("text", "longText", "number", "date", "dateTime", "choice", "choices", "checkbox")
    for kind in kinds:
        form = {"name": f"A {kind} of the contract year", "type": kind, "is_visible": "y", "help": "As it is agreed."}
        dana.post("/settings/fields/new", {**form, "option_lines": "Gold\nSilver\nBronze"})
    return {"field": first(r'href="/settings/fields/([0-9a-f-]{36})"', dana.get("/settings/fields").text)}


def contacts(dana: Browser) -> World:
    """Some people; the second one has all there is, and a history."""
    for given, family, company, tags in PEOPLE:
        email = f"{given.lower()}@{company.split()[0].lower()}.example".replace("á", "a")
        form = {"first_name": given, "last_name": family, "company_name": company, "tags": tags, "email": email}
        made = dana.create_contact(**form, **(FILLED if given == "Tomás" else {}))
        if given == "Tomás":
            dana.post(f"/contacts/{made}/edit", {"company_name": "Northwind Traders Iberia", "job_title": ""})
            contact = made
    return {"contact": contact}


def deliveries(dana: Browser, world: World) -> World:
    """One delivery of each kind."""

    def one(name: str, kind: str, query: str = "") -> str:
        address = f"/deliveries?webhook={world[f'webhook-{name}']}{query}"
        row = re.compile(rf'<tr id="d-([0-9a-f-]{{36}})"(?:(?!</tr>).)*{kind}', re.S)
        found: re.Match[str] = until(lambda: row.search(dana.get(address).text), f"a delivery: {kind}")
        return found[1]

    return {
        "delivery-succeeded": one("healthy", "204"),
        "delivery-retrying": one("failing", "503", "&q=Solberg"),
        "delivery-held": one("paused", "Waiting"),
        "delivery-failed": one("failing", "503", "&q=Raman"),
        "delivery-queued": one("paused", "Waiting", "&q=Herrera&event=ContactUpdated"),
        "delivery-changed": one("healthy", "204", "&q=Herrera&event=ContactCreated"),
        "delivery-hostile": one("healthy", "204", "&q=Mensah"),
    }


def bulk(dana: Browser, webhook: str) -> World:
    """A resend of what is held: all of it is skipped, with the reason."""
    form = {"act": "resend", "webhook": webhook}
    answer = dana.post("/deliveries/bulk", form, page=f"/deliveries/bulk?webhook={webhook}")
    until(lambda: "Skipped, and why" in dana.get(answer.url.removeprefix(dana.url)).text, "the bulk ends")
    return {"bulk": answer.url.rpartition("/")[2]}


def erasure(dana: Browser) -> World:
    """A contact who was erased for good."""
    contact = dana.create_contact(first_name="Forgotten", email="forgotten@example.com")
    answer = dana.post(f"/contacts/{contact}/erase", {"name": "Forgotten"})
    assert "/contacts/erasures/" in answer.url, answer.text
    return {"erasure": answer.url.rpartition("/")[2]}


def give_up(portal: Installation, delivery: str) -> None:
    """As after ten attempts, which take three days."""
    with sqlite3.connect(portal.env["DATABASE_URL"].removeprefix("sqlite:///"), timeout=30) as database:
        ended = "UPDATE delivery SET status = 'failed', attempts = 10, step = 10, due_at = NULL WHERE id = ?"
        assert database.execute(ended, [delivery.replace("-", "")]).rowcount == 1
        database.execute("DELETE FROM lane_entry WHERE delivery_id = ?", [delivery.replace("-", "")])


def raise_alarm(portal: Installation, webhook: str) -> None:
    """As after an hour of failures: from now on every page says so."""
    with sqlite3.connect(portal.env["DATABASE_URL"].removeprefix("sqlite:///"), timeout=30) as database:
        raised = "UPDATE webhook SET alarm = 1, alarm_at = failing_since WHERE id = ?"
        assert database.execute(raised, [webhook.replace("-", "")]).rowcount == 1


def deface(portal: Installation, delivery: str) -> None:
    """As after an answer of somebody who means harm: markup, letters that turn text, codes of terminals, no UTF-8."""
    nasty = "<b>\u202egnol\u202c\x1b[31m\x1b]0;pwn\x07\x00" + "W" * 3_000
    headers = json.dumps([["x-nasty", nasty], ["x" * 300, "y"]])
    body = nasty.encode() + b"\xff\xfe\xc0\xaf" + b"W" * 12 * 1024
    with sqlite3.connect(portal.env["DATABASE_URL"].removeprefix("sqlite:///"), timeout=30) as database:
        columns = "reason = ?, response_headers = ?, response_body = ?, response_length = 99999"
        answered = f"UPDATE attempt SET {columns} WHERE delivery_id = ?"
        assert database.execute(answered, [nasty, headers, body, delivery.replace("-", "")]).rowcount == 1


def first(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.S)
    assert found, pattern
    return found[1]
