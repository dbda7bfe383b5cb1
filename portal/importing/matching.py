"""Which contact a row is about: one that is known, one that an earlier row of the file told about, or a new one."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, and_, select

from ..contacts.keys import normal_email, normal_phone
from ..contacts.models import Contact
from ..extensions import db
from ..rows import insert_many
from .models import ImportKey
from .targets import Refused

MATCHES = {"contactId": "Contact ID", "email": "Email", "phoneNumber": "Phone number"}
"""By what contacts can be found again."""
KNOWN = {"contactId": "contact ID", "email": "e-mail address", "phoneNumber": "phone number"}
TAKEN = "Another contact has this contact ID."
NOBODY = "Give at least one of e-mail, phone number and contact ID, or nobody can tell who it is."

Kinds = Mapping[str, str]
"""Kind of key to its value, in the one spelling that is compared."""


def spelled(kind: str, text: str) -> str:
    """The one spelling of an address or number: neither case nor spaces nor a plus tell two contacts apart."""
    if kind == "email":
        return normal_email(text)
    return normal_phone(text) or text if kind == "phoneNumber" else text


def keys_of(contact: Contact) -> dict[str, str]:
    """By what a contact is known."""
    texts = {"contactId": contact.contact_id, "email": contact.email, "phoneNumber": contact.phone_number}
    return {kind: spelled(kind, text) for kind, text in texts.items() if text}


def possible(workspace_id: uuid.UUID, wanted: Sequence[Kinds]) -> list[uuid.UUID]:
    """The ids of all contacts that have one of these keys."""
    numbers, emails, phones = ({keys[kind] for keys in wanted if kind in keys} for kind in MATCHES)
    having: list[ColumnElement[bool]] = []
    having += [Contact.contact_id.in_(numbers), Contact.email_key.in_(emails), Contact.phone_key.in_(phones)]
    if short := [phone for phone in phones if not normal_phone(phone)]:  # too short to have a key
        having.append(and_(Contact.phone_key == "", Contact.phone_number.in_(short)))
    # One question for each index is what both databases answer fast; "or" is not.
    mine = select(Contact.id).where(Contact.workspace_id == workspace_id)
    return list({key for one in having for key in db.session.scalars(mine.where(one))})


@dataclass
class Known:
    """What is known while rows are looked at, one after the other: contacts by their keys, earlier rows by theirs."""

    import_id: uuid.UUID
    match: Sequence[str]
    contacts: dict[tuple[str, str], list[Contact]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[bytes, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """Numbers of earlier rows, and the contact IDs that they give."""
    new: list[dict[str, Any]] = field(default_factory=list)
    """What the rows of this slice add, to be written down."""

    @classmethod
    def of(cls, import_id: uuid.UUID, match: Sequence[str], contacts: Collection[Contact], wanted: Sequence[Kinds],
           before: int) -> "Known":  # fmt: skip
        """All that can matter for rows with these keys, of which the first has the number `before`."""
        known = cls(import_id, match)
        for contact in contacts:
            for key in keys_of(contact).items():
                known.contacts[key].append(contact)
        digests = {_digest(*key) for keys in wanted for key in keys.items()} | {_same(one) for one in contacts}
        query = select(ImportKey.key, ImportKey.row, ImportKey.number).where(
            ImportKey.import_id == import_id, ImportKey.key.in_(digests), ImportKey.row < before
        )
        for digest, row, number in db.session.execute(query):
            known.rows[bytes(digest)].append((row, number))
        return known

    def find(self, keys: Kinds) -> Contact | None:
        """The contact that a row with these keys is about; None for a new one. Raises Refused."""
        number = keys.get("contactId", "")
        for kind in self.match:
            if kind in keys and (found := self._by(kind, keys[kind], number)):
                if number and found.contact_id != number:
                    raise Refused(f"The contact with this {KNOWN[kind]} has the contact ID {found.contact_id}, which "
                                  "can’t be changed.")  # fmt: skip
                self._refuse_told(_same(found))
                return found
        if not keys:
            raise Refused(NOBODY)
        if number and self.contacts.get(("contactId", number)):
            raise Refused(TAKEN)
        if number:
            self._refuse_told(_digest("contactId", number))
        elif keys.keys().isdisjoint(self.match):
            self._refuse_known(keys)
        return None

    def tell(self, row: int, number: str, contact: Contact | None, *keys: Kinds) -> None:
        """This row is about the contact with these keys: no later one may be."""
        digests = {_digest(*key) for some in keys for key in some.items()}
        for digest in digests | ({_same(contact)} if contact else set()):
            self.rows[digest].append((row, number))
            self.new.append({"import_id": self.import_id, "key": digest, "row": row, "number": number})

    def write(self) -> None:
        """Remember it for the rows of later slices."""
        insert_many(cast(Table, ImportKey.__table__), self.new)

    def _by(self, kind: str, value: str, number: str) -> Contact | None:
        """Who has that key. Where contact IDs go first, those with another one are somebody else."""
        strict = bool(number) and kind != "contactId" and "contactId" in self.match[: self.match.index(kind)]
        self._refuse_told(_digest(kind, value), number if strict else "")
        found = [one for one in self.contacts.get((kind, value), ()) if not strict or one.contact_id == number]
        if len(found) > 1:
            names = ", ".join(sorted(one.contact_id for one in found)[:5])
            raise Refused(f"{len(found)} contacts have this {KNOWN[kind]} (contact IDs {names}): nobody can tell which "
                          "one is meant. Merge them, or give the contact ID.")  # fmt: skip
        return found[0] if found else None

    def _refuse_known(self, keys: Kinds) -> None:
        """What cannot be found again would be made once more by each import of the file: somebody with one of its keys
        is most likely the same, but nobody chose that such a one is changed."""
        for kind, value in keys.items():
            self._refuse_told(_digest(kind, value))
            if self.contacts.get((kind, value)):
                chosen = " or ".join(KNOWN[one] for one in self.match)
                raise Refused(f"A contact has this {KNOWN[kind]} already, and the row has no {chosen} to find it by. "
                              f"Give that, or choose that contacts are known by {MATCHES[kind]}, too.")  # fmt: skip

    def _refuse_told(self, digest: bytes, number: str = "") -> None:
        told = [row for row, other in self.rows.get(digest, ()) if not (number and other and other != number)]
        if told:
            raise Refused(f"Row {min(told):,} of the file is about the same contact. Put both into one row.")


def _digest(kind: str, value: str) -> bytes:
    return hashlib.blake2b(f"{kind} {value}".encode("utf-8", "replace"), digest_size=16).digest()


def _same(contact: Contact) -> bytes:
    return contact.id.bytes[::-1]  # backwards, so that it is no digest of anything
