"""What an Administrator sees and sets about how people log in: two-step log-in, links, idle browsers."""

from uuid import UUID

from flask import Blueprint, Response, abort, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse

from .. import audit
from ..extensions import db
from ..fields import shows_again
from ..web import go, page, say
from . import notes, resets, second_step, service, sessions
from .forms import IdleForm, TwoStepsForm
from .models import Membership, User
from .permissions import Permission, allowed
from .proof_models import SecondFactor
from .service import person, workspace

blueprint = Blueprint("security", __name__)

FAILED = 422


@blueprint.route("/settings/log-in", methods=["GET", "POST"])
@allowed(Permission.WORKSPACE)
@shows_again
def index() -> BaseResponse:
    """How people log in; the form of the idle time."""
    space = workspace()
    form = IdleForm(data={"minutes": str(space.idle_minutes or "")})
    if form.validate_on_submit():
        before, space.idle_minutes = space.idle_minutes, form.value
        audit.note(person(), "set the idle time", space, {"minutes": before}, {"minutes": form.value})
        db.session.commit()
        say(
            f"Browsers are logged out after {form.value} minutes without use."
            if form.value
            else "People stay logged in."
        )
        return go(url_for("security.index"))
    return _page(form)


@blueprint.post("/settings/log-in/two-step")
@allowed(Permission.WORKSPACE)
def require_two_steps() -> BaseResponse:
    """Ask everybody for two-step log-in, or leave it to each of them."""
    space, form = workspace(), TwoStepsForm()
    if not form.validate_on_submit():
        return _page(_idle_form(), two_steps_form=form)
    before, space.needs_two_steps = space.needs_two_steps, form.needs_two_steps.data
    facts = {"required": before}, {"required": space.needs_two_steps}
    audit.note(person(), "set whether two-step log-in is required", space, *facts)
    db.session.commit()
    say("Everybody logs in in two steps now." if space.needs_two_steps else "Two-step log-in is up to each person.")
    return go(url_for("security.index"))


@blueprint.post("/settings/log-in/<uuid:user_id>/link")
@allowed(Permission.PEOPLE)
def link(user_id: UUID) -> BaseResponse:
    """A link with which a member sets a new password; shown once, to be handed on."""
    user = _member_of_this_workspace_alone(user_id)
    made = resets.new_link(user, person())
    notes.note(user, "made a link for a new password", person())
    notes.tell(user, f"{person().name} made a link with which your password can be set.")
    db.session.commit()
    return _page(_idle_form(), link=made, whose=user)


@blueprint.post("/settings/log-in/<uuid:user_id>/two-step-off")
@allowed(Permission.PEOPLE)
def two_step_off(user_id: UUID) -> BaseResponse:
    """Let a member who lost phone and recovery codes log in by password alone."""
    user = _member_of_this_workspace_alone(user_id)
    second_step.switch_off(user)
    sessions.end(user)
    notes.note(user, "switched two-step log-in off", person())
    notes.tell(user, f"{person().name} switched two-step log-in off for your account.")
    db.session.commit()
    say(f"{user.name} logs in by password alone now.")
    return go(url_for("security.index"))


def _member_of_this_workspace_alone(user_id: UUID) -> User:
    """Another member whom no other workspace trusts: their account is this Administrator's to help with.

    Nobody gets into another workspace by the account of somebody who is in both.
    """
    member = db.session.get(Membership, (workspace().id, user_id))
    if member is None or user_id == person().id or len(member.user.memberships) > 1:
        abort(404)
    return member.user


def _page(
    form: IdleForm, link: str | None = None, whose: User | None = None, two_steps_form: TwoStepsForm | None = None
) -> Response:
    people, two_steps_form = service.members(workspace().id), two_steps_form or TwoStepsForm(None, obj=workspace())
    keys = [member.user_id for member in people]
    with_codes = set(db.session.scalars(select(SecondFactor.user_id).where(SecondFactor.user_id.in_(keys))))
    return page(
        "security/index.html", status=FAILED if form.errors or two_steps_form.errors else 200,
        form=form, two_steps_form=two_steps_form,
        members=people, with_codes=with_codes, link=link, whose=whose, by_letter=resets.goes_by_letter(),
    )  # fmt: skip


def _idle_form() -> IdleForm:
    return IdleForm(formdata=None, data={"minutes": str(workspace().idle_minutes or "")})
