"""What the tests of contacts share: forms filled in as a browser does it, and the events that came of it."""

import json
import uuid
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from portal.extensions import db
from portal.webhooks.models import Event


class Fields(HTMLParser):
    """The fields of a page's forms and what a browser would send for them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.select = self.textarea = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        of = dict(attributes)
        name, value = of.get("name") or "", of.get("value") or ""
        if tag == "select":
            self.select = name
        elif tag == "textarea":
            self.textarea = name
            self.values[name] = ""
        elif tag == "option" and self.select and ("selected" in of or self.select not in self.values):
            self.values[self.select] = value
        elif tag == "input" and name and (of.get("type") != "checkbox" or "checked" in of):
            self.values[name] = value

    def handle_data(self, text: str) -> None:
        if self.textarea:
            # HTML leaves out the line break that follows <textarea>, and browsers send CR LF.
            self.values[self.textarea] = text.lstrip("\r\n").replace("\n", "\r\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("select", "textarea"):
            self.select = self.textarea = ""


@pytest.fixture
def typed() -> Callable[..., dict[str, str]]:
    """What a browser sends from the form at an address, after a person typed `changes` into it."""

    def fill(client: FlaskClient, address: str, **changes: str) -> dict[str, str]:
        values = Fields(client.get(address).text).values
        assert changes.keys() <= values.keys()
        return values | changes

    return fill


@pytest.fixture
def events() -> Callable[[uuid.UUID], list[Event]]:
    """A workspace's events, oldest first."""

    def read(workspace_id: uuid.UUID) -> list[Event]:
        db.session.rollback()
        return list(
            db.session.scalars(select(Event).where(Event.workspace_id == workspace_id).order_by(Event.created_at))
        )

    return read


@pytest.fixture
def bodies(events: Callable[[uuid.UUID], list[Event]]) -> Callable[[uuid.UUID], list[dict[str, Any]]]:
    """The bodies of a workspace's events, oldest first, as a receiver reads them."""
    return lambda workspace_id: [json.loads(event.body) for event in events(workspace_id)]
