"""People of the workspace: who is in it as what, who is invited, who comes in no more, whose contacts become whose."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, abort, current_app, url_for
from werkzeug.wrappers import Response as BaseResponse

from .. import audit
from ..accounts import invitations, members, service, throttle
from ..accounts.models import Membership, Role
from ..accounts.people_models import Invitation
from ..accounts.permissions import ABOUT, Permission, allowed
from ..accounts.service import own_or_404, person, workspace
from ..contacts import handing
from ..contacts.handing_models import HandOver
from ..extensions import db
from ..web import go, page, say
from ..webhooks import live
from ..webhooks.live import Live
from .forms import HandOverForm, InviteForm, RoleForm

blueprint = Blueprint("people", __name__)

SAVED, FAILED = throttle.INVITED, 422
AT_ONCE_SECONDS = 1.0
"""How long a person waits for the end of a hand-over; what takes longer is done by a worker."""
LAST = "Nobody else administers this workspace. Make somebody else an Administrator first."


@blueprint.get("/settings/people")
@allowed(Permission.PEOPLE)
def index() -> Response:
    """The members, the invitations, and a form for one more."""
    return _list_page(InviteForm(formdata=None))


@blueprint.post("/settings/people/invite")
@allowed(Permission.PEOPLE)
@throttle.slow_down_invitations
def invite() -> Response:
    """Make a link, shown once."""
    form = InviteForm()
    if not form.validate_on_submit():
        return _list_page(form, FAILED)
    email = (form.email.data or "").lower()
    link = invitations.invite(workspace(), Role(form.role.data), email, person())
    db.session.commit()
    return _list_page(InviteForm(formdata=None), SAVED, link=link, invited=email, role=form.role.data)


@blueprint.post("/settings/people/invitations/<uuid:invitation_id>/withdraw")
@allowed(Permission.PEOPLE)
def withdraw(invitation_id: UUID) -> BaseResponse:
    """Make a link worthless that nobody has used."""
    invitations.withdraw(own_or_404(Invitation, invitation_id), person())
    db.session.commit()
    say("The invitation is withdrawn: its link works no more.")
    return go(url_for("people.index"))


@blueprint.get("/settings/people/<uuid:user_id>")
@allowed(Permission.PEOPLE)
def show(user_id: UUID) -> Response:
    """One member: role, contacts, access."""
    return _member_page(_member(user_id))


@blueprint.post("/settings/people/<uuid:user_id>/role")
@allowed(Permission.PEOPLE)
def change_role(user_id: UUID) -> BaseResponse:
    """Give a member another role."""
    form = RoleForm()
    if not form.validate_on_submit():
        return _member_page(_member(user_id), FAILED, role_form=form)
    role = Role(form.role.data)

    def change(member: Membership) -> str:
        members.change_role(member, role, person())
        return f"{member.user.name} is {'an' if role[0] == 'A' else 'a'} {role} now."

    return _change(user_id, change)


@blueprint.post("/settings/people/<uuid:user_id>/deactivate")
@allowed(Permission.PEOPLE)
def deactivate(user_id: UUID) -> BaseResponse:
    """Keep a member out from now on."""

    def change(member: Membership) -> str:
        members.deactivate(member, person())
        return f"{member.user.name} is deactivated and signed out. What they did and own stays."

    return _change(user_id, change)


@blueprint.post("/settings/people/<uuid:user_id>/activate")
@allowed(Permission.PEOPLE)
def activate(user_id: UUID) -> BaseResponse:
    """Let a member in again."""

    def change(member: Membership) -> str:
        members.activate(member, person())
        return f"{member.user.name} can log in again."

    return _change(user_id, change)


@blueprint.post("/settings/people/<uuid:user_id>/remove")
@allowed(Permission.PEOPLE)
def remove(user_id: UUID) -> BaseResponse:
    """Take a member out, once nothing is theirs any more."""
    member = _member(user_id)
    if handing.owned_by(workspace().id, user_id):
        return _member_page(member, FAILED, problem="Contacts are theirs. Hand them over first.")

    def change(member: Membership) -> str:
        members.remove(member, person())
        return f"{member.user.name} is removed."

    return _change(user_id, change, url_for("people.index"))


@blueprint.post("/settings/people/<uuid:user_id>/hand-over")
@allowed(Permission.PEOPLE)
def hand_over(user_id: UUID) -> BaseResponse:
    """Give a member's contacts to somebody else: at once what is little, the rest in the background."""
    member = _member(user_id)
    form = HandOverForm(_others(member))
    if not form.validate_on_submit():
        return _member_page(member, FAILED, hand_over_form=form)
    taker = UUID(form.to.data) if form.to.data else None
    made = handing.begin(workspace().id, user_id, taker, person().name)
    name = dict(form.to.choices)[form.to.data]
    audit.note(person(), "handed contacts over", member, after={"contacts": made.total, "to": name})
    db.session.commit()
    ends = time.monotonic() + AT_ONCE_SECONDS
    while handing.go_on(made.id) and time.monotonic() < ends:
        pass
    if made.finished_at is None:
        return go(url_for("people.handing_over", hand_over_id=made.id))
    say(f"{made.done:,} contact{'s' if made.done != 1 else ''} handed over to {name.lower() if not taker else name}.")
    return go(url_for("people.show", user_id=user_id))


@blueprint.get("/settings/people/hand-overs/<uuid:hand_over_id>")
@allowed(Permission.PEOPLE)
def handing_over(hand_over_id: UUID) -> Response | tuple[str, int]:
    """How far a hand-over is."""
    found = own_or_404(HandOver, hand_over_id)
    version = live.version(found.done, found.finished_at)
    if live.is_shown(version):
        return live.UNCHANGED
    address = url_for("people.handing_over", hand_over_id=found.id, v=version)
    part = None if found.finished_at else Live(address, live.QUICK)
    names: dict[UUID | None, str] = {member.user_id: member.user.name for member in service.everybody(workspace().id)}
    return page(
        "people/handing_over.html", "people/_handing_over.html",
        work=found, part=part, giver=names.get(found.giver_id, "Somebody"), taker=names.get(found.taker_id, "nobody"),
    )  # fmt: skip


@blueprint.post("/settings/people/hand-overs/<uuid:hand_over_id>/stop")
@allowed(Permission.PEOPLE)
def stop(hand_over_id: UUID) -> BaseResponse:
    """What is handed over stays so, the rest stays whose it is."""
    own_or_404(HandOver, hand_over_id).stop()
    db.session.commit()
    return go(url_for("people.handing_over", hand_over_id=hand_over_id))


def _member(user_id: UUID) -> Membership:
    member = db.session.get(Membership, (workspace().id, user_id))
    return member if member is not None else abort(404)


def _others(member: Membership) -> list[Membership]:
    return [other for other in service.members(workspace().id) if other.user_id != member.user_id]


def _change(user_id: UUID, change: Callable[[Membership], str], then: str = "") -> BaseResponse:
    """Do something to a member, and say what `change` says; 422 when nobody would be left to administer."""
    try:
        sentence = change(members.locked(workspace().id, user_id))
    except members.NoMember:
        abort(404)
    except members.LastAdministrator:
        db.session.rollback()
        return _member_page(_member(user_id), FAILED, problem=LAST)
    db.session.commit()
    say(sentence)
    # Whoever gave their own rights away can't see the page any more.
    is_self = user_id == person().id
    return go(url_for("overview.index") if is_self else then or url_for("people.show", user_id=user_id))


def _list_page(form: InviteForm, status: int = 200, **values: Any) -> Response:
    key = workspace().id
    return page(
        "people/index.html", status=status, form=form, about=ABOUT, sends_letters=bool(current_app.config["SMTP_URL"]),
        everybody=service.everybody(key), owned=handing.owned(key), invitations=invitations.waiting(key), **values,
    )  # fmt: skip


def _member_page(member: Membership, status: int = 200, **values: Any) -> Response:
    key = workspace().id
    values.setdefault("role_form", RoleForm(formdata=None, data={"role": member.role}))
    values.setdefault("hand_over_form", HandOverForm(_others(member)))
    values.setdefault("problem", "")
    return page(
        "people/show.html", status=status, member=member, about=ABOUT, is_self=member.user_id == person().id,
        owned=handing.owned_by(key, member.user_id), under_way=handing.under_way(key, member.user_id), **values,
    )  # fmt: skip
