"""The list of contacts: found by beginnings of what people know, in any order, page by page."""

import base64
import html
import json
import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import delete, update

from portal.accounts.models import Membership, Role, User
from portal.contacts import many
from portal.contacts.listing import ORDERS, SIZES
from portal.contacts.models import Contact
from portal.extensions import db
from portal.webhooks import words

pytestmark = pytest.mark.both

PAGE = SIZES[0]
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
Names = Callable[[str], list[str]]

PEOPLE = [
    {"first_name": "Tomás", "last_name": "Herrera", "email": "therrera@northwind.example", "contact_id": "100482"},
    {"first_name": "Élodie", "last_name": "Brun", "phone_number": "+34 600 112 233", "contact_id": "2"},
    {"first_name": "Max", "last_name": "100%_Sure", "company_name": "Back\\slash GmbH", "contact_id": "3"},
    {"email": "nameless@acme.example", "company_name": "ACME", "contact_id": "4", "lead_stage": "Customer"},
    {"contact_id": "555-id"},
]


def add(workspace_id: uuid.UUID, people: list[dict[str, Any]]) -> None:
    many.create_many(workspace_id, people, "Dana")
    db.session.commit()


@pytest.fixture
def names(dana: Any) -> Names:
    """The names on the page of the list with this query, in their order."""

    def read(query: str) -> list[str]:
        page = dana.client.get(f"/contacts{query}", headers=HTMX)
        assert page.status_code == 200
        return [row.partition(">")[2].partition("<")[0] for row in page.text.split('<a class="strong"')[1:]]

    return read


FOUND = [
    ("herrera", ["Tomás Herrera"]),
    ("herrera tomás", ["Tomás Herrera"]),
    ("TOMÁS", ["Tomás Herrera"]),
    ("élodie", ["Élodie Brun"]),
    ("NORTHWIND", ["Tomás Herrera"]),
    ("tomas", ["Tomás Herrera"]),
    ("600112233", ["Élodie Brun"]),
    ("+34 600 112", ["Élodie Brun"]),
    ("112 233", ["Élodie Brun"]),
    ("élodie 34600", ["Élodie Brun"]),
    ("100482", ["Tomás Herrera"]),
    ("acme", ["nameless@acme.example"]),
    ("%_s", ["Max 100%_Sure"]),
    ("back", ["Max 100%_Sure"]),
    ("ack", []),
    ("%", []),
    ("herrera brun", []),
    ("x' OR '1'='1", []),
    ("her\0rera", ["Tomás Herrera"]),
    ("\ufffd", []),
    ("a" * 3000, []),
]


@pytest.mark.parametrize("probe", [0, words.PROBE])
def test_search_finds_beginnings_of_what_people_know(
    dana: Any, names: Names, monkeypatch: pytest.MonkeyPatch, probe: int
) -> None:
    """Whichever way a second word is looked up."""
    monkeypatch.setattr(words, "PROBE", probe)
    add(dana.workspace_id, PEOPLE)
    for q, found in FOUND:
        assert names(f"?q={quote(q)}") == found, q


SORTED = [
    ("name", ["555-id", "Max 100%_Sure", "nameless@acme.example", "Tomás Herrera"]),
    ("-name", ["Tomás Herrera", "nameless@acme.example", "Max 100%_Sure", "555-id"]),
    ("-company", ["Max 100%_Sure", "nameless@acme.example"]),
]


def test_sorting_does_not_care_about_case(dana: Any, names: Names) -> None:
    add(dana.workspace_id, PEOPLE)
    for sort, order in SORTED:
        shown = names(f"?sort={sort}")
        assert [name for name in shown if name in order][: len(order)] == order
        assert len(shown) == len(PEOPLE)


def test_owners_stages_and_priorities_stand_in_the_order_that_people_gave_them(dana: Any, names: Names) -> None:
    """Owners by name; nobody's first, and what is on no list last."""
    ada = User(name="Ada", email="ada@example.com", password_hash="-")
    db.session.add(ada)
    db.session.flush()
    db.session.add(Membership(workspace_id=dana.workspace_id, user_id=ada.id, role=Role.AGENT))
    said = [("High", "Lead", ada.id), ("Low", "Customer", dana.user_id), ("Medium", "Contact", ""), ("Odd", "Odd", "")]
    rows = [{"first_name": number, "priority": priority, "lead_stage": stage, "owner": str(owner)}
            for number, (priority, stage, owner) in zip("ABCD", said, strict=True)]  # fmt: skip
    add(dana.workspace_id, rows)
    for sort, order in (("priority", "BCAD"), ("-priority", "DACB"), ("stage", "ACBD"), ("-stage", "DBCA")):
        assert "".join(names(f"?sort={sort}")) == order, sort
        assert "".join(names(f"?sort={sort}&f=city.empty")) == order, f"{sort}, looked through"
        assert "".join(names(f"?sort={sort}&f=created_time.after.2001-01-01")) == order, f"{sort}, of a few"
    assert "".join(names("?sort=owner")[2:]) == "AB"
    assert set(names("?sort=-owner")[2:]) == set("CD")
    assert (
        'aria-sort="descending"><a href="/contacts?sort=owner">Owner' in dana.client.get("/contacts?sort=-owner").text
    )


def test_the_newest_change_comes_first_unless_asked_otherwise(dana: Any, names: Names) -> None:
    for person in PEOPLE[:3]:
        add(dana.workspace_id, [person])
    newest_first = ["Max 100%_Sure", "Élodie Brun", "Tomás Herrera"]
    assert names("") == names("?sort=nonsense") == newest_first
    assert names("?sort=changed") == names("?sort=created") == newest_first[::-1]


def link(page: str, button: str) -> str:
    """Where a button of the pager leads; empty when it is off."""
    found = re.search(rf'href="([^"]+)">{button}</a>', page)
    return html.unescape(found[1]) if found else ""


def walk(client: Any, address: str, button: str) -> list[tuple[str, list[str]]]:
    """The pages from an address on, following a button until it is off: their addresses and the contacts on them."""
    pages = []
    while address:
        page = client.get(address, headers=HTMX).text
        pages.append((address, re.findall(r'href="/contacts/([0-9a-f-]{36})"', page)))
        address = link(page, button)
    return pages


def test_every_contact_is_on_exactly_one_page_there_and_back(dana: Any, stranger: Any) -> None:
    """With many that are equal in what the list is sorted by, and blanks among them."""
    names, companies = [None, "ann", "Ann", "Zoë"], ["", None, "X"]
    owners, priorities = [None, str(dana.user_id), str(uuid.uuid4())], ["High", None, "Low", "Nowhere listed"]
    people = [
        {"contact_id": f"{i:03}", "first_name": names[i % 4], "company_name": companies[i % 3],
         "owner": owners[i % 3], "priority": priorities[i % 4]}
        for i in range(PAGE * 2 + 7)
    ]  # fmt: skip
    add(dana.workspace_id, people)
    blanks = update(Contact).where(Contact.contact_id.in_(["000", "009"])).values(owner="", priority="")
    db.session.execute(blanks)
    db.session.commit()
    add(stranger.workspace_id, [{"contact_id": "theirs"}])
    for sort in (f"{sign}{column}" for column in ORDERS for sign in ("sort=", "q=0+&sort=-")):
        there = walk(dana.client, f"/contacts?{sort}", "Next")
        assert [len(ids) for _, ids in there] == [PAGE, PAGE, 7], sort
        assert len({contact for _, ids in there for contact in ids}) == len(people), sort
        back = walk(dana.client, there[-1][0], "Previous")
        assert [ids for _, ids in back] == [ids for _, ids in there][::-1], sort


def test_a_page_whose_contacts_are_gone_leads_back(dana: Any) -> None:
    add(dana.workspace_id, [{"contact_id": f"{i:03}"} for i in range(PAGE + 1)])
    second = link(dana.client.get("/contacts?sort=name").text, "Next")
    db.session.execute(delete(Contact).where(Contact.contact_id == f"{PAGE:03}"))
    db.session.commit()
    page = dana.client.get(second)
    assert "Back to the first page" in page.text
    assert 'href="/contacts?sort=name"' in page.text


def test_a_mangled_place_is_the_first_page(dana: Any, names: Names) -> None:
    add(dana.workspace_id, PEOPLE)
    for time in ("2026-01-01T00:00:00", "9999-12-31T23:59:59-23:00"):
        place = base64.urlsafe_b64encode(json.dumps([time, str(uuid.uuid4())]).encode()).decode().rstrip("=")
        assert len(names(f"?sort=-changed&after={place}")) == len(PEOPLE), time
    for place in ("after=x", "before=%00", "after=WzEsMl0", "after=WyJ4IiwgIngiXQ", "before=bnVsbA"):
        for sort in ("name", "-changed", "owner"):
            assert len(names(f"?sort={sort}&{place}")) == len(PEOPLE), (sort, place)


def test_the_sorted_column_says_so_and_turns_round(dana: Any) -> None:
    add(dana.workspace_id, PEOPLE)
    page = dana.client.get("/contacts?q=a&sort=name").text
    assert page.count("aria-sort") == 1
    assert 'aria-sort="ascending"><a href="/contacts?q=a&amp;sort=-name">Name' in page
    assert 'aria-sort="descending"><a href="/contacts?sort=changed">Changed' in dana.client.get("/contacts").text


def test_htmx_gets_the_list_alone_and_a_browser_the_whole_page(dana: Any) -> None:
    add(dana.workspace_id, PEOPLE)
    fragment, page = dana.client.get("/contacts", headers=HTMX), dana.client.get("/contacts")
    assert fragment.text.lstrip().startswith('<div id="list">')
    assert "<html" in page.text
    assert page.headers["Vary"].count("HX-Request-Type") == 1


def test_the_count_says_how_many_match(dana: Any, stranger: Any) -> None:
    add(dana.workspace_id, PEOPLE)
    add(stranger.workspace_id, PEOPLE)
    assert '<b class="strong">5</b> contacts' in dana.client.get("/contacts").text
    assert '<b class="strong">1</b> match' in dana.client.get("/contacts?q=acme").text
    add(dana.workspace_id, [{"contact_id": f"{i:03}"} for i in range(25)])
    second = dana.client.get(link(dana.client.get("/contacts?n=25").text, "Next")).text
    assert '<b class="strong">30</b> contacts' in second, "not only those of the page"


def test_an_empty_list_says_what_to_do(dana: Any) -> None:
    assert "Add your first contact" in dana.client.get("/contacts").text
    add(dana.workspace_id, PEOPLE)
    nothing = dana.client.get("/contacts?q=<b>nobody").text
    assert "Nothing matches “&lt;b&gt;nobody”" in nothing
    assert "Clear search" in nothing
