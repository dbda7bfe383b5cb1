"""The timeline of a contact: every change is on exactly one of its pages, however often it was told; and what came
back from the trash was not created."""

import html
import re
import uuid
from typing import Any

import pytest

from portal.contacts import many, service, timeline
from portal.extensions import db
from tests.webhooks.making import make_webhook

pytestmark = pytest.mark.both


@pytest.fixture
def ann(dana: Any, monkeypatch: pytest.MonkeyPatch) -> uuid.UUID:
    """A contact that two webhooks of different sizes are told of; pages of five."""
    monkeypatch.setattr(timeline, "PAGE", 5)
    for number, size in enumerate((1, 10)):
        make_webhook(dana.workspace_id, f"https://{number}.example/in", contacts_per_request=size)
    made = many.create_many(dana.workspace_id, [{"first_name": "Ann", "city": "City 0"}], "Dana")[0]
    db.session.commit()
    assert made
    return made.id


def pages(client: Any, address: str) -> list[str]:
    """The timeline's pages from there on, as far as "Older" leads."""
    found = []
    while address:
        found.append(client.get(address).text.partition('id="timeline"')[2].partition("</section>")[0])
        link = re.search(r'href="([^"#]+)#timeline">Older</a>', found[-1])
        address = html.unescape(link[1]) if link else ""
    return found


def test_every_change_is_on_one_page_with_all_that_was_sent_of_it(dana: Any, ann: uuid.UUID) -> None:
    for i in range(1, 13):
        many.update_many(dana.workspace_id, [ann], lambda _, n=i: {"city": f"City {n}"}, "Jon")
        db.session.commit()
    shown = pages(dana.client, f"/contacts/{ann}")
    assert [page.count("<li ") for page in shown] == [5, 5, 3]
    said = re.findall(r"to</span> (City \d+)", "".join(shown))
    assert said == [f"City {i}" for i in range(12, 0, -1)]
    assert [page.count('class="sent"') for page in shown] == [10, 10, 6]
    assert ["is kept for 90 days" in page for page in shown] == [False, False, True]
    assert '#timeline">Newest</a>' in shown[1]


def test_a_page_that_is_none_is_the_newest(dana: Any, stranger: Any, ann: uuid.UUID) -> None:
    for place in ("x", "2026-01-01T00:00:00_", "9999-12-31T23:59:59-23:00_x", "%00", "0001-01-01T00:00:00+23:00_x"):
        assert "created the contact" in dana.client.get(f"/contacts/{ann}?before={place}").text, place
    assert stranger.client.get(f"/contacts/{ann}").status_code == 404


def test_what_came_back_from_the_trash_is_told_as_that(dana: Any, ann: uuid.UUID) -> None:
    """Also where the deletion is on the next page."""
    for _ in range(3):
        service.delete(dana.workspace_id, ann, "Dana")
        many.restore_many(dana.workspace_id, [ann], "Dana")
        db.session.commit()
    told = re.findall(r"</b> (\w+) the contact", "".join(pages(dana.client, f"/contacts/{ann}")))
    assert told == ["restored", "deleted"] * 3 + ["created"]
