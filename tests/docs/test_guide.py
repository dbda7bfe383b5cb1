"""`/docs/receiving`: the document of the repository as a page, true in its numbers, with the reader's own URL."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from markdown_it import MarkdownIt

from portal.contacts.payload import sample
from portal.docs.rendering import PLACEHOLDER, SOURCE, guide
from portal.extensions import db, utcnow
from portal.pace import Pace
from portal.web import CSP
from portal.webhooks import publisher, signing
from portal.webhooks.breaker import TIMEOUTS
from portal.webhooks.models import CONTACT_EVENTS, EventType, State
from portal.webhooks.outbound import Limits
from portal.webhooks.outbound.result import RETRY_AFTER_LIMIT
from portal.webhooks.verifying import TOLERANCE_SECONDS
from tests.conftest import Person
from tests.docs.reading import SECTIONS, code, table
from tests.webhooks.making import make_webhook

PAGE = "/docs/receiving"
UNITS = {"s": 1, "min": 60, "h": 3600}
HOSTILE = "https://hooks.example/<b>x</b>?a=1&b='\"$(reboot)"

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def words(html: str) -> str:
    """The text that people see, without the space that only sets it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def inside(html: str) -> str:
    """The article itself, without the menu and the contents beside it."""
    return html.partition("<article>")[2].partition("</article>")[0]


def test_the_page_is_the_document_of_the_repository_word_for_word(app: Flask) -> None:
    whole = MarkdownIt("commonmark").enable("table").render(SOURCE.read_text("utf-8"))
    page = app.test_client().get(PAGE)
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"] == CSP
    title, _, rest = words(whole).partition(" Each ")
    assert f"<h1>{title}</h1>" in page.text
    shown = words(re.sub(r"<button.*?</button>", "", inside(page.text), flags=re.DOTALL))
    assert shown == f"Each {rest}"


def test_the_contents_lead_to_every_heading(app: Flask) -> None:
    page = app.test_client().get(PAGE).text
    links = re.findall(r'<li class="h[23]"><a href="#([^"]+)">([^<]+)</a>', page)
    assert [text for _, text in links] == list(SECTIONS)
    targets = re.findall(r'<h[23] id="([^"]+)">', page)
    assert [target for target, _ in links] == targets
    assert len(set(targets)) == len(targets)
    assert set(re.findall(r'href="#([^"]+)"', inside(page))) <= set(targets)


def test_visitors_read_it_without_a_menu_and_people_with_one(app: Flask, dana: Person) -> None:
    visitor, member = app.test_client().get(PAGE).text, dana.client.get(PAGE).text
    assert "Log in" in visitor
    assert "Log out" not in visitor
    assert "Log out" in member
    assert PLACEHOLDER in visitor
    assert PLACEHOLDER in member, "there is no webhook yet"
    assert "own-url" not in visitor + member


def test_the_newest_webhook_of_the_readers_own_stands_in_for_the_placeholder(
    app: Flask, dana: Person, stranger: Person
) -> None:
    make_webhook(dana.workspace_id, "https://old.acme.example/", created_at=utcnow() - timedelta(days=1))
    make_webhook(dana.workspace_id, "https://hooks.acme.example/new")
    gone = make_webhook(dana.workspace_id, "https://gone.acme.example/")
    gone.state = State.DELETED
    db.session.commit()
    page = dana.client.get(PAGE).text
    assert PLACEHOLDER not in page
    assert page.count("https://hooks.acme.example/new") == SOURCE.read_text("utf-8").count(PLACEHOLDER) + 1
    assert "Shown with your webhook URL" in page
    assert "gone.acme.example" not in page
    for other in (stranger.client, app.test_client()):
        assert "acme.example/new" not in other.get(PAGE).text
        assert PLACEHOLDER in other.get(PAGE).text


def test_a_hostile_url_is_text_and_ends_no_quotes_of_the_command(dana: Person) -> None:
    make_webhook(dana.workspace_id, HOSTILE)
    page = dana.client.get(PAGE).text
    assert "<b>x" not in page
    assert "url='https://hooks.example/<b>x</b>?a=1&b=%27\"$(reboot)'" in words(page)


def test_the_secret_link_leads_here(dana: Person) -> None:
    form = {"url": "https://hooks.acme.example/", "ContactCreated": "y"}
    assert f'href="{PAGE}"' in dana.client.post("/apps/webhooks/new", data=form).text


def test_the_example_request_verifies(app: Flask) -> None:
    head, _, body = code("The request").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (secret,) = re.findall(r"`(whsec_[^`]+)`", SECTIONS["The request"])
    body = body.rstrip("\n")
    signature = signing.sign(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), body.encode())
    assert headers["webhook-signature"] == signature
    assert json.loads(body)["event"] == headers["x-cloudcx-event"]
    assert headers["user-agent"] == signing.USER_AGENT


def test_the_example_body_is_the_one_that_a_test_sends(app: Flask) -> None:
    assert json.loads(code("Fields of a contact")) == json.loads(sample()[EventType.UPDATED])


def test_the_events_are_those_that_there_are(app: Flask) -> None:
    assert [row[0] for row in table("Events")] == [f"`{event_type}`" for event_type in CONTACT_EVENTS]


def test_the_retries_are_those_of_the_schedule(app: Flask) -> None:
    waits = [wait for _, wait in table("Retries")]
    assert waits[0] == "at once"
    assert (0, *(seconds(wait) for wait in waits[1:])) == Pace().retry_schedule
    text = " ".join(SECTIONS["Retries"].split())
    for number in (
        f"up to {Pace().attempts} times over {sum(Pace().retry_schedule) // 3600} h",
        f"up to {Pace().retry_jitter:.0%}".replace("%", " %"),
        f"When {Pace().break_after} events fail in a row ({Pace().break_after_timeouts} if you do not answer in time)",
        f"only fails for {Pace().pause_after / 86400:.0f} days",
        f"keeps failing for {Pace().poison_after / 3600:.0f} h while you accept others",
    ):
        assert number in text
    assert len(TIMEOUTS) == 2


def seconds(words: str) -> int:
    """Of a time such as "5 min"."""
    count, unit = words.split()
    return int(count) * UNITS[unit]


@pytest.mark.parametrize(
    ("heading", "number"),
    [
        ("Answer", f"{Pace().send_timeout:.0f} s"),
        ("Answer", f"{Limits().keep_bytes // 1024} KiB"),
        ("Answer", {3600.0: "an hour"}[RETRY_AFTER_LIMIT]),
        ("Verify", f"({TOLERANCE_SECONDS} s)"),
        ("Duplicates and order", f"up to {Pace().max_width} are"),
        ("Change the secret", f"{publisher.ROTATION // timedelta(hours=1)} h"),
    ],
)
def test_the_numbers_are_those_of_the_code(app: Flask, heading: str, number: str) -> None:
    assert number in SECTIONS[heading]


def test_it_is_rendered_once(app: Flask) -> None:
    assert guide() is guide()
