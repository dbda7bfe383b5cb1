"""The pages of one contact: all about it, edited as a whole or group by group in place, its tags and its picture."""

from typing import Any
from uuid import UUID

from flask import abort, make_response, request, url_for
from werkzeug.wrappers import Response

from ..accounts.permissions import Permission, allowed, may_send_much, public
from ..accounts.service import own_or_404, person, workspace
from ..extensions import begin_reading, db
from ..fields import shows_again
from ..pace import pace as timing
from ..web import go, page, say, wants_fragment
from ..webhooks import live
from ..webhooks.live import Live
from ..webhooks.models import EventType, Status
from ..webhooks.publisher import forecast
from . import avatars, duplicates, saving, service, tagging, timeline
from .custom_fields import fields_of
from .groups import GROUPS, NOTES, facts_of, names_of
from .models import Contact
from .saving import Edit
from .views import FAILED, blueprint, form_page, known, people, sent

MOST_UPLOAD = 12 * 1024 * 1024
"""Bytes of a request with a picture: enough to say of most that are too large that they are, and why."""
SUGGESTIONS = 8
SHARED = {"Cross-Origin-Resource-Policy": "cross-origin"}
"""A picture may be shown by whoever was sent its address."""


@blueprint.url_value_preprocessor
def allow_a_picture(endpoint: str | None, _values: object) -> None:
    """Before anything looks at the form: a picture of who may send one is larger than what other forms may send."""
    if endpoint == "contacts.upload" and may_send_much(endpoint):
        request.max_content_length = MOST_UPLOAD


@blueprint.get("/contacts/<uuid:contact_id>")
@allowed(Permission.CONTACTS)
def show(contact_id: UUID) -> Response | tuple[str, int]:
    """All about one contact, and what happened to it; its timeline is live while something is on its way."""
    contact = own_or_404(Contact, contact_id)
    if wants_fragment() and request.args.get("group") in GROUPS:
        return page("contacts/_group.html", key=request.args["group"], focus=True, **_facts(contact))
    happened = _timeline(contact)
    if live.is_shown(happened["version"]):
        return live.UNCHANGED
    return page("contacts/show.html", "contacts/_timeline.html", **_facts(contact), **happened, **_told())


@blueprint.route("/contacts/<uuid:contact_id>/edit", methods=["GET", "POST"])
@allowed(Permission.CONTACTS)
@shows_again
def edit(contact_id: UUID) -> Response:
    """The form of a contact that exists."""
    contact = own_or_404(Contact, contact_id)
    if request.method == "GET":
        opened = saving.opened(known(), contact)
        return form_page(opened.form, opened)
    tried = _save(contact_id, None)
    if tried.changed is None:
        return form_page(tried.form, tried)
    say(_saved(tried))
    return go(url_for("contacts.show", contact_id=contact_id))


@blueprint.route("/contacts/<uuid:contact_id>/group", methods=["GET", "POST"])
@allowed(Permission.CONTACTS)
@shows_again
def group(contact_id: UUID) -> Response:
    """One group of its facts, edited in place."""
    contact, key = own_or_404(Contact, contact_id), request.values.get("of", "contact")
    choices = known()
    names = names_of(key, [field for field in choices.fields if field.is_visible]) if key in GROUPS else set()
    if not names:
        abort(404)
    if request.method == "GET":
        return _group_page(contact, key, saving.opened(choices, contact, names))
    tried = _save(contact_id, names)
    if tried.changed is None:
        return _group_page(contact, key, tried)
    if wants_fragment():
        return _done(contact, "contacts/_group.html", _saved(tried), key=key, focus=True)
    say(_saved(tried))
    return go(url_for("contacts.show", contact_id=contact_id, _anchor=f"group-{key}"))


@blueprint.post("/contacts/<uuid:contact_id>/tags")
@allowed(Permission.CONTACTS)
def tag(contact_id: UUID) -> Response:
    """Put tags on it or take one off: relative to what it carries now, so that two people do not undo each other."""
    own_or_404(Contact, contact_id)
    try:
        contact = service.locked(workspace().id, contact_id)
    except service.ContactGone:
        abort(404)
    kept = [one.name for one in contact.tags if str(one.id) != request.form.get("remove")]
    form = saving.opened(known(), contact, {"tag_names"}).form
    wanted = request.form.get("pick") or request.form.get("add", "")  # what was picked, and not the letters before it
    form.tag_names.data = ",".join([*kept, wanted])
    if not form.validate():
        refusal = form.tag_names.errors[0]
        if wants_fragment():
            return page("contacts/_tags.html", status=FAILED, contact=contact, refusal=refusal)
        return _page(contact, FAILED, refusal=refusal)
    service.update(workspace().id, contact_id, {"tags": form.names}, person().name)
    db.session.commit()
    if wants_fragment():
        return _done(contact, "contacts/_tags.html", focus=True)
    return go(url_for("contacts.show", contact_id=contact_id, _anchor="tags"))


@blueprint.get("/contacts/<uuid:contact_id>/tags")
@allowed(Permission.CONTACTS)
def suggest(contact_id: UUID) -> Response:
    """The tags that what was typed may mean, as buttons."""
    contact, typed = own_or_404(Contact, contact_id), request.args.get("add", "").strip()[:50].casefold()
    if not wants_fragment():
        return go(url_for("contacts.show", contact_id=contact_id, _anchor="tags"))
    carried = {one.id for one in contact.tags}
    free = [one for one in tagging.tags_of(workspace().id) if one.id not in carried and typed in one.name.casefold()]
    free.sort(key=lambda one: not one.name.casefold().startswith(typed))
    return page("contacts/_suggestions.html", "contacts/_suggestions.html", tags=free[:SUGGESTIONS], typed=typed)


@blueprint.post("/contacts/<uuid:contact_id>/avatar")
@allowed(Permission.CONTACTS)
def upload(contact_id: UUID) -> Response:
    """Take a picture of it, or take its picture away."""
    own_or_404(Contact, contact_id)
    try:
        contact = service.locked(workspace().id, contact_id)
    except service.ContactGone:
        abort(404)
    file = request.files.get("picture")
    try:
        address = "" if "remove" in request.form else avatars.keep(contact, file.read() if file else b"")
    except avatars.NotAPicture as problem:
        return _page(contact, FAILED, refusal=str(problem))
    service.update(workspace().id, contact_id, {"avatar_url": address}, person().name)
    db.session.commit()
    say(f"The picture is {'saved' if address else 'removed'}. {sent(EventType.UPDATED)}")
    return go(url_for("contacts.show", contact_id=contact_id))


@blueprint.get("/avatars/<token>")
@public
def picture(token: str) -> Response:
    """An uploaded picture, for whoever was sent its unguessable address: receivers have no session."""
    found = avatars.named(token)
    if found is None:
        abort(404)
    response = make_response(found.data)
    response.headers.update(SHARED)
    response.headers["Content-Type"] = found.kind
    response.headers["Content-Disposition"] = f'inline; filename="avatar.{found.kind.rpartition("/")[2]}"'
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _save(contact_id: UUID, names: set[str] | None) -> Edit:
    try:
        tried = saving.save(known(), workspace().id, contact_id, person().name, names)
    except service.ContactGone:
        abort(404)
    if tried.changed is not None:
        db.session.commit()
        begin_reading()  # what is told of it: nobody else shall wait for that
    return tried


def _saved(tried: Edit) -> str:
    if tried.changed:
        return f"{tried.contact.label} is saved. {sent(EventType.UPDATED)}"
    return "Nothing changed, so nothing was sent."


def _facts(contact: Contact) -> dict[str, Any]:
    """What the page says of the contact."""
    facts = facts_of(contact, people().get(contact.owner or ""), fields_of(workspace().id))
    return {
        "contact": contact,
        "groups": GROUPS,
        "facts": facts,
        "notes": NOTES,
        "duplicates": duplicates.like(contact),
    }


def _timeline(contact: Contact) -> dict[str, Any]:
    """What happened to it, and where the timeline asks for more while something is on its way."""
    history = timeline.page(workspace().id, contact.id, request.args.get("before", ""))
    deliveries = [delivery for _, _, caused in history.told for delivery in caused]
    waiting = [delivery.created_at for delivery in deliveries if delivery.status == Status.PENDING]
    pace = live.pace(max(waiting, default=None))
    version = live.version(pace, *((delivery.id, delivery.updated_at) for delivery in deliveries))
    address = url_for("contacts.show", contact_id=contact.id, v=version, before=history.before or None)
    return {
        "history": history,
        "changes": timeline.changes,
        "part": Live(address, pace) if waiting else None,
        "version": version,
        "kept_days": timing().keep_facts_days,
    }


def _told() -> dict[str, Any]:
    return {"told": forecast(workspace().id, EventType.DELETED)}


def _page(contact: Contact, status: int = 200, **more: Any) -> Response:
    """The whole page, with something to say or a group that is open."""
    whole = _facts(contact) | _timeline(contact) | _told()
    return page("contacts/show.html", status=status, **whole, **more)


def _group_page(contact: Contact, key: str, tried: Edit) -> Response:
    """The form of a group: in its place on the page, or alone for htmx."""
    if wants_fragment():
        return page(
            "contacts/_group_form.html", status=tried.status, contact=contact, groups=GROUPS, key=key, edit=tried
        )
    return _page(contact, tried.status, opened=key, edit=tried)


def _done(contact: Contact, part: str, sentence: str = "", **more: Any) -> Response:
    """What was edited as it is now, and beside it the head and the timeline, which tell about it, too."""
    return page("contacts/_done.html", changed=part, sentence=sentence, **_facts(contact), **_timeline(contact), **more)
