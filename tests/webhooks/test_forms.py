"""What the form of a webhook takes and refuses."""

import pytest

from portal.extensions import db, utcnow
from portal.webhooks import signing
from portal.webhooks.models import Webhook
from tests.conftest import Person
from tests.webhooks.making import make_event

GOOD = {"ContactCreated": "y", "url": "https://hooks.acme.example/contacts"}


def post(dana: Person, **changes: str) -> tuple[int, str]:
    answer = dana.client.post("/apps/webhooks/new", data=GOOD | changes)
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "The URL is missing."),
        ("ftp://x", "must begin with http:// or https://"),
        ("http://", "names no host"),
        ("https://" + "a" * 5_000 + ".example/", "at most 2048"),
        ("http://10.0.4.17/contacts", "10.0.4.17 is a private address"),
        ("https://ann:secret@acme.example/", "contains a user name or password"),
        ("https://acme.example/\0x", "invisible character"),
        ("https://acme.example/\ufffd", "not text"),  # what is left of half a character
        ("javascript:alert(1)", "must begin with http:// or https://"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_at_its_field(dana: Person, url: str, sentence: str) -> None:
    status, page = post(dana, url=url)
    assert status == 422
    assert sentence in page
    assert 'id="url-e"' in page
    assert 'aria-describedby="url-e"' in page
    assert db.session.query(Webhook).count() == 0


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("description", "x" * 201, "Description is too long: 201 characters, at most 200."),
        ("description", "a\0b", "Description holds characters that are not text."),
        ("headers", "no colon", "Line 1 has no colon."),
        ("headers", "x-a: 1\nwebhook-id: mine", "The header webhook-id is set by the portal"),
        ("headers", "x-a: 1\nx-a: 2", "The header x-a is there twice."),
    ],
)
def test_what_stands_under_more_is_checked_too_and_stays_open(
    dana: Person, field: str, text: str, sentence: str
) -> None:
    status, page = post(dana, **{field: text})
    assert status == 422
    assert sentence in page
    assert f'id="{field}-e"' in page
    assert '<details class="more" open>' in page


def test_at_least_one_event_type_must_be_chosen(dana: Person) -> None:
    answer = dana.client.post("/apps/webhooks/new", data={"url": GOOD["url"]})
    assert answer.status_code == 422
    assert 'href="#ContactCreated"' in answer.text  # the summary leads to the first box
    assert "Choose at least one event type." in answer.text


def test_nothing_typed_is_lost_when_something_is_wrong(dana: Person) -> None:
    typed = {"url": "ftp://x", "description": "Billing <sync>", "headers": "x-tenant: harbour"}
    _, page = post(dana, ContactDeleted="y", **typed)
    assert 'value="ftp://x"' in page
    assert 'value="Billing &lt;sync&gt;"' in page
    assert "x-tenant: harbour" in page
    assert page.count(" checked>") + page.count(" checked ") == 2


def test_a_throttle_is_a_whole_number_and_is_told_on_the_page_of_the_webhook(dana: Person) -> None:
    for wrong in ("fast", "0", "-1", "1.5", "10001"):
        status, page = post(dana, throttle=wrong, throttle_seconds="60")
        assert status == 422
        assert "A whole number from 1 to 10,000, or nothing." in page
        assert f'value="{wrong}"' in page
    assert post(dana, throttle="10", throttle_seconds="7")[0] == 422, "by the second or by the minute"
    assert post(dana, ContactUpdated="y", throttle="1,200", throttle_seconds="60")[0] == 201
    webhook = db.session.query(Webhook).one()
    assert (webhook.throttle, webhook.throttle_seconds) == (1200, 60)
    webhook.next_at = utcnow()
    make_event(dana.workspace_id)
    page = dana.client.get(f"/apps/webhooks/{webhook.id}").text
    assert "Healthy, held to 1,200 a minute by its throttle" in page
    assert "<dd>1,200 a minute at most</dd>" in page
    form = {"ContactCreated": "y", "url": webhook.url}
    dana.client.post(f"/apps/webhooks/{webhook.id}/edit", data=form | {"throttle": "", "throttle_seconds": "1"})
    db.session.refresh(webhook)
    assert (webhook.throttle, webhook.next_at) == (None, None)
    assert "1,200 a minute → none" in dana.client.get(f"/apps/webhooks/{webhook.id}").text


def test_a_plain_http_url_is_taken_with_a_warning(dana: Person) -> None:
    checked = dana.client.post("/apps/webhooks/check", data={"url": "http://hooks.acme.example/"})
    assert "http:// sends contacts unencrypted." in checked.text
    assert post(dana, url="http://hooks.acme.example/")[0] == 201


def test_a_url_is_checked_while_it_is_typed_but_not_before_it_is_begun(dana: Person) -> None:
    def check(url: str) -> str:
        answer = dana.client.post("/apps/webhooks/check", data={"url": url})
        assert answer.status_code == 200
        return answer.text

    for begun in ("", "h", "https:/", "https://"):
        assert "url-e" not in check(begun)
    assert "names no host" not in check("https://acme.example")
    assert "must begin with http:// or https://" in check("ftp:")
    assert "is a private address" in check("http://10.0.4.17/")


def test_headers_and_secret_are_stored_encrypted(dana: Person) -> None:
    post(dana, headers="authorization: Bearer s3cret")
    webhook = db.session.query(Webhook).one()
    assert b"s3cret" not in (webhook.headers or b"")
    assert signing.custom_headers(webhook) == {"authorization": "Bearer s3cret"}
    assert b"whsec_" not in webhook.secret
