"""Every page in every state that people see it in: what has to be there, who looks, and what they click."""

import json
import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
from playwright.sync_api import Page

from tests.contacts.conftest import Fields
from tests.receiving import Got, receiving
from tests.system.installation import PASSWORD, Browser, Installation, until

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
INVALID = "[aria-invalid=true]"
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


def leave_out(page: Page) -> None:
    """Leave the one column out by which anybody is known."""
    page.get_by_label("E-mail goes to").select_option("")
    page.get_by_role("button", name="Check all rows").click()
    page.locator(REFUSED).first.wait_for()


def unfold(page: Page) -> None:
    """Open all that is folded."""
    for summary in page.locator("#delivery summary").all():
        summary.click()


def paste(page: Page) -> None:
    """Paste a signature into the lab that no mistake explains: what is said then is the most there is to say."""
    page.get_by_label("Paste the signature").fill("deadbeef" * 8)
    page.get_by_role("button", name="Check").click()
    page.locator("#verdict .note").wait_for()


def rename(page: Page) -> None:
    """Save the account without a name."""
    page.get_by_role("textbox", name="Name").fill("")
    press("Save", REFUSED)(page)


def first_step(page: Page) -> None:
    """Give the password of somebody who logs in in two steps."""
    page.get_by_label("Email").fill("cautious.of.pages@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Code").wait_for()


def end_one(page: Page) -> None:
    """Log another browser out without giving the password."""
    page.get_by_role("main").get_by_role("button", name="Log out").click()
    page.locator(REFUSED).first.wait_for()


def require_two_steps(page: Page) -> None:
    """Ask everybody for two-step log-in without having it oneself."""
    page.get_by_label("Require it of everybody").check()
    page.get_by_role("button", name="Save").first.click()
    page.locator(REFUSED).first.wait_for()


def make_link(page: Page) -> None:
    """Make a link for a member."""
    press("Help Ada Agent", QUESTION)(page)
    page.locator(QUESTION).get_by_role("button", name="Make a link").click()
    page.locator("#link").wait_for()


def log_out_elsewhere(page: Page) -> None:
    """Press Save in a page whose session has ended."""
    press("Create contact webhook", FORM, "link")(page)
    kept = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").click()
    page.locator("#again-form:popover-open").wait_for()
    page.context.add_cookies(kept)  # type: ignore[arg-type]  # as they came


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


def change_nothing(page: Page) -> None:
    """Press the button that changes many without having said what."""
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("button", name="Change").click()
    page.locator(REFUSED).wait_for()


def set_own(page: Page) -> None:
    """Choose a custom field to set for many: its input appears."""
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("Custom field").select_option("Set A choices of the contract year")
    page.locator("#custom-value fieldset").wait_for()


def mistype(page: Page) -> None:
    """Invite an address that is none."""
    page.get_by_label("Email").fill("ben@")
    press("Create invitation", REFUSED)(page)


def demote(page: Page) -> None:
    """Take the last Administrator's role away."""
    page.get_by_label("Agent", exact=True).check()
    press("Save role", REFUSED)(page)


def switch(page: Page) -> None:
    """Open the menu of workspaces; on a phone it is inside the menu."""
    if page.get_by_role("button", name="Menu").is_visible():
        page.get_by_role("button", name="Menu").click()
    press("Switch workspace", "#spaces:popover-open")(page)


STATES = [
    State("log in", "accounts.log_in", "/login", "nobody"),
    State("log in, refused", "accounts.log_in", "/login", "nobody", press("Log in", "[aria-invalid=true]")),
    State("sign up", "accounts.signup", "/signup", "nobody"),
    State("sign up, refused", "accounts.signup", "/signup", "nobody", press("Create workspace", REFUSED)),
    State("forgotten password", "proof.forgot", "/login/forgot", "nobody"),
    State("new password by a link", "proof.reset", "{reset}", "nobody"),
    State("new password by a link, refused", "proof.reset", "{reset}", "nobody", press("Set password", INVALID)),
    State("link that works no more", "proof.reset", "/reset/of-yesterday", "nobody"),
    State("code of the second step", "proof.code", "/login", "nobody", first_step),
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
    State("contacts, filtered", "contacts.index", "/contacts?f=tags.filled&f=company_name.contains.n&view={view}"),
    State("contacts, a filter", "contacts.index", "/contacts?add=created_time&wrong=1"),
    State("contacts, a filter to choose", "contacts.index", "/contacts", act=press("Filter", ".drop:popover-open")),
    State("contacts, the list's menu", "contacts.index", "/contacts", act=press("List", ".drop:popover-open")),
    State("contacts, this page selected", "contacts.index", "/contacts?pick=page"),
    State("contacts, nothing selected", "contacts.index", "/contacts", act=press("Edit", REFUSED)),
    State("columns", "contact_list.columns", "/contacts/columns"),
    State("change all?", "contacts.index", "/contacts?pick=match", act=press("Edit", ".grid2")),
    State("change all, a custom field", "contacts.index", "/contacts?pick=match", act=set_own),
    State("change all, refused", "contacts.index", "/contacts?pick=match", act=change_nothing),
    State("delete all?", "contacts.index", "/contacts?pick=match", act=press("Delete", "#told-title")),
    State("many changed", "contact_bulk.show", "/contacts/bulk/{contact-bulk}"),
    State("trash", "contact_bulk.bin_", "/contacts/trash"),
    State("trash, empty it?", "contact_bulk.bin_", "/contacts/trash", act=press("Empty trash", QUESTION)),
    State("trash, delete for good?", "privacy.erase", "/contacts/{lost}/erase"),
    State("trash, nothing in it", "contact_bulk.bin_", "/contacts/trash", "newcomer"),
    State("duplicates", "duplicates.index", "/contacts/duplicates?by=phone"),
    State("no duplicates", "duplicates.index", "/contacts/duplicates", "newcomer"),
    State("merge", "duplicates.choose", "/contacts/merge?id={contact}&id={twin}"),
    State("nothing to merge", "duplicates.choose", "/contacts/merge"),
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
    State("account", "account.index", "/account"),
    State("account, name refused", "account.index", "/account", act=rename),
    State("account, log out others?", "account.end_other_sessions", "/account/sessions/end-others"),
    State("account, log out one, refused", "account.end_session", "{session}", act=end_one),
    State("change password", "account.password", "/account/password"),
    State("change password, refused", "account.password", "/account/password", act=press("Change password", REFUSED)),
    State("two-step, set up", "account.two_step", "/account/two-step"),
    State("two-step, wrong", "account.two_step", "/account/two-step", act=press("Switch on", REFUSED)),
    State("two-step, on", "account.two_step", "/account/two-step", "cautious"),
    State("two-step, required", "account.two_step", "/contacts", "careless"),
    State("two-step, refused", "account.two_step", "/account/two-step", "cautious", press("Switch off", REFUSED)),
    State("log-in settings", "security.index", "/settings/log-in"),
    State("log-in settings, help?", "security.index", "/settings/log-in", act=press("Help Ada Agent", QUESTION)),
    State("log-in settings, refused", "security.index", "/settings/log-in", act=require_two_steps),
    State("log-in settings, link", "security.index", "/settings/log-in", act=make_link),
    State("logged out, dialog", "webhooks.index", "/apps/webhooks", "registrar", log_out_elsewhere),
    State("import", "imports.upload", "/contacts/import"),
    State("import, refused", "imports.upload", "/contacts/import", act=press("Upload", REFUSED)),
    State("import, columns", "imports.columns", "/contacts/import/{import-mapping}/columns"),
    State("import, columns refused", "imports.columns", "/contacts/import/{import-mapping}/columns", act=leave_out),
    State("import, checked", "imports.show", "/contacts/import/{import-checked}"),
    State("import, done", "imports.show", "/contacts/import/{import-done}"),
    State("export", "exports.ask", "/contacts/export"),
    State("export, nothing", "exports.ask", "/contacts/export?q=nobody+of+that+name"),
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
    State("people", "people.index", "/settings/people"),
    State("people, refused", "people.index", "/settings/people", act=mistype),
    State("people, link", "people.index", "/settings/people", "registrar", press("Create invitation", "#link")),
    State("a member", "people.show", "/settings/people/{member}"),
    State("a member, remove?", "people.show", "/settings/people/{member}", act=press("Remove", QUESTION)),
    State("the last Administrator", "people.show", "/settings/people/{me}", act=demote),
    State("contacts handed over", "people.handing_over", "/settings/people/hand-overs/{hand-over}"),
    State("new workspace", "workspaces.new", "/workspaces/new"),
    State("switch workspace", "workspaces.new", "/workspaces/new", act=switch),
    State("invitation", "workspaces.join", "{invitation}", "nobody"),
    State(
        "invitation, refused", "workspaces.join", "{invitation}", "nobody", press("Create account and join", REFUSED)
    ),
    State("invitation, signed in", "workspaces.join", "{invitation}", "newcomer"),
    State("invitation, used", "workspaces.join", "/invitations/used", "nobody"),
    State("an agent's overview", "overview.index", "/", "agent"),
    State("an agent's settings", "accounts.settings", "/settings", "agent"),
    State("not an agent's page", "webhooks.index", "/apps/webhooks", "agent"),
    State("tags", "contacts.tags", "/settings/tags"),
    State("tags, refused", "contacts.tags", "/settings/tags", act=press("Add tag", REFUSED)),
    State("how to receive", "docs.receiving", "/docs/receiving"),
]


@contextmanager
def peopled(portal: Installation) -> Iterator[tuple[dict[str, Browser], World]]:
    """Everybody who looks, and Dana's workspace, in which there is some of everything."""
    names = ("nobody", "newcomer", "beginner", "registrar", "cautious", "careless", "agent", "dana")
    people = {name: Browser(portal.url) for name in names}
    for name, person in people.items():
        if name not in ("nobody", "agent"):
            person.sign_up(f"{name}.of.pages@example.com")
    people["beginner"].post("/apps/sandbox/use", page="/apps/sandbox")
    with receiving(204) as healthy, receiving(refuse) as failing:
        world = webhooks(people["dana"], {"healthy": healthy.url, "failing": failing.url + LONG_PATH})
        world |= fields(people["dana"])
        world |= contacts(people["dana"])
        until(lambda: "Failing" in people["dana"].get("/apps/webhooks").text, "the breaker opens")
        world |= deliveries(people["dana"], world)
        world |= accounts(portal, people)
        world |= bulk(people["dana"], world["webhook-paused"])
        world |= many_contacts(people["dana"])
        world |= imports(people["dana"])
        world |= erasure(people["dana"])
        world |= colleagues(portal, people["dana"], people["agent"])
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


def accounts(portal: Installation, people: dict[str, Browser]) -> World:
    """Somebody who logs in in two steps, a colleague of Dana's, and a link for a new password."""
    page = people["cautious"].get("/account/two-step").text
    secret = first(r'id="key">([A-Z2-7 ]+)<', page).replace(" ", "")
    form = {"code": pyotp.TOTP(secret).now(), "password": PASSWORD}
    answer = people["cautious"].post("/account/two-step", form)
    assert "Your recovery codes" in answer.text
    with sqlite3.connect(portal.env["DATABASE_URL"].removeprefix("sqlite:///"), timeout=30) as database:
        [space] = database.execute(
            "SELECT workspace_id FROM membership JOIN user_account ON id = user_id WHERE email LIKE 'dana.of%'"
        ).fetchone()
        ada = uuid.uuid4().hex
        hired = "INSERT INTO user_account (id, name, email, password_hash, created_at) VALUES (?, ?, ?, ?, ?)"
        database.execute(hired, [ada, "Ada Agent", "ada@example.com", "none", "2026-11-25 00:00:00"])
        database.execute("INSERT INTO membership (workspace_id, user_id, role) VALUES (?, ?, 'Agent')", [space, ada])
        whose = "SELECT workspace_id FROM membership JOIN user_account ON id = user_id WHERE email LIKE 'careless.of%'"
        database.execute(f"UPDATE workspace SET needs_two_steps = 1 WHERE id IN ({whose})")
    Browser(portal.url).post("/login", {"email": "dana.of.pages@example.com", "password": PASSWORD})  # a second browser
    address = f"/settings/log-in/{uuid.UUID(ada)}/link"
    answer = people["dana"].post(address, page="/settings/log-in")
    session = first(r'href="(/account/sessions/[0-9a-f-]{36}/end)"', people["dana"].get("/account").text)
    return {"session": session, "reset": first(r"(/reset/[\w-]{43})", answer.text)}


def bulk(dana: Browser, webhook: str) -> World:
    """A resend of what is held: all of it is skipped, with the reason."""
    form = {"act": "resend", "webhook": webhook}
    answer = dana.post("/deliveries/bulk", form, page=f"/deliveries/bulk?webhook={webhook}")
    until(lambda: "Skipped, and why" in dana.get(answer.url.removeprefix(dana.url)).text, "the bulk ends")
    return {"bulk": answer.url.rpartition("/")[2]}


def imports(dana: Browser) -> World:
    """A file whose columns are to be chosen, one that is checked, and one that is done; some rows are refused."""
    file = Path(__file__).with_name("people.csv").read_bytes()

    def uploaded() -> str:
        form = {"csrf_token": Fields(dana.get("/contacts/import").text).values["csrf_token"]}
        answer = dana.session.post(f"{dana.url}/contacts/import", data=form, files={"file": ("people.csv", file)})
        return first("/contacts/import/([0-9a-f-]{36})/columns", answer.url)

    world = {f"import-{stage}": uploaded() for stage in ("mapping", "checked", "done")}
    for name in ("checked", "done"):
        page = f"/contacts/import/{world[f'import-{name}']}"
        dana.post(f"{page}/columns")
        until(lambda page=page: "would be made or changed" in dana.get(page).text, "the dry run ends")
    dana.post(f"{page}/run", page=page)
    until(lambda: "is imported" in dana.get(page).text, "the import ends")
    return world


def many_contacts(dana: Browser) -> World:
    """A contact with the phone number of another, a saved view, one in the trash, and an edit of all that match."""
    twin = dana.create_contact(first_name="T.", last_name="Herrera", phone_number="0034 915550117")
    lost = dana.create_contact(first_name="Lost", last_name="Soul", email="lost@example.com")
    dana.post(f"/contacts/{lost}/delete", page=f"/contacts/{lost}")
    form = {"name": "With tags", "f": "tags.filled", "sort": "name"}
    view = dana.post("/contacts/views", form, page="/contacts?f=tags.filled").url
    edit = {"all": "match", "act": "edit", "f": "tags.filled", "add_tags": "VIP"}
    bulk = dana.post("/contacts/bulk", edit, page="/contacts").url
    until(lambda: "Skipped, and why" in dana.get(bulk.removeprefix(dana.url)).text, "many are changed")
    return {
        "twin": twin,
        "lost": lost,
        "view": first(r"view=([0-9a-f-]{36})", view),
        "contact-bulk": bulk.rpartition("/")[2],
    }


def erasure(dana: Browser) -> World:
    """A contact who was erased for good."""
    contact = dana.create_contact(first_name="Forgotten", email="forgotten@example.com")
    answer = dana.post(f"/contacts/{contact}/erase", {"name": "Forgotten"})
    assert "/contacts/erasures/" in answer.url, answer.text
    return {"erasure": answer.url.rpartition("/")[2]}


def colleagues(portal: Installation, dana: Browser, agent: Browser) -> World:
    """An Agent who joined and whose contacts were handed over, and an invitation that is open."""
    form = {"name": "Ada Okafor", "email": "ada.of.pages@example.com", "password": PASSWORD}
    agent.post(invite(dana), form)
    listed = dana.get("/settings/people").text
    members = {
        kind: first(rf'href="/settings/people/([0-9a-f-]{{36}})">{name}<', listed)
        for kind, name in (("member", "Ada Okafor"), ("me", "Dana Whitfield"))
    }
    address = f"/settings/people/{members['member']}"
    dana.post(f"{address}/hand-over", {"to": ""}, page=address)
    with sqlite3.connect(portal.env["DATABASE_URL"].removeprefix("sqlite:///"), timeout=30) as database:
        (key,) = database.execute("SELECT id FROM hand_over").fetchone()
    return members | {"invitation": invite(dana), "hand-over": str(uuid.UUID(key))}


def invite(dana: Browser) -> str:
    """The path of a new link."""
    answer = dana.post("/settings/people/invite", {"role": "Agent", "email": ""}, page="/settings/people")
    return first(r'id="link">https?://[^/]+(/invitations/[\w-]+)<', answer.text)


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
