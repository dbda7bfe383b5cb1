"""The list of contacts: what is asked for, its columns, and the views that people keep of it."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from werkzeug.wrappers import Response

from ..accounts.permissions import Permission, Refused, allowed, holds
from ..accounts.service import own, own_or_404, person, role, workspace
from ..extensions import db
from ..web import go, page, say, wants_fragment
from . import filters, listing, saved
from .columns import OPERATORS, WITHOUT_VALUE, Column, is_time, shown
from .known import columns_of
from .list_forms import ViewForm
from .list_models import ContactView
from .listing import SIZES, Asked
from .models import Contact
from .selection import ALL

blueprint = Blueprint("contact_list", __name__)

FAILED = 422
MOVES = ("add", "remove", "up", "down")


def show_list(problem: str = "", form: ViewForm | None = None) -> Response:
    """The list as the address, or the form that was sent, asks for it; `problem` is what was wrong with that."""
    columns = columns_of(workspace().id)
    asked = Asked.of(request.values, columns)
    views = saved.views_of(workspace().id, person().id)
    view = next((one for one in views if str(one.id) == asked.view), None)
    return page(
        "contacts/index.html", "contacts/_list.html", FAILED if problem or form else 200,
        asked=asked, found=listing.find(own(Contact), workspace().id, asked, columns), columns=columns,
        views=views,
        shown=[columns[name] for name in _chosen(view, columns)], view=view, problem=problem,
        add=_adding(columns), picked=request.args.get("pick", ""), form=form or ViewForm(formdata=None),
        is_part=wants_fragment(), **WORDS,
    )  # fmt: skip


@blueprint.get("/contacts/filter")
@allowed(Permission.CONTACTS)
def add_filter() -> Response:
    """What the form of a filter asks for becomes a part of the list's address."""
    columns = columns_of(workspace().id)
    asked = Asked.of(request.args, columns)
    words = (request.args.get(name, "") for name in ("field", "op", "value"))
    made = filters.made(*words, columns=columns)
    if made is None:
        return go(url_for("contacts.index", **asked.address(add=request.args.get("field"), wrong="1")))
    return go(url_for("contacts.index", **asked.address(f=[*(one.address for one in asked.filters), made.address])))


@blueprint.route("/contacts/columns", methods=["GET", "POST"])
@allowed(Permission.CONTACTS)
def columns() -> Response:
    """Which columns the list has and in which order; each press of a button is remembered."""
    known = columns_of(workspace().id)
    chosen = saved.columns_chosen(workspace().id, person().id, known)
    if request.method == "POST":
        act = next((act for act in MOVES if request.form.get(act) in known), None) or abort(400)
        chosen = saved.usable(saved.moved(chosen, act, request.form[act]), known)
        saved.save(workspace().id, person().id, "", [], chosen)
        db.session.commit()
        if not request.headers.get("HX-Request"):
            return go(url_for("contact_list.columns"))
    others = [column for name, column in known.items() if name not in chosen]
    return page(
        "contacts/columns.html", "contacts/_columns.html",
        chosen=[known[name] for name in chosen], others=others, most=saved.MOST_COLUMNS,
    )  # fmt: skip


@blueprint.post("/contacts/views")
@allowed(Permission.CONTACTS)
def save_view() -> Response:
    """Keep what the list asks for now under a name."""
    form, known = ViewForm(), columns_of(workspace().id)
    asked = Asked.of(request.form, known)
    if not form.validate_on_submit():
        return show_list(form=form)
    user_id = None if form.is_shared.data else person().id
    _may_keep(user_id)
    looked_at = next((one for one in saved.views_of(workspace().id, person().id) if str(one.id) == asked.view), None)
    chosen = _chosen(looked_at, known)
    try:
        view = saved.save(workspace().id, user_id, form.name.data, asked.parameters, chosen)
    except saved.TooMany:
        form.refuse("name", f"There are {saved.MOST_VIEWS} views already. Delete one first.")
        return show_list(form=form)
    db.session.commit()
    say(f"View {view.name} is saved.")
    return go(url_for("contacts.index", **address_of(view)))


@blueprint.post("/contacts/views/<uuid:view_id>/delete")
@allowed(Permission.CONTACTS)
def delete_view(view_id: UUID) -> Response:
    """Take a view away; the contacts that it shows stay."""
    view = own_or_404(ContactView, view_id)
    if view.user_id not in (None, person().id):
        abort(404)
    _may_keep(view.user_id)
    say(f"View {view.name} is deleted.")
    db.session.delete(view)
    db.session.commit()
    return go(url_for("contacts.index"))


def address_of(view: ContactView) -> dict[str, Any]:
    """The parameters of the address of a view."""
    made: dict[str, Any] = {"view": str(view.id)}
    for name, value in view.address:
        made.setdefault(name, []).append(value)
    return made


def may_share() -> bool:
    """Whether the person may keep views for everybody."""
    return holds(role(), Permission.TAGS)


def _chosen(view: ContactView | None, known: dict[str, Column]) -> list[str]:
    """The names of the columns that are shown: those of the view that is looked at, else the person's own."""
    if view:
        return saved.usable(view.columns, known)
    return saved.columns_chosen(workspace().id, person().id, known)


def _may_keep(user_id: UUID | None) -> None:
    if user_id is None and not may_share():
        raise Refused(Permission.TAGS)


def _adding(columns: dict[str, Column]) -> dict[str, Any] | None:
    """What the form of a new filter needs, when one is asked for."""
    column = columns.get(request.args.get("add", ""))
    return (
        {"column": column, "operators": OPERATORS[column.kind], "is_wrong": "wrong" in request.args} if column else None
    )


WORDS = {
    "sizes": SIZES, "without_value": WITHOUT_VALUE, "shown_value": shown, "is_time": is_time, "all_match": ALL,
    "view_address": address_of, "may_share": may_share,
}  # fmt: skip
"""What the template of the list calls."""
