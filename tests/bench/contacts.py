"""How long the list of contacts takes to answer when it holds 200,000, beside 2,000."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playwright.sync_api import Browser as Chromium
from sqlalchemy import insert, select, text

from portal import create_app
from portal.accounts.models import User, Workspace
from portal.contacts import tagging
from portal.contacts.keys import keys_of
from portal.contacts.listing import _written
from portal.contacts.models import Contact, contact_tag
from portal.extensions import db, is_sqlite, limiter, utcnow
from portal.rows import insert as write
from portal.webhooks import words
from tests.bench.log import LIMIT, Reader, fastest, postgres_urls, row
from tests.conftest import PASSWORD, serving_postgres, serving_valkey, settings
from tests.filling import hurry

SMALL, LARGE = 2_000, 200_000
CHUNK = 2_000
RARE = 100
"""One of so many is rare in the small list; in the large one there are as many of them."""
ASKED = {
    "first page": "",
    "100 a page": "n=100",
    "by name": "sort=name",
    "by company": "sort=company",
    "by owner": "sort=-owner",
    "by stage": "sort=stage",
    "by priority": "sort=priority",
    "by priority, filtered": "sort=priority&f=city.is.Oslo",
    "search a name": "q=person77",
    "search an e-mail": "q=person77@mail.example",
    "search the end of a number": "q=000077",
    "search two words": "q=person77+family27",
    "search a common word": "q=person",
    "search nobody": "q=nobody",
    "stage, common": "f=lead_stage.is.Lead",
    "stage, rare": "f=lead_stage.is.Former+customer",
    "stage is not": "f=lead_stage.not.Lead",
    "tag, rare": "f=tags.is.{rare}",
    "tag, common": "f=tags.is.{common}",
    "without the tag": "f=tags.not.{common}",
    "owner": "f=owner.is.{owner}",
    "owner is empty": "f=owner.empty",
    "priority": "f=priority.is.High",
    "city, common": "f=city.is.Oslo",
    "city, rare": "f=city.is.Rareville",
    "city contains": "f=city.contains.slo",
    "notes are not empty": "f=notes.filled",
    "e-mail is": "f=email.is.person77@mail.example",
    "created before": "f=created_time.before.2000-01-01",
    "created after": "f=created_time.after.2000-01-01",
    "subscribed": "f=subscribe_sms.is.no",
    "several": "f=lead_stage.is.Lead&f=city.is.Oslo&f=tags.not.{rare}&sort=name",
}
DEEP = (
    ("deep page", "changed_at", ""), ("deep page by name", "name_key", "-name"),
    ("deep page by priority", "priority", "-priority"),
)  # fmt: skip
"""Pages after 90 %, the column that they are ordered by, and how that is asked."""
MEANING = """\
Whole answers of the web process without the network. Each figure is the fastest of 15 rounds, in which the two sizes
take turns. What is rare is there {rare} times, however long the list. The deep page is the one after 90 % of the list.
Where no index finds what is asked for, 3,000 contacts are gone through at a time. Promise: at most {limit:.0f} times.
"""


def measure(_chromium: Chromium) -> str:
    """Every question on both databases, as a table."""
    lines = ["## The list of contacts", MEANING.format(limit=LIMIT, rare=SMALL // RARE)]
    lines += [f"| database | asked | {SMALL:,} | {LARGE:,} | ratio | |", "|---|---|---:|---:|---:|---|"]
    with (
        serving_valkey() as (_, redis_url),
        serving_postgres() as postgres_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        sqlite = [f"sqlite:///{folder}/{size}.db" for size in (SMALL, LARGE)]
        for name, urls in (("SQLite", sqlite), ("PostgreSQL", postgres_urls(postgres_url))):
            print(f"\n{name}: filling", end="", flush=True)
            with (
                list_of(urls[0], redis_url, folder, SMALL) as small,
                list_of(urls[1], redis_url, folder, LARGE) as large,
            ):
                for asked in small.asked:
                    print(".", end="", flush=True)
                    times = fastest(lambda reader, asked=asked: reader.time(reader.asked[asked]), small, large)
                    lines.append(row(name, asked, *times))
    return "\n".join([*lines, ""])


class ListReader(Reader):
    """Somebody who looks at a list of some length."""

    def __init__(self, app: Any, size: int) -> None:
        self.app, self.client = app, app.test_client()
        form = {"workspace": "Harbour Support", "name": "Dana", "email": "dana@example.com", "password": PASSWORD}
        assert self.client.post("/signup", data=form).status_code == 303
        with app.app_context():
            space = db.session.scalars(select(Workspace.id)).one()
            rare, common = (tagging.add(space, name, "#112233").id for name in ("Rare", "Common"))
            owner = db.session.scalars(select(User.id)).one()
            fill(space, size, owner, rare, common)
            names = {"owner": owner, "rare": rare, "common": common}
            self.asked = {name: f"/contacts?{query.format(**names)}" for name, query in ASKED.items()}
            for name, key, sort in DEEP:
                column = getattr(Contact, key)
                order = (column.desc(), Contact.id.desc())
                deep = select(Contact).where(Contact.workspace_id == space).order_by(*order).offset(size * 9 // 10)
                there = db.session.scalars(deep.limit(1)).one()
                self.asked[name] = f"/contacts?sort={sort}&after={_written((getattr(there, key), there.id))}"


def fill(space: uuid.UUID, count: int, owner: uuid.UUID, rare: uuid.UUID, common: uuid.UUID) -> None:
    """Contacts by the thousand, as an import would make them, without events."""
    hurry()
    many = count // (SMALL // RARE)
    for start in range(0, count, CHUNK):
        rows = [_contact(space, n, n % many == 7, owner) for n in range(start, min(start + CHUNK, count))]
        db.session.execute(insert(Contact.__table__), rows)  # type: ignore[arg-type]
        tags = [{"contact_id": one["id"], "tag_id": rare} for one in rows if one["city"] == "Rareville"]
        tags += [{"contact_id": one["id"], "tag_id": common} for one in rows[::3]]
        db.session.execute(insert(contact_tag), tags)
        known_by = {one["id"]: [f"{one['first_name']} {one['last_name']}", one["email"], one["phone_number"],
                                one["contact_id"]] for one in rows}  # fmt: skip
        write(words.known(space, known_by))
        db.session.commit()
    if is_sqlite():
        db.session.execute(text("ANALYZE"))
        db.session.commit()
        return
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does in time


def _contact(space: uuid.UUID, n: int, is_rare: bool, owner: uuid.UUID) -> dict[str, Any]:
    then = utcnow() - timedelta(seconds=n)
    said = {
        "first_name": f"Person{n}", "last_name": f"Family{n % 50}", "email": f"person{n}@mail.example",
        "phone_number": f"+34 6{n:08}", "contact_id": f"{n + 100_000_000}", "company_name": f"Company {n % 500}",
        "lead_stage": "Former customer" if is_rare else ("Lead", "Contact", "Customer")[n % 3],
    }  # fmt: skip
    return {
        **said, **keys_of(SimpleNamespace(**said)), "id": uuid.uuid4(), "workspace_id": space,
        "owner": str(owner) if is_rare else None, "priority": "High" if is_rare else "Medium", "notes": None,
        "city": "Rareville" if is_rare else ("Oslo", "Rome", "Lima")[n % 3], "created_time": then, "changed_at": then,
        "subscribe_email": True, "subscribe_sms": n % 4 > 0, "subscribe_whatsapp": True, "custom_fields": {},
    }  # fmt: skip


@contextmanager
def list_of(url: str, redis_url: str, folder: str, size: int) -> Iterator[ListReader]:
    """A portal on that database, and somebody who looks at its list."""
    app = create_app(settings(url, redis_url, Path(folder)))
    limiter.enabled = False
    with app.app_context():
        db.create_all()
    yield ListReader(app, size)
    with app.app_context():
        db.engine.dispose()
    limiter.enabled = True
