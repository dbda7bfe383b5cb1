"""Contacts to be: what a row makes of one, and what is told of it. It takes most of the time of writing many, and no
lock: who has one ready when the lock is there keeps others from saving for a moment only."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, select

from ..accounts.models import Membership, User
from ..extensions import db, utcnow
from ..rows import Insert, Ready, ready
from ..webhooks.batches import News, words_of
from . import lists, service, tagging
from .custom_fields import fields_of, merged
from .field_models import CustomField
from .keys import keys_of
from .models import Contact, Tag
from .payload import contact_payload, encoded

TABLE = cast(Table, Contact.__table__)
NAMES = tuple(column.name for column in TABLE.columns)
NUMBERED = ["workspace_id", "contact_id"]
_DEFAULTS: dict[str, Any] = {column.name: column.default for column in TABLE.columns}
_SAME = {name: made.arg if made is not None and made.is_scalar else None for name, made in _DEFAULTS.items()}
_MADE = {name: made.arg for name, made in _DEFAULTS.items() if made is not None and not made.is_scalar}
"""What a column gets when nobody says anything: the same for all, or made for each."""

Row = Mapping[str, Any]
"""Attributes to values, and "tags" to names."""


class _Sketch:
    """Reads like a contact. SQLAlchemy's own do much at each attribute, and an import touches millions."""

    label = Contact.label

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


@dataclass(slots=True)
class Draft:
    """A contact that is not written yet, and what is told of it."""

    contact: Contact
    news: News
    is_numbered: bool
    """Somebody gave its contact ID; others get another one if theirs is taken."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a workspace adds to the rows: its custom fields, what a new contact gets, tags by their names in one case,
    and the names of owners by their ids."""

    fields: Sequence[CustomField]
    defaults: Mapping[str, str]
    tags: Mapping[str, Tag]
    owners: Mapping[str, str]

    def says_as(self, other: "Given") -> bool:
        """Whether drafts that were made with the other would come out the same with this one."""
        return self._facts() == other._facts()

    def _facts(self) -> tuple[Any, ...]:
        fields = [(one.id, one.name, one.type) for one in self.fields]
        tags = {key: (one.id, one.name, one.color) for key, one in self.tags.items()}
        return fields, self.defaults, tags, self.owners


@dataclass(frozen=True, slots=True)
class Ahead:
    """Drafts of some rows, made before the lock, and what they were made with; and what is written of them, if all are
    new, ready for that."""

    given: Given
    drafts: Sequence[Draft]
    contacts: Ready | None
    words: Ready | None


def drafted_ahead(workspace_id: uuid.UUID, rows: Sequence[Row]) -> Ahead | None:
    """Drafts for `many.create_many`, made without writing anything: None while a tag is unknown."""
    names, there = _tag_names(rows), {tag.name.casefold(): tag for tag in tagging.tags_of(workspace_id)}
    wanted = {name.casefold() for name in names}
    if wanted - there.keys():
        return None
    given = _given(workspace_id, rows, {key: there[key] for key in wanted})
    made = drafts(workspace_id, rows, given)
    return Ahead(given, made, as_rows(made), words_of(workspace_id, [one.news for one in made]))


def as_rows(made: Sequence[Draft]) -> Ready | None:
    """The contacts, ready to be inserted; whose contact ID is taken is left out."""
    return ready(TABLE, [{name: getattr(one.contact, name) for name in NAMES} for one in made], _unless_taken)


def _unless_taken(new: Insert) -> Insert:
    return new.on_conflict_do_nothing(index_elements=NUMBERED)


def given_now(workspace_id: uuid.UUID, rows: Sequence[Row]) -> Given:
    """What the rows get, under the lock; tags that are unknown are made."""
    return _given(workspace_id, rows, wanted_tags(workspace_id, rows))


def drafts(workspace_id: uuid.UUID, rows: Sequence[Row], given: Given) -> list[Draft]:
    """A new contact of each row, in their order."""
    now = utcnow()
    always = {"workspace_id": workspace_id, "created_time": now, "changed_at": now}
    return [_new({**given.defaults, **row, **always}, given) for row in rows]


def draft(values: Mapping[str, Any], tags: Sequence[Tag], given: Given) -> Draft:
    """A contact with these columns, and what else a column gets when they leave it out."""
    made = {name: make(None) for name, make in _MADE.items() if name not in values}
    contact = cast(Contact, _Sketch({**_SAME, **made, **values, "tags": tags}))
    is_numbered = bool(contact.contact_id)
    if not is_numbered:
        contact.contact_id = service.made_up_number()
    return Draft(contact, _news(contact, given), is_numbered)


def renumber(one: Draft, given: Given) -> None:
    """Its contact ID is taken: here is another one."""
    one.contact.contact_id = service.made_up_number()
    one.news = _news(one.contact, given)


def wanted_tags(workspace_id: uuid.UUID, rows: Collection[Row]) -> dict[str, Tag]:
    """The tags that the rows name, by their names in one case; unknown ones are made."""
    names = _tag_names(rows)
    return {tag.name.casefold(): tag for tag in tagging.named(workspace_id, names)} if names else {}


def owner_names(workspace_id: uuid.UUID, owners: Iterable[str | None]) -> dict[str, str]:
    """The names of the members with these ids (text), by their ids."""
    wanted = {uuid.UUID(owner) for owner in owners if owner}
    if not wanted:
        return {}
    query = select(User.id, User.name).join(Membership)
    query = query.where(Membership.workspace_id == workspace_id, Membership.user_id.in_(wanted))
    return {str(key): name for key, name in db.session.execute(query)}


def by_name(tags: Mapping[str, Tag], names: Collection[str]) -> list[Tag]:
    """The tags with these names, each once."""
    return [tags[key] for key in dict.fromkeys(name.casefold() for name in names)]


def _tag_names(rows: Iterable[Row]) -> dict[str, None]:
    return dict.fromkeys(name for row in rows for name in row.get("tags") or ())


def _given(workspace_id: uuid.UUID, rows: Iterable[Row], tags: Mapping[str, Tag]) -> Given:
    owners = owner_names(workspace_id, (row.get("owner") for row in rows))
    return Given(fields_of(workspace_id), lists.defaults(workspace_id), tags, owners)


def _new(row: dict[str, Any], given: Given) -> Draft:
    values = {name: None if value == "" else value for name, value in row.items()}
    values["custom_fields"] = merged({}, values.get("custom_fields") or {}, given.fields)
    return draft(values, by_name(given.tags, values.pop("tags", None) or ()), given)


def _news(contact: Contact, given: Given) -> News:
    """Make what follows from what it says: by what it is found, and what is told of it."""
    vars(contact).update(keys_of(contact))
    said = contact_payload(contact, given.owners.get(contact.owner or ""), given.fields)
    return News(service.about(contact, {}), encoded(said))
