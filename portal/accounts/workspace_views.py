"""Coming into workspaces: an invitation, another one of one's own, a new one."""

from uuid import UUID

from flask import Blueprint, Response, abort, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from ..extensions import SAFE_METHODS, db, limiter
from ..fields import shows_again
from ..web import go, page, say
from . import invitations, service, throttle
from .forms import JoinForm, WorkspaceForm
from .models import Membership, Workspace
from .people_models import Invitation
from .permissions import Permission, allowed, public
from .typed import HERE, Elsewhere

blueprint = Blueprint("workspaces", __name__)

FAILED = 422


@blueprint.before_app_request
def refuse_what_was_typed_elsewhere() -> None:
    """After the session went on to another workspace, pages of the one before must not write into this one."""
    if request.endpoint in (None, "static") or not current_user.is_authenticated:
        return
    here = str(service.workspace().id)
    if session.setdefault(HERE, here) != here:
        session[HERE] = here
        session.pop("csrf_token", None)
        if request.method not in SAFE_METHODS:
            raise Elsewhere


@blueprint.app_context_processor
def _homes() -> dict[str, object]:
    """What the sidebar asks for."""
    return {"homes": lambda: service.homes_of(service.person()), "may_make_workspaces": service.may_sign_up}


@blueprint.route("/invitations/<token>", methods=["GET", "POST"])
@public
@limiter.limit("20/minute", methods=["POST"])
def join(token: str) -> BaseResponse:
    """Join by a link: signed in with one click, or with a new account."""
    invitation = invitations.find(token)
    if invitation is None:
        return page("accounts/no_invitation.html", status=404)
    if current_user.is_authenticated:
        return _join_signed_in(invitation)
    form = JoinForm(data={"email": invitation.email})
    form.facts = (_name_of(invitation),)
    if not form.validate_on_submit():
        return _invitation_page(invitation, form, token)
    user = service.create_user(form.name.data, form.email.data, form.password.data)
    if not invitations.accept(invitation, user):
        return page("accounts/no_invitation.html", status=404)
    service.open_session(user, invitation.workspace_id)
    throttle.remember_device(user.email)
    db.session.commit()
    return go(url_for("overview.index"))


@blueprint.post("/workspaces/<uuid:workspace_id>/open")
@allowed(Permission.PORTAL)
def enter(workspace_id: UUID) -> BaseResponse:
    """Go on in another workspace of one's own."""
    member = db.session.get(Membership, (workspace_id, service.person().id))
    if member is None or not member.is_active:
        abort(404)
    service.enter(workspace_id)
    db.session.commit()
    return go(url_for("overview.index"))


@blueprint.route("/workspaces/new", methods=["GET", "POST"])
@allowed(Permission.PORTAL)
@shows_again
def new() -> BaseResponse:
    """Make one more workspace, where sign-up is open, and go on there."""
    if not service.may_sign_up():
        return page("accounts/closed.html", status=403)
    form = WorkspaceForm()
    if form.validate_on_submit():
        service.enter(service.add_workspace(form.name.data, service.person()).id)
        db.session.commit()
        return go(url_for("overview.index"))
    return page("accounts/new_workspace.html", status=FAILED if form.errors else 200, form=form)


def _join_signed_in(invitation: Invitation) -> BaseResponse:
    user, there = service.person(), invitation.workspace_id
    if member := db.session.get(Membership, (there, user.id)):
        return _invitation_page(invitation, member=member)
    if request.method in SAFE_METHODS:
        return _invitation_page(invitation)
    name = _name_of(invitation)
    if not invitations.accept(invitation, user):
        return page("accounts/no_invitation.html", status=404)
    service.enter(there)
    db.session.commit()
    say(f"You are in {name} now.")
    return go(url_for("overview.index"))


def _invitation_page(
    invitation: Invitation, form: JoinForm | None = None, token: str = "", member: Membership | None = None
) -> Response:
    return page(
        "accounts/join.html", status=FAILED if form and form.errors else 200,
        invitation=invitation, workspace_name=_name_of(invitation), form=form, token=token, member=member,
    )  # fmt: skip


def _name_of(invitation: Invitation) -> str:
    return db.session.get_one(Workspace, invitation.workspace_id).name
