"""What people keep of the list: the columns that each last had, and views by name."""

import uuid
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import or_, select

from ..extensions import db
from .columns import USUAL, Column
from .list_models import ContactView

MOST_COLUMNS, MOST_VIEWS = 20, 30


class TooMany(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """There are as many views as a list can show."""


def views_of(workspace_id: uuid.UUID, user_id: uuid.UUID) -> list[ContactView]:
    """The views by name that a person sees: everybody's and their own, by name."""
    mine = or_(ContactView.user_id == user_id, ContactView.user_id.is_(None))
    query = select(ContactView).where(ContactView.workspace_id == workspace_id, mine, ContactView.name != "")
    return sorted(db.session.scalars(query), key=lambda view: (view.name.casefold(), str(view.id)))


def save(
    workspace_id: uuid.UUID, user_id: uuid.UUID | None, name: str, address: Sequence[Sequence[str]], columns: list[str]
) -> ContactView:
    """Keep a view, a person's or (None) everybody's; one of the same name is replaced. Raises TooMany."""
    query = select(ContactView).where(ContactView.workspace_id == workspace_id, ContactView.user_id == user_id)
    theirs = {view.name.casefold(): view for view in db.session.scalars(query)}
    view = theirs.get(name.casefold())
    if view is None:
        if len(theirs) > MOST_VIEWS:
            raise TooMany
        view = ContactView(workspace_id=workspace_id, user_id=user_id)
        db.session.add(view)
    view.name, view.columns = name, columns
    view.address = [list(pair) for pair in address if pair[0] != "view"]
    db.session.flush()
    return view


def columns_chosen(workspace_id: uuid.UUID, user_id: uuid.UUID, known: Mapping[str, Column]) -> list[str]:
    """The names of the columns that a person last had, of those that there are; the name comes first, always."""
    query = select(ContactView.columns).where(
        ContactView.workspace_id == workspace_id, ContactView.user_id == user_id, ContactView.name == ""
    )
    return usable(db.session.scalar(query) or USUAL, known)


def usable(names: Iterable[str], known: Mapping[str, Column]) -> list[str]:
    """Of these columns those that there are, each once, behind the name."""
    wanted = dict.fromkeys(["name", *names])
    return [name for name in wanted if name in known][:MOST_COLUMNS]


def moved(names: Sequence[str], act: str, name: str) -> list[str]:
    """The columns after one of them was added, removed or moved a place up or down."""
    others = [one for one in names if one != name]
    if act == "remove":
        return others
    place = {"up": -1, "down": 1}.get(act)
    at = len(others) if place is None or name not in names else max(1, names.index(name) + place)
    return [*others[:at], name, *others[at:]]
