"""The pages of one contact: what is refused and how it is said, who may see it, and its live timeline."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select, update

from portal.contacts.models import Contact
from portal.extensions import db, utcnow
from portal.webhooks.models import Delivery, Event, Status

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
Typed = Callable[..., dict[str, str]]
ONE_OF = "Give at least one of e-mail, phone number and contact ID."
EMAIL = "Give a full e-mail address, such as dana@example.com."
PHONE = "Use digits, spaces and + ( ) - . / only, such as +34 600 112 233."
PICTURE = "Give the address of a picture that starts with http:// or https://."
NOT_TEXT = "holds characters that are not text. Delete them or type it again."
TAKEN = "Another contact has this contact ID. Type another, or leave it blank to get one."

LABELS = [
    "First name", "Last name", "Email", "Phone number", "Contact ID", "Owner", "Lead stage", "Tags", "Notes",
    "Company name", "Job title", "Priority", "Country/Region", "Province", "City", "Street", "Zip code",
    "Language", "Facebook username", "Telegram username", "Instagram username", "WhatsApp number",
    "Subscribe email", "Subscribe SMS", "Subscribe WhatsApp", "Avatar",
]  # fmt: skip


@pytest.fixture
def webhook(dana: Any) -> None:
    """A webhook that wants everything."""
    types = dict.fromkeys(("ContactCreated", "ContactUpdated", "ContactDeleted"), "y")
    assert dana.client.post("/apps/webhooks/new", data={"url": "http://127.0.0.1:9/hook", **types}).status_code == 201


@pytest.fixture
def allen(dana: Any) -> str:
    """The address of a contact."""
    form = {"first_name": "Allen", "last_name": "Ji", "email": "allen@acme.example", "contact_id": "7"}
    return str(dana.client.post("/contacts/new", data=form).location)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("email", "a@", EMAIL),
        ("email", "a b@example.com", EMAIL),
        ("email", f"{'a' * 300}@example.com", EMAIL),
        ("first_name", "x" * 10_240, "First name is too long: 10,240 characters, at most 100."),
        ("first_name", "nul\0", f"First name {NOT_TEXT}"),
        ("last_name", "was a lone surrogate: \ufffd", f"Last name {NOT_TEXT}"),
        ("company_name", "bell\7", f"Company name {NOT_TEXT}"),
        ("phone_number", "call me", PHONE),
        ("phone_number", "+", PHONE),
        ("phone_number", "1" * 100_000 + "x", PHONE),
        ("phone_number", "1" * 41, "Phone number is too long: 41 characters, at most 40."),
        ("whatsapp_number", "tel:1", PHONE),
        ("avatar_url", "ftp://example.com/me.png", PICTURE),
        ("avatar_url", "javascript:alert(1)", PICTURE),
        ("avatar_url", "https://", PICTURE),
        ("avatar_url", "http://[", PICTURE),
        ("avatar_url", "me.png", PICTURE),
        ("contact_id", "7", TAKEN),
        ("contact_id", "7" * 41, "Contact ID is too long: 41 characters, at most 40."),
        ("owner", "00000000-0000-0000-0000-000000000000", "Owner is one of the list. Choose again."),
        ("lead_stage", "", "Lead stage is one of the list. Choose again."),
        ("priority", "Urgent", "Priority is one of the list. Choose again."),
        ("tags", "VIP, " + "x" * 51, "A tag has at most 50 characters: " + "x" * 50 + "… has more."),
        ("tags", ",".join(map(str, range(51))), "A contact carries at most 50 tags."),
        ("notes", "x" * 10_001, "Notes is too long: 10,001 characters, at most 10,000."),
    ],
)
def test_bad_input_is_refused_at_its_field(
    dana: Any, allen: str, typed: Typed, field: str, value: Any, message: str
) -> None:
    form: dict[str, Any] = typed(dana.client, "/contacts/new", email="kept@example.com", city="Kept City")
    page = dana.client.post("/contacts/new", data=form | {field: value})
    assert page.status_code == 422
    text = html.unescape(page.text)
    errors = re.findall(r'<span class="invalid-feedback" id="(\w+)-e">(.*?)</span>', text)
    assert errors == [(field, message)]
    assert f'<a href="#{field}">{message}</a>' in text
    assert 'value="Kept City"' in text
    assert db.session.scalar(select(func.count()).select_from(Contact)) == 1


def test_bytes_that_are_no_text_are_refused(dana: Any) -> None:
    """A lone surrogate, as it comes from a program: browsers put U+FFFD in its place themselves."""
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    body = part % (b"email", b"a@example.com") + part % (b"first_name", b"\xed\xa0\x80") + b"--x--\r\n"
    page = dana.client.post("/contacts/new", data=body, content_type="multipart/form-data; boundary=x")
    assert page.status_code == 422
    assert f"First name {NOT_TEXT}" in page.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "élodie+x@exämple.com"),
        ("phone_number", "12345678"),
        ("phone_number", "+34 (0)600.112-233/4"),
        ("contact_id", "C-7 é"),
        ("avatar_url", "https://minio.example:8892/avatar/é.jpg?size=2#x"),
        ("first_name", "x" * 100),
        ("first_name", "<script>alert(1)</script>"),
        ("last_name", "👩‍👩‍👧 مرحبا"),
        ("notes", "tab\tand\r\nline"),
    ],
)
def test_good_input_is_taken_and_shown(dana: Any, typed: Typed, field: str, value: str) -> None:
    form = typed(dana.client, "/contacts/new", **{"phone_number": "1", field: value})
    address = dana.client.post("/contacts/new", data=form).location
    page = dana.client.get(address).text
    assert value.replace("\r\n", "\n") in html.unescape(page)
    assert "<script>alert" not in page


@pytest.mark.parametrize("typed_field", ["email", "phone_number", "contact_id"])
def test_one_of_email_phone_and_contact_id_is_needed(dana: Any, typed: Typed, typed_field: str) -> None:
    form = typed(dana.client, "/contacts/new", first_name="Allen")
    refused = dana.client.post("/contacts/new", data=form)
    assert (refused.status_code, refused.text.count(ONE_OF)) == (422, 2)
    value = "a@example.com" if typed_field == "email" else "123"
    assert dana.client.post("/contacts/new", data=form | {typed_field: value}).status_code == 303


def test_blank_ends_are_cut_off(dana: Any, typed: Typed) -> None:
    form = typed(dana.client, "/contacts/new", email=" a@example.com ", first_name="  ", contact_id=" 9 ")
    dana.client.post("/contacts/new", data=form)
    contact = db.session.scalars(select(Contact)).one()
    assert (contact.email, contact.first_name, contact.contact_id) == ("a@example.com", None, "9")


def test_saving_or_deleting_what_was_just_deleted_is_a_404(dana: Any, allen: str) -> None:
    dana.client.post(f"{allen}/delete")
    assert dana.client.post(f"{allen}/edit", data={"email": "x@example.com"}).status_code == 404
    assert dana.client.post(f"{allen}/delete").status_code == 404


@pytest.mark.usefixtures("webhook")
def test_pages_say_beforehand_what_will_be_sent(dana: Any, allen: str) -> None:
    assert "Sends ContactCreated to 1 webhook<" in dana.client.get("/contacts/new").text
    assert "Sends ContactUpdated to 1 webhook<" in dana.client.get(f"{allen}/edit").text
    assert "ContactDeleted goes to 1 webhook." in dana.client.get(allen).text


def test_pages_say_when_nobody_listens(dana: Any, allen: str) -> None:
    assert "No webhook listens to ContactCreated" in dana.client.get("/contacts/new").text
    assert "No webhook listens to ContactDeleted." in dana.client.get(allen).text


def test_the_timeline_tells_who_changed_what(dana: Any, allen: str, typed: Typed) -> None:
    changes = {"last_name": "", "city": "Paris", "tags": "VIP", "owner": str(dana.user_id)}
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", **changes))
    dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", tags=""))
    page = dana.client.get(allen, headers=HTMX).text
    entries = [re.sub(r"<[^>]+>|\s+", " ", entry.partition("<time")[0]) for entry in page.split("<li ")[1:]]
    told = [re.sub(r" +", " ", entry.partition(">")[2]).strip() for entry in entries]
    assert told == [
        "Dana Whitfield removed tag VIP",
        "Dana Whitfield changed Last name from Ji → to blank and changed Owner blank → to Dana Whitfield and "
        "added tag VIP and changed City blank → to Paris",
        "Dana Whitfield created the contact",
    ]


@pytest.mark.usefixtures("webhook")
def test_the_timeline_asks_again_until_everything_is_delivered(dana: Any, allen: str) -> None:
    page = dana.client.get(allen).text
    poll = html.unescape(re.findall(r'id="timeline" hx-get="([^"]+)" hx-trigger="every 300ms', page)[0])
    assert dana.client.get(poll, headers=HTMX).status_code == 204
    delivery = db.session.scalars(select(Delivery)).one()
    assert f"/deliveries/{delivery.id}" in page
    values = {"status": Status.SUCCEEDED, "last_status": 204, "updated_at": utcnow()}
    db.session.execute(update(Delivery).values(**values))
    db.session.commit()
    done = dana.client.get(poll, headers=HTMX)
    assert done.status_code == 200
    assert "204 No Content" in done.text
    assert "hx-get" not in done.text


def test_saving_leads_to_the_contact_with_a_word(dana: Any, allen: str, typed: Typed) -> None:
    assert "Allen Ji is saved." in dana.client.get(allen).text
    answer = dana.client.post(f"{allen}/edit", data=typed(dana.client, f"{allen}/edit", first_name="Al"))
    assert (answer.status_code, answer.location) == (303, allen)
    assert "Al Ji is saved." in dana.client.get(allen).text


def test_every_field_has_the_label_that_stays_as_it_is(dana: Any, allen: str) -> None:
    for address in ("/contacts/new", f"{allen}/edit"):
        page = dana.client.get(address).text
        shown = re.findall(r'<label class="form-label" for="\w+">(.*?)</label>', page)
        shown += re.findall(r'<span class="form-check-label">(.*?)</span>', page)
        assert sorted(shown) == sorted(LABELS)


def test_an_event_keeps_its_words_when_the_contact_is_gone(dana: Any, allen: str) -> None:
    dana.client.post(f"{allen}/delete")
    assert [event.subjects[0].label for event in db.session.scalars(select(Event))] == ["Allen Ji", "Allen Ji"]
