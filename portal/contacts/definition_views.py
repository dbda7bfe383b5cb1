"""The pages on which an Administrator defines custom fields, lead stages and priorities."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, abort, request, url_for
from werkzeug.wrappers import Response

from .. import audit
from ..accounts.permissions import Permission, allowed
from ..accounts.service import own_or_404, person, workspace
from ..extensions import db
from ..fields import shows_again
from ..web import go, page, say
from . import custom_fields, lists
from .custom_fields import fields_of
from .definition_forms import TYPE_WORDS, FieldForm, WordForm
from .field_models import CustomField, ListWord, WordKind
from .ordering import close_up, move

blueprint = Blueprint("definitions", __name__)

FAILED = 422
LIST_NAMES = {WordKind.STAGE: "Lead stages", WordKind.PRIORITY: "Priorities"}
ONE_OF = {WordKind.STAGE: "lead stage", WordKind.PRIORITY: "priority"}


@blueprint.get("/settings/fields")
@allowed(Permission.FIELDS)
def fields() -> Response:
    """The custom fields in their order."""
    found, uses = fields_of(workspace().id), custom_fields.uses(workspace().id)
    return page("definitions/fields.html", fields=found, uses=uses, types=TYPE_WORDS, moved=_moved())


@blueprint.route("/settings/fields/new", methods=["GET", "POST"])
@allowed(Permission.FIELDS)
@shows_again
def new_field() -> Response:
    """The form of one more."""
    form = FieldForm()
    if _saved(form, lambda: custom_fields.add(workspace().id, form.facts), "added"):
        return go(url_for("definitions.fields"))
    return _field_page(form, None)


@blueprint.route("/settings/fields/<uuid:field_id>", methods=["GET", "POST"])
@allowed(Permission.FIELDS)
@shows_again
def edit_field(field_id: UUID) -> Response:
    """The form of one that exists."""
    field = own_or_404(CustomField, field_id)
    form = FieldForm(field, custom_fields.uses(workspace().id).get(field.id, 0))

    def save() -> CustomField:
        custom_fields.change(field, form.facts)
        return field

    if _saved(form, save, "changed"):
        return go(url_for("definitions.fields"))
    return _field_page(form, field)


@blueprint.post("/settings/fields/<uuid:field_id>/move")
@allowed(Permission.FIELDS)
def move_field(field_id: UUID) -> Response:
    """One step up or down."""
    field = own_or_404(CustomField, field_id)
    close_up(workspace().id)
    move(fields_of(workspace().id), field, _steps())
    db.session.commit()
    return go(url_for("definitions.fields", moved=field_id, steps=_steps()))


@blueprint.post("/settings/fields/<uuid:field_id>/delete")
@allowed(Permission.FIELDS)
def delete_field(field_id: UUID) -> Response:
    """Take it off all contacts and away."""
    field = own_or_404(CustomField, field_id)
    say(f"Field {field.name} is deleted.")
    audit.note(person(), "deleted a custom field", field, {"Name": field.name}, {"Name": None})
    custom_fields.delete(field)
    db.session.commit()
    return go(url_for("definitions.fields"))


@blueprint.route("/settings/lists", methods=["GET", "POST"])
@allowed(Permission.FIELDS)
@shows_again
def words() -> Response:
    """The lists, and forms for one more word of each."""
    forms = {kind: WordForm(prefix=f"{kind}-") for kind in WordKind}
    if request.method == "GET":
        return _words_page(forms)
    kind = _kind()
    form = forms[kind]
    if _word_saved(form, kind, lambda: lists.add(workspace().id, kind, form.name.data), "added"):
        return go(url_for("definitions.words"))
    return _words_page(forms, status=FAILED)


@blueprint.post("/settings/lists/<uuid:word_id>")
@allowed(Permission.FIELDS)
def rename_word(word_id: UUID) -> Response:
    """Call a word otherwise, on its contacts, too."""
    word = own_or_404(ListWord, word_id)
    form = WordForm(word, prefix=f"{word.id}-")

    def save() -> ListWord:
        lists.rename(word, form.name.data)
        return word

    if _word_saved(form, word.kind, save, "renamed"):
        return go(url_for("definitions.words"))
    return _words_page({kind: WordForm(None, f"{kind}-") for kind in WordKind}, {word.id: form}, status=FAILED)


@blueprint.post("/settings/lists/<uuid:word_id>/move")
@allowed(Permission.FIELDS)
def move_word(word_id: UUID) -> Response:
    """One step up or down."""
    word = own_or_404(ListWord, word_id)
    close_up(workspace().id)
    move(lists.words_of(workspace().id, word.kind), word, _steps())
    db.session.commit()
    return go(url_for("definitions.words", moved=word_id, steps=_steps()))


@blueprint.post("/settings/lists/<uuid:word_id>/delete")
@allowed(Permission.FIELDS)
def delete_word(word_id: UUID) -> Response:
    """Take a word off its list; who carries it gets the one that was chosen instead."""
    word = own_or_404(ListWord, word_id)
    chosen = request.form.get("instead", type=UUID)
    instead = own_or_404(ListWord, chosen) if chosen else None
    name, kind = word.name, word.kind
    audit.note(person(), f"deleted a {ONE_OF[kind]}", word, {"Name": name}, {"Name": instead and instead.name})
    try:
        lists.delete(word, instead)
    except lists.LastWord:
        db.session.rollback()
        return _refused(f"{name} can’t be deleted: it is the last one. Rename it, or add another one first.")
    except lists.InUse:
        db.session.rollback()
        return _refused(f"{name} can’t be deleted yet: contacts carry it. Choose what they get instead.")
    db.session.commit()
    say(f"{name} is deleted.")
    return go(url_for("definitions.words"))


def _saved(form: FieldForm, save: Callable[[], CustomField], done: str) -> bool:
    """Whether a definition was sent, is fine and is saved now."""
    if not form.validate_on_submit():
        return False
    try:
        field = save()
    except custom_fields.NameTaken:
        form.refuse("name", "There is a field with this name already.")
        return False
    except custom_fields.TooMany:
        form.refuse("name", f"There are {custom_fields.MOST_FIELDS} fields already, and more are not possible.")
        return False
    audit.note(person(), f"{done} a custom field", field)
    db.session.commit()
    say(f"Field {field.name} is saved.")
    return True


def _word_saved(form: WordForm, kind: WordKind, save: Callable[[], ListWord], done: str) -> bool:
    """Whether a word was sent, is fine and is saved now."""
    if not form.validate_on_submit():
        return False
    try:
        word = save()
    except lists.WordTaken:
        form.refuse("name", f"There is a {ONE_OF[kind]} with this name already.")
        return False
    except lists.TooMany:
        form.refuse("name", f"A list has at most {lists.MOST_WORDS} words.")
        return False
    audit.note(person(), f"{done} a {ONE_OF[kind]}", word)
    db.session.commit()
    say(f"{word.name} is saved.")
    return True


def _field_page(form: FieldForm, field: CustomField | None) -> Response:
    status = FAILED if form.is_submitted() else 200
    return page("definitions/field.html", status=status, form=form, field=field, types=TYPE_WORDS)


def _words_page(
    new: dict[WordKind, WordForm], tried: dict[UUID, WordForm] | None = None, status: int = 200, refusal: str = ""
) -> Response:
    """The lists with a form for each word; the one that was tried keeps what was typed."""
    found: dict[WordKind, Any] = {}
    for kind in WordKind:
        uses = lists.uses(workspace().id, kind)
        found[kind] = [
            (word, (tried or {}).get(word.id) or WordForm(word, prefix=f"{word.id}-"), uses.get(word.name, 0))
            for word in lists.words_of(workspace().id, kind)
        ]
    return page(
        "definitions/words.html", status=status, lists=found, names=LIST_NAMES, one_of=ONE_OF, new=new,
        moved=_moved(), refusal=refusal,
    )  # fmt: skip


def _refused(sentence: str) -> Response:
    return _words_page({kind: WordForm(None, f"{kind}-") for kind in WordKind}, status=FAILED, refusal=sentence)


def _kind() -> WordKind:
    word = request.form.get("kind", "")
    return WordKind(word) if word in set(WordKind) else abort(400)


def _steps() -> int:
    return -1 if request.values.get("steps") == "-1" else 1


def _moved() -> tuple[str, int]:
    """Which row was just moved, and where to: its button gets the focus back."""
    return request.args.get("moved", ""), _steps()
