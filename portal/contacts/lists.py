"""The lists of lead stages and priorities, each workspace's own. None of this is an event of a contact.

Contacts carry the word itself. When a word is renamed, or deleted for another one, the contacts that carry it are
rewritten at once and without an event, however many they are; the next event of each says the new word, and does not
call it a change. Who wants receivers to know at once replays or edits.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, event, func, insert, select, update
from sqlalchemy.orm import Mapper

from ..accounts.models import Workspace
from ..extensions import db
from .field_models import ListWord, WordKind
from .keys import sortable
from .list_models import ContactView
from .models import Contact
from .ordering import close_up, next_position

FIRST_WORDS = {
    WordKind.STAGE: ("Lead", "Contact", "Prospect", "Customer", "Former customer"),
    WordKind.PRIORITY: ("Low", "Medium", "High"),
}
"""What a new workspace begins with."""
FIRST_DEFAULTS = {WordKind.STAGE: "Contact", WordKind.PRIORITY: "Medium"}
"""Of a contact that a person makes (source: the contract)."""
MOST_WORDS = 50


class WordTaken(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """The list has this word already, in whatever case."""


class TooMany(Exception):  # noqa: N818  likewise
    """The list is as long as it can be."""


class LastWord(Exception):  # noqa: N818  likewise
    """A list without a word is none."""


class InUse(Exception):  # noqa: N818  likewise
    """Contacts carry the word, and nobody said which one they get instead."""


@event.listens_for(Workspace, "after_insert")
def _begin(_mapper: Mapper[Any], connection: Connection, workspace: Workspace) -> None:
    """Every workspace begins with the words of the contract."""
    rows = [
        {
            "id": uuid.uuid4(), "workspace_id": workspace.id, "kind": kind, "name": name, "position": position,
            "is_default": name == FIRST_DEFAULTS[kind],
        }
        for kind, names in FIRST_WORDS.items() for position, name in enumerate(names)
    ]  # fmt: skip
    connection.execute(insert(ListWord), rows)


def words_of(workspace_id: uuid.UUID, kind: WordKind) -> list[ListWord]:
    """The words of a list in their order."""
    query = select(ListWord).where(ListWord.workspace_id == workspace_id, ListWord.kind == kind)
    return list(db.session.scalars(query.order_by(ListWord.position, ListWord.id)))


def defaults(workspace_id: uuid.UUID) -> dict[str, str]:
    """What a contact made by hand gets, by attribute."""
    query = select(ListWord.kind, ListWord.name).where(ListWord.workspace_id == workspace_id, ListWord.is_default)
    return {kind.value: name for kind, name in db.session.execute(query)}


def uses(workspace_id: uuid.UUID, kind: WordKind) -> dict[str, int]:
    """How many contacts carry each word."""
    column = getattr(Contact, kind.value)
    query = select(column, func.count()).where(Contact.workspace_id == workspace_id).group_by(column)
    return {word: count for word, count in db.session.execute(query) if word}


def add(workspace_id: uuid.UUID, kind: WordKind, name: str) -> ListWord:
    """Put a word at the end of a list. Raises WordTaken, TooMany."""
    close_up(workspace_id)
    others = words_of(workspace_id, kind)
    if len(others) >= MOST_WORDS:
        raise TooMany
    _claim(name, others)
    word = ListWord(workspace_id=workspace_id, kind=kind, name=name, position=next_position(others))
    db.session.add(word)
    db.session.flush()
    return word


def rename(word: ListWord, name: str) -> None:
    """Call it otherwise, on all contacts that carry it and in the views that ask for it. Raises WordTaken."""
    close_up(word.workspace_id)
    _claim(name, [other for other in words_of(word.workspace_id, word.kind) if other is not word])
    _rewrite(word, name)
    _ask_for(word, name)
    word.name = name
    db.session.flush()


def delete(word: ListWord, instead: ListWord | None = None) -> None:
    """Take it off the list; contacts that carry it get the other word, which also becomes the default if this was.

    Raises LastWord, InUse.
    """
    close_up(word.workspace_id)
    others = [other for other in words_of(word.workspace_id, word.kind) if other is not word]
    if not others:
        raise LastWord
    if instead is None and uses(word.workspace_id, word.kind).get(word.name):
        raise InUse
    heir = instead if instead in others else others[0]
    if instead:
        _rewrite(word, heir.name)
    heir.is_default = heir.is_default or word.is_default
    db.session.delete(word)
    db.session.flush()


def _rewrite(word: ListWord, name: str) -> None:
    column = getattr(Contact, word.kind.value)
    carrying = update(Contact).where(Contact.workspace_id == word.workspace_id, column == word.name)
    keys = {Contact.stage_key: sortable(name)} if word.kind == WordKind.STAGE else {}
    db.session.execute(carrying.values({column: name, **keys}).execution_options(synchronize_session=False))
    db.session.expire_all()  # contacts that were read before


def _ask_for(word: ListWord, name: str) -> None:
    """Let the views that ask for the word, or for what has it not, ask by its new name."""
    renamed = {f"{word.kind}.{operator}.{word.name}": f"{word.kind}.{operator}.{name}" for operator in ("is", "not")}
    for view in db.session.scalars(select(ContactView).where(ContactView.workspace_id == word.workspace_id)):
        view.address = [[key, renamed.get(value, value) if key == "f" else value] for key, value in view.address]


def _claim(name: str, others: Iterable[ListWord]) -> None:
    if name.casefold() in {other.name.casefold() for other in others}:
        raise WordTaken
