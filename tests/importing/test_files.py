"""Files as people have them: each ends in a right import, in rows refused with a reason, or is refused whole."""

import codecs
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask

from portal.accounts.service import create_workspace
from portal.extensions import is_sqlite
from portal.importing import reading, storing, work
from portal.importing.models import Import, Stage
from portal.importing.reading import LONGEST_CELL
from tests.conftest import PASSWORD, Person
from tests.importing.conftest import Wizard, table, words
from tests.turns import share

pytestmark = pytest.mark.both

LONGEST_LINE, LARGEST = 100_000, 400_000
"""Of a file that is refused: small ones are faster."""
HEAD = b"Email,First name,City\n"
ANA = b"ana@x.example,Ana,Porto\n"


@dataclass(frozen=True)
class File:
    """A file; who is known by which facts afterwards, and which rows are refused with which words."""

    name: str
    data: bytes
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    """What is chosen otherwise than was guessed."""


ONE = {"ana@x.example": {"first_name": "Ana", "city": "Porto"}}
ZOE = {"zoe@x.example": {"first_name": "Zoë", "city": "Köln"}}
ACCENTS = "Email;First name;City\r\nzoe@x.example;Zoë;Köln\r\n"
BOTH = {**ONE, "bo@x.example": {"first_name": "Bo", "city": None}}

GOOD = [
    File("plain", HEAD + ANA, ONE),
    File("no line end at the end", (HEAD + ANA).rstrip(), ONE),
    File("Windows line ends", (HEAD + ANA).replace(b"\n", b"\r\n"), ONE),
    File("old Macintosh line ends", (HEAD + ANA).replace(b"\n", b"\r"), ONE),
    File("UTF-8", ACCENTS.encode(), ZOE),
    File("UTF-8 with a mark", codecs.BOM_UTF8 + ACCENTS.encode(), ZOE),
    File("UTF-16 with a mark", ACCENTS.encode("utf-16"), ZOE),
    File("UTF-16 big end first", codecs.BOM_UTF16_BE + ACCENTS.encode("utf-16-be"), ZOE),
    File("UTF-16 without a mark", ACCENTS.encode("utf-16-le"), ZOE),
    File("UTF-32", ACCENTS.encode("utf-32"), ZOE),
    File("Windows-1252", ACCENTS.encode("cp1252"), ZOE),
    File("Windows-1252 with its own signs", "Email,Notes\na@x.example,“5 €” – fine\n".encode("cp1252"),
         {"a@x.example": {"notes": "“5 €” – fine"}}),
    File("Windows-1251", "Email,First name,City\nivan@x.example,Иван,Санкт-Петербург\nolga@x.example,Ольга,Москва\n"
         .encode("cp1251"), {"ivan@x.example": {"first_name": "Иван"}, "olga@x.example": {"city": "Москва"}}),
    File("Shift-JIS", "Email,First name,City\ntaro@x.example,太郎,東京都千代田区\nhanako@x.example,花子,大阪市\n"
         .encode("cp932"), {"taro@x.example": {"first_name": "太郎"}, "hanako@x.example": {"city": "大阪市"}}),
    File("tabs", (HEAD + ANA).replace(b",", b"\t"), ONE),
    File("pipes", (HEAD + ANA).replace(b",", b"|"), ONE),
    File("semicolons, and commas in numbers", b"Email;First name;City;Size\nana@x.example;Ana;Porto;1,75\n", ONE),
    File("Excel's line for the delimiter", b"sep=;\r\nEmail;First name;City\r\nana@x.example;Ana;Porto\r\n", ONE),
    File("quoted line ends, commas and quotes", b'Email,Notes\n"a@x.example","one\r\ntwo, ""three"""\n',
         {"a@x.example": {"notes": 'one\ntwo, "three"'}}),
    File("blank lines and rows of nothing", HEAD + b"\n,,\n  \n" + ANA + b"\n\n,,\n", ONE),
    File("blank lines in front of the header", b"\n\n" + HEAD + ANA, ONE),
    File("rows that end early", HEAD + ANA + b"bo@x.example,Bo\n", BOTH),
    File("rows with empty cells too many", HEAD + b"ana@x.example,Ana,Porto,,,\n", ONE),
    File("spaces around everything", b" Email , First name ,City\n  ana@x.example , Ana,  Porto \n", ONE),
    File("the same header twice: the first counts", b"Email,City,City\na@x.example,Porto,Faro\n",
         {"a@x.example": {"city": "Porto"}}),
    File("a header without a name", b"Email,,City\na@x.example,what,Porto\n", {"a@x.example": {"city": "Porto"}}),
    File("no header", b"ana@x.example,Ana,Porto\nbo@x.example,Bo,\n", BOTH, form={"to-1": "firstName", "to-2": "city"}),
    File("payload keys", b"email,firstName,zipCode,subscribeSMS\na@x.example,Ana,4000,no\n",
         {"a@x.example": {"first_name": "Ana", "zip_code": "4000", "subscribe_sms": False}}),
    File("another program's names", b"E-Mail Address,Given Name,Surname,Mobile,Company,Job\n"
         b"a@x.example,A,B,+34 600,Co,CEO\n",
         {"a@x.example": {"last_name": "B", "phone_number": "+34 600", "company_name": "Co", "job_title": "CEO"}}),
    File("formulas are text", b"Email,Company name,Notes\na@x.example,=1+1,@SUM(A1)\n",
         {"a@x.example": {"company_name": "=1+1", "notes": "@SUM(A1)"}}),
    File("guarded formulas lose their guard, one apostrophe at a time",
         b"Email,Company name,City\na@x.example,'=1+1,''-x\nb@x.example,'Aix,\n",
         {"a@x.example": {"company_name": "=1+1", "city": "'-x"}, "b@x.example": {"company_name": "'Aix"}}),
    File("a huge cell that is left out", b"Email,Junk\na@x.example," + b"x" * 100_000 + b"\n", {"a@x.example": {}}),
    File("words of lists and yes and no in any case",
         b"Email,Lead stage,Priority,Subscribe email\na@x.example,customer,HIGH,FALSE\nb@x.example,,,\n",
         {"a@x.example": {"lead_stage": "Customer", "priority": "High", "subscribe_email": False},
          "b@x.example": {"lead_stage": "Contact", "priority": "Medium", "subscribe_email": True}}),
    File("known by phone alone", b"Phone,First name\n+34 600 112 233,A\n", {"+34 600 112 233": {"first_name": "A"}}),
    File("one column", b"Email\na@x.example\nb@x.example\n", {"a@x.example": {}, "b@x.example": {}}),
    File("two of a family: one address, two contact IDs", b"Contact ID,Email\n7001,f@x.example\n7002,f@x.example\n",
         {"f@x.example": {}}),
]  # fmt: skip
BAD_ROWS = [
    File("cells too many", HEAD + b"bo@x.example,Bo,Porto,more\n" + ANA, ONE, {2: "4 cells"}),
    File("a quote never closed", HEAD + b'bo@x.example,"Bo,Porto\n' + ANA, ONE, {2: "never closed"}),
    File("a quote inside quotes", HEAD + b'"bo@x.example","Bo "the" Bear",X\n' + ANA, ONE, {2: "twice"}),
    File("a cell larger than any", HEAD + b"bo@x.example,Bo," + b"x" * (LONGEST_CELL + 1) + b"\n" + ANA, ONE,
         {2: "characters"}),
    File("a cell too long for its field", HEAD + b"bo@x.example," + b"x" * 101 + b",\n" + ANA, ONE, {2: "too long"}),
    File("NUL", HEAD + b"bo@x.example,B\x00o,\n" + ANA, ONE, {2: "not text"}),
    File("NUL in the e-mail address", HEAD + b"b\x00o@x.example,Bo,\n" + ANA, ONE, {2: "Email holds"}),
    File("NUL in the phone number", b"Email,Phone\nb@x.example,600\x00112233\na@x.example,600112233\n",
         {"a@x.example": {}}, {2: "Phone number holds"}),
    File("NUL in the contact ID", b"Contact ID,Email\n70\x0001,b@x.example\n7001,a@x.example\n", {"a@x.example": {}},
         {2: "Contact ID holds"}),
    File("NUL in what a reason would say", b"Email,Owner,Tags\na@x.example,b\x00o,\nb@x.example,,"
         + b"t" * 50 + b"\x00\n" + b"c@x.example,,VIP\n", {"c@x.example": {}}, {2: "Owner holds", 3: "Tags holds"}),
    File("control characters", HEAD + b"bo@x.example,B\x1b[31mo,\n" + ANA, ONE, {2: "not text"}),
    File("broken UTF-8 in one row", HEAD + "zoe@x.example,Zoë,Köln\né,é,ééééééé\n".encode() + b"bo@x.example,B\xff,\n",
         ZOE, {3: "e-mail", 4: "not text"}),
    File("no way to know who it is", HEAD + b",Bo,Porto\n" + ANA, ONE, {2: "at least one"}),
    File("what is no address", HEAD + b"bo at x,Bo,\n" + ANA, ONE, {2: "e-mail address"}),
    File("what is no number", b"Email,Phone\na@x.example,none\nb@x.example,\n", {"b@x.example": {}}, {2: "digits"}),
    File("words of no list", b"Email,Lead stage,Subscribe email\na@x.example,Suspect,\nb@x.example,,maybe\n", {},
         {2: "Lead stage is one of Lead, Contact", 3: "yes or no"}),
    File("an owner who does not log in here", b"Email,Owner\na@x.example,nobody@x.example\n", {}, {2: "logs in"}),
    File("an owner by name", b"Email,Owner\na@x.example,Dana Whitfield\n", {}, {2: "e-mail address"}),
    File("tags too long or too many", b"Email,Tags\na@x.example," + b"t" * 51 + b'\nb@x.example,"'
         + b",".join(b"t%d" % i for i in range(51)) + b'"\n', {}, {2: "at most 50 characters", 3: "at most 50 tags"}),
    File("the same contact twice", HEAD + ANA + b"ANA@x.example,Ana again,Faro\n", ONE, {3: "Row 2"}),
    File("the same contact twice, by another key", b"Email,Phone\na@x.example,600112233\n,+600 112 233\n",
         {"a@x.example": {}}, {3: "Row 2"}),
    File("the same contact ID twice", b"Contact ID,First name\n7001,A\n7001,B\n", {"7001": {"first_name": "A"}},
         {3: "Row 2"}),
]  # fmt: skip
REFUSED = {
    "empty": (b"", "The file is empty"),
    "only blanks": (b" \n\n\t\n", "The file is empty"),
    "only commas": (b",,,\n,,,\n", "The file is empty"),
    "only a mark": (codecs.BOM_UTF8, "The file is empty"),
    "only a header": (HEAD, "no rows below"),
    "XLSX or ZIP": (b"PK\x03\x04" + bytes(60), "Excel workbook"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Excel"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "picture"),
    "anything binary": (bytes(range(256)) * 20, "not a table of text"),
    "one line without an end": (b"x" * (LONGEST_LINE + storing.PIECE + 1), ""),
    "columns too many": (b",".join(b"c%d" % i for i in range(301)) + b"\n1\n", "300 columns"),
    "larger than 20 MB": (b"Email\n" + b"a" * LARGEST, "at most 20 MB"),
}


def told(wizard: Wizard, made: Import, file: File) -> None:
    """What the file says is what is known, and nobody else."""
    known = wizard.contacts()
    assert known.keys() == file.contacts.keys(), file.name
    for key, values in file.contacts.items():
        assert {name: getattr(known[key], name) for name in values} == values, file.name
    reasons = wizard.refused(made)
    assert reasons.keys() == file.refused.keys(), (file.name, reasons)
    for row, part in file.refused.items():
        assert part in reasons[row], file.name


def test_each_file_ends_in_a_right_import_or_in_rows_refused_with_a_reason(app: Flask) -> None:
    files = [*GOOD, *BAD_ROWS]
    for number, file in enumerate(files):
        user = create_workspace(f"Files {number}", "Dana", f"files{number}@example.com", PASSWORD)
        wizard = Wizard(Person(app.test_client(), user.memberships[0].workspace_id, user.id, user.name, user.email))
        made = wizard.imported(file.data, **file.form)
        told(wizard, made, file)
        if file in share(files, is_sqlite()):
            again = wizard.planned(file.data, **file.form)
            assert (again.count("new"), again.count("changed")) == (0, 0), file.name


def test_what_is_no_table_of_text_is_refused_whole_and_says_why(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", LONGEST_LINE)
    monkeypatch.setattr(storing, "LARGEST", LARGEST)
    for name, (data, sentence) in REFUSED.items():
        answer = wizard.upload(data, "people.csv")
        if answer.status_code == 303:  # it looks well at its beginning: the dry run finds out
            made = wizard.checked(data, **{"to-0": "email", "match-0": "email"})
            assert made.problem, name
            assert wizard.run(made).stage == Stage.CHECKED, name
        else:
            assert (answer.status_code, sentence in words(answer)) == (422, True), (name, words(answer))
    assert wizard.person.client.post("/contacts/import").status_code == 422
    assert wizard.contacts() == {}


def test_a_file_of_too_many_rows_is_refused_whole(wizard: Wizard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "MOST_ROWS", 3)
    rows = [[f"p{i}@x.example"] for i in range(4)]
    assert wizard.checked(table(["Email"], *rows[:3])).problem is None
    made = wizard.checked(table(["Email"], *rows))
    assert "more than 3 rows" in str(made.problem)
    wizard.run(made)
    assert wizard.contacts() == {}


def test_a_file_that_was_read_wrongly_is_read_again_as_told(wizard: Wizard) -> None:
    address = wizard.upload("Email,City\na@x.example,Łódź\n".encode("cp1250")).location
    assert address
    form = {"encoding": "cp1250", "delimiter": ","}
    wizard.person.client.post(address.replace("columns", "reading"), data=form)
    assert "Łódź" in wizard.person.client.get(address).text
    wizard.person.client.post(address.replace("columns", "reading"), data=form | {"is_data": "y"})
    page = wizard.person.client.get(address).text
    assert "Column 1" in page
    assert "a@x.example" in page
