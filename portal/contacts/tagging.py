"""Tags: found by name, made when unknown, renamed, recoloured, deleted. None of this is an event of a contact."""

import uuid
from collections.abc import Iterable

from sqlalchemy import func, select

from ..accounts.models import Workspace
from ..extensions import db
from .models import Tag, contact_tag

PALETTE = ("#3E63DD", "#299764", "#D98A00", "#DB4B4B", "#7A5AF0", "#0E8AA8", "#C2429B", "#7C7F88")
"""Calm colours, given to new tags in turn."""
MAX_TAGS = 50
"""Of one contact."""


class TagTaken(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Another tag has this name already, in whatever case."""


def each_once(names: Iterable[str]) -> list[str]:
    """The names of different tags, in whatever case: of two of one tag the first spelling."""
    spellings: dict[str, str] = {}
    for name in names:
        spellings.setdefault(name.casefold(), name)
    return list(spellings.values())


def are_too_many(wanted: int, carried: int) -> bool:
    """Whether a contact with so many tags may not get so many: who has more already, as by an import, may lose some."""
    return wanted > MAX_TAGS and wanted > carried


def tags_of(workspace_id: uuid.UUID) -> list[Tag]:
    """The workspace's tags by name."""
    tags = db.session.scalars(select(Tag).where(Tag.workspace_id == workspace_id))
    return sorted(tags, key=lambda tag: (tag.name.casefold(), tag.name))


def uses(workspace_id: uuid.UUID) -> dict[uuid.UUID, int]:
    """How many contacts carry each tag; tags that nobody carries are left out."""
    query = select(Tag.id, func.count()).join(contact_tag).where(Tag.workspace_id == workspace_id).group_by(Tag.id)
    return dict(db.session.execute(query).all())


def named(workspace_id: uuid.UUID, names: Iterable[str]) -> list[Tag]:
    """The tags with these names, in whatever case; unknown ones are made. Nobody deletes them before the commit."""
    wanted = {name.casefold(): name for name in names}
    if wanted.keys() - {tag.name.casefold() for tag in tags_of(workspace_id)}:
        _hold(workspace_id)
    known = _held(workspace_id)
    for key in wanted.keys() - known.keys():
        known[key] = _new(workspace_id, wanted[key], PALETTE[len(known) % len(PALETTE)])
    return [known[key] for key in wanted]


def add(workspace_id: uuid.UUID, name: str, color: str) -> Tag:
    """Make a tag. Raises TagTaken."""
    _hold(workspace_id)
    if name.casefold() in _held(workspace_id):
        raise TagTaken
    return _new(workspace_id, name, color)


def change(tag: Tag, name: str, color: str) -> None:
    """Rename or recolour a tag: later payloads say it, no event is sent for it. Raises TagTaken."""
    _hold(tag.workspace_id)
    if _held(tag.workspace_id).get(name.casefold(), tag) is not tag:
        raise TagTaken
    tag.name, tag.color = name, color.upper()
    db.session.flush()


def delete(tag: Tag) -> None:
    """Take the tag off all contacts and away: later payloads say it, no event is sent for it."""
    db.session.delete(tag)
    db.session.flush()


def _hold(workspace_id: uuid.UUID) -> None:
    """One at a time decides which names are taken; writing contacts goes on beside it."""
    query = select(Workspace.id).where(Workspace.id == workspace_id)
    db.session.execute(query.with_for_update(key_share=True))


def _held(workspace_id: uuid.UUID) -> dict[str, Tag]:
    """The workspace's tags, as they are now and stay until the commit, by their name in one case."""
    query = select(Tag).where(Tag.workspace_id == workspace_id).with_for_update(read=True, key_share=True)
    return {tag.name.casefold(): tag for tag in db.session.scalars(query.execution_options(populate_existing=True))}


def _new(workspace_id: uuid.UUID, name: str, color: str) -> Tag:
    tag = Tag(workspace_id=workspace_id, name=name, color=color.upper())
    db.session.add(tag)
    db.session.flush()
    return tag
