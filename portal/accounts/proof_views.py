"""The second step of a sign-in, forgotten passwords, and the way back to what was typed before a session ended."""

import hashlib
import time
import uuid
from typing import Any

from flask import Blueprint, request, session, url_for
from flask_wtf.csrf import generate_csrf
from werkzeug.wrappers import Response

from ..extensions import db
from ..web import go, page, say, wants_fragment
from . import invitations, notes, resets, second_step, service, throttle, typed
from .forms import CodeForm, ForgotForm, LoginForm, ResetForm
from .models import User
from .permissions import public

blueprint = Blueprint("proof", __name__)

FAILED = 422
PROVING = "proving"
PROVING_SECONDS = 600
"""How long after the password the code may come."""
WRONG = "The e-mail address or the password is not right. Check both and try again."
HOMELESS = "You are in no workspace any more. Ask an Administrator for an invitation, and open its link."
WRONG_CODE = "This code is not right, or was used already. Wait for the next one, or use a recovery code."


def log_in_page(form: LoginForm, wanted: str | None, status: int = 200) -> Response:
    """The log-in form: a page, or the dialog in the page whose session ended."""
    return _in_place(page(
        "accounts/login.html", "accounts/_again.html", FAILED if form.errors else status,
        form=form, action=url_for("accounts.log_in", next=wanted), was_signed_out=bool(form.typed.data),
        open_to_all=service.may_sign_up(),
    ))  # fmt: skip


def after_password(user: User, wanted: str | None) -> Response:
    """Sign in whose password was right, or ask for the code first."""
    if not second_step.is_on(user):
        return sign_in(user, wanted)
    db.session.commit()
    session[PROVING] = {
        "user": str(user.id), "email": user.email, "at": int(time.time()), "password": _mark(user), "next": wanted,
    }  # fmt: skip
    if wants_fragment() or typed.waits():
        return _code_page(CodeForm(formdata=None, typed=request.form.get(typed.NAME)))
    return go(url_for("proof.code"))


def sign_in(user: User, wanted: str | None, how: str = "") -> Response:
    """Open a session, and go on to where the person wanted to go, or back to what they had typed."""
    before, homes = session.get(typed.HERE), {str(home.id): home.id for home in service.homes_of(user)}
    is_same_place = before in homes or (before is None and len(homes) == 1)
    is_same = is_same_place and session.get(typed.PERSON) in (None, str(user.id))
    if not (homes or invitations.accept_at(wanted, user)):
        form = LoginForm(formdata=None, data={"email": user.email})
        form.refuse("password", HOMELESS)
        return log_in_page(form, wanted)
    service.open_session(user, homes.get(before or ""), f"signed in{how}")
    throttle.remember_device(user.email)
    db.session.commit()
    if wants_fragment():
        return say_signed_in() if is_same else go(local_path(None))  # a page writes for nobody else, and nowhere else
    if found := typed.opened(user.id, service.workspace().id):
        return page("accounts/back.html", typed=found, is_safe=True)
    if typed.waits():
        say(typed.DROPPED)
    return go(local_path(wanted))


def say_signed_in(status: int = 200) -> Response:
    """Tell the page whose session ended that it has another, and the token with which it can go on."""
    return _in_place(page("accounts/_signed_in.html", status=status, token=generate_csrf()))


@blueprint.route("/login/code", methods=["GET", "POST"])
@public
@throttle.slow_down_codes
def code() -> Response:
    """Ask for the code of the authenticator app, or for a recovery code."""
    user = _proving()
    if user is None:
        session.pop(PROVING, None)
        return go(url_for("accounts.log_in"))
    form = CodeForm()
    if not form.validate_on_submit():
        return _code_page(form)
    used = second_step.accepts(user, form.code.data)
    if used is None:
        notes.note(user, "gave a wrong code")
        db.session.commit()
        form.refuse("code", WRONG_CODE)
        return _code_page(form)
    left = second_step.codes_left(user)
    if used != "code":
        notes.tell(user, f"Somebody logged in to your account with a recovery code. {left} are left.")
    answer = sign_in(user, session[PROVING]["next"], f" with a {used}")
    if used != "code":
        say(f"You used a recovery code. {left} are left: make new ones under your name, Two-step log-in.")
    return answer


@blueprint.route("/login/forgot", methods=["GET", "POST"])
@public
@throttle.slow_down_letters
def forgot() -> Response:
    """Ask for a link to set a new password; the answer is the same for known and unknown addresses."""
    form = ForgotForm()
    by_letter = resets.goes_by_letter()
    if by_letter and form.validate_on_submit():
        resets.send_link(form.email.data)
        db.session.commit()
        return page("accounts/forgot.html", form=form, by_letter=True, sent=True)
    return page("accounts/forgot.html", status=FAILED if form.errors else 200, form=form, by_letter=by_letter)


@blueprint.route("/reset/<token>", methods=["GET", "POST"])
@public
def reset(token: str) -> Response:
    """Set a new password by a link that works once."""
    user = resets.owner(token)
    if user is None:
        return page("accounts/used.html", status=404, by_letter=resets.goes_by_letter())
    form = ResetForm()
    form.facts = facts_of(user)
    if form.validate_on_submit() and resets.use(token, user, form.password.data):
        notes.note(user, "set a new password by a link")
        notes.tell(user, "Your password was changed by a link.")
        throttle.remember_by_link(user.email)
        db.session.commit()
        say("Your new password is set. Log in with it.")
        return go(url_for("accounts.log_in"))
    return page("accounts/reset.html", status=FAILED if form.errors else 200, form=form, user=user)


def facts_of(user: User) -> tuple[str, ...]:
    """What others know about a person, and a password must not be made of."""
    return (user.name, user.email, *(membership.workspace.name for membership in user.memberships))


def local_path(wanted: str | None) -> str:
    """The wanted address if it is a path of this portal, else the Overview: a link can't send people elsewhere."""
    if wanted and wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable():
        return wanted
    return url_for("overview.index")


def _code_page(form: CodeForm) -> Response:
    status = FAILED if form.errors else 200
    values = {"form": form, "action": url_for("proof.code")}
    return _in_place(page("accounts/code.html", "accounts/_again_code.html", status, **values))


def _in_place(response: Response) -> Response:
    """Let htmx leave alone what it asked for: the dialog has a place of its own in the page."""
    response.headers["HX-Reswap"] = "none"
    return response


def _proving() -> User | None:
    """Whose password was right a moment ago, and is still the same."""
    found: dict[str, Any] = session.get(PROVING) or {}
    if not found or time.time() - found["at"] > PROVING_SECONDS:
        return None
    user = db.session.get(User, uuid.UUID(found["user"]))
    return user if user and _mark(user) == found["password"] and second_step.is_on(user) else None


def _mark(user: User) -> str:
    """Names the password that was right, without telling anything of it."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]
