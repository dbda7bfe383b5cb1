"""The export of those that are selected: as many as a page shows, with as many columns as a workspace can have."""

import csv
import html
import io
import re
import uuid
from typing import Any

import pytest

from portal.contacts import custom_fields, many
from portal.contacts.field_models import FieldType
from portal.extensions import db

pytestmark = pytest.mark.both

LONGEST_LINE = 4094
"""Characters of a request line that gunicorn takes (source: its `limit_request_line`)."""


def test_a_page_of_contacts_is_exported_with_all_its_columns(dana: Any) -> None:
    """As the browser sends it: by a POST, for the address would be too long."""
    for i in range(60):
        custom_fields.add(dana.workspace_id, {"name": f"Field {i}", "type": FieldType.TEXT})
    made = many.create_many(dana.workspace_id, [{"contact_id": f"{i:03}"} for i in range(101)], "Dana")
    db.session.commit()
    ids = [str(one.id) for one in made[:100] if one]
    page = dana.client.post("/contacts/export", data={"id": ids, "f": "city.empty"}).text
    form = re.findall(r'<form[^>]*method="post" action="(/contacts\.csv)"[^>]*>(.*?)</form>', page, re.S)
    [(address, inside)] = form
    ticked = re.findall(r'type="checkbox" name="(column)" value="([^"]+)" checked', inside)
    sent = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', inside) + ticked
    assert sum(len(name) + len(value) + 2 for name, value in sent) > LONGEST_LINE, "or it proves nothing"
    data: dict[str, list[str]] = {}
    for name, value in sent:
        data.setdefault(name, []).append(html.unescape(value))
    rows = list(csv.reader(io.StringIO(dana.client.post(address, data=data).text.removeprefix("\ufeff"))))
    assert len(rows) == 101
    assert rows[0][-60:] == [f"Field {i}" for i in range(60)]


def test_what_is_no_selection_exports_nobody(dana: Any) -> None:
    many.create_many(dana.workspace_id, [{"contact_id": "1"}], "Dana")
    db.session.commit()
    for key in ("", "x", str(uuid.uuid4())):
        answer = dana.client.post("/contacts.csv", data={"id": key})
        assert answer.text.count("\r\n") == 1, key
