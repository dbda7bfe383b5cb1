"""One's own account: name, password, two-step log-in, and the browsers in which one is signed in."""

from uuid import UUID

from flask import Blueprint, Response, abort, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from ..extensions import db
from ..fields import shows_again
from ..sealing import opens, seal, unseal
from ..web import go, page, say
from . import notes, passwords, resets, second_step, service, sessions, throttle
from .forms import KnownPasswordForm, NameForm, PasswordForm, ProofForm, SetUpForm
from .permissions import Permission, allowed
from .proof_views import WRONG_CODE, facts_of
from .service import person

blueprint = Blueprint("account", __name__)

FAILED = 422
WRONG = "This is not your password."
SHARED = "totp"
"""Where the browser keeps the secret, sealed, until the first code shows that the app has it."""


@blueprint.route("/account", methods=["GET", "POST"])
@allowed(Permission.PORTAL)
@shows_again
def index() -> BaseResponse:
    """The account; the form of the name."""
    form = NameForm(obj=person())
    if form.validate_on_submit():
        names = {"Name": person().name}, {"Name": form.name.data}
        notes.note(person(), "changed their name", None, *names)
        person().name = form.name.data
        db.session.commit()
        say("Your name is saved.")
        return go(url_for("account.index"))
    return page(
        "account/index.html", status=FAILED if form.errors else 200,
        form=form, is_on=second_step.is_on(person()), sessions=sessions.of(person()),
    )  # fmt: skip


@blueprint.route("/account/password", methods=["GET", "POST"])
@allowed(Permission.PORTAL)
@throttle.slow_down_inside
def password() -> BaseResponse:
    """A new password, from who knows the one before; all other browsers are signed out."""
    form = PasswordForm()
    form.facts = facts_of(person())
    if form.validate_on_submit() and _knows(form.current):
        user, space = person(), service.workspace().id
        resets.set_password(user, form.password.data)
        service.open_session(user, space, "changed their password")
        throttle.remember_device(user.email)
        notes.tell(user, "Your password was changed.")
        db.session.commit()
        say("Your password is changed. All other browsers are logged out.")
        return go(url_for("account.index"))
    return page("account/password.html", status=FAILED if form.errors else 200, form=form)


@blueprint.route("/account/two-step", methods=["GET", "POST"])
@allowed(Permission.PORTAL)
@throttle.slow_down_inside
def two_step() -> BaseResponse:
    """Set two-step log-in up, or look after it."""
    user = person()
    if second_step.is_on(user):
        return _care_page(ProofForm())
    if not opens(session.get(SHARED, "").encode()):
        session[SHARED] = seal(second_step.new_secret()).decode()
    form, secret = SetUpForm(), unseal(session[SHARED].encode())
    codes = None
    if form.validate_on_submit() and _knows(form.password):
        codes = second_step.switch_on(user, secret, form.code.data)
        if codes is None:
            form.refuse(
                "code", "This is not the code that the app shows now. Look whether the clock of the phone is right."
            )
    if codes is None:
        picture, link = second_step.picture(secret, user.email), second_step.address(secret, user.email)
        return page(
            "account/set_up.html", status=FAILED if form.errors else 200,
            form=form, picture=picture, link=link, secret=secret,
        )  # fmt: skip
    session.pop(SHARED)
    sessions.end(user, current_user)
    return _show_codes(codes, "switched two-step log-in on", "Two-step log-in was switched on for your account.")


@blueprint.post("/account/two-step/codes")
@allowed(Permission.PORTAL)
@throttle.slow_down_inside
def new_codes() -> BaseResponse:
    """New recovery codes instead of those before."""
    form = ProofForm()
    if not _is_proven(form):
        return _care_page(form)
    codes = second_step.new_codes(person())
    return _show_codes(codes, "made new recovery codes", "New recovery codes were made for your account.")


@blueprint.post("/account/two-step/off")
@allowed(Permission.PORTAL)
@throttle.slow_down_inside
def two_step_off() -> BaseResponse:
    """Ask for no codes any more."""
    form = ProofForm()
    if not _is_proven(form):
        return _care_page(form)
    second_step.switch_off(person())
    notes.note(person(), "switched two-step log-in off")
    notes.tell(person(), "Two-step log-in was switched off for your account.")
    db.session.commit()
    say("Two-step log-in is off.")
    return go(url_for("account.index"))


@blueprint.route("/account/sessions/<uuid:session_id>/end", methods=["GET", "POST"])
@allowed(Permission.PORTAL)
@throttle.slow_down_inside
def end_session(session_id: UUID) -> BaseResponse:
    """Sign another browser out."""
    found = next((one for one in sessions.of(person()) if one.id == session_id), None) or abort(404)
    form = KnownPasswordForm()
    if not form.validate_on_submit() or not _knows(form.password):
        return _end_page(form, found.browser)
    sessions.end(person(), only=session_id)
    notes.note(person(), "logged a browser out")
    db.session.commit()
    say("That browser is logged out.")
    return go(url_for("account.index"))


@blueprint.route("/account/sessions/end-others", methods=["GET", "POST"])
@allowed(Permission.PORTAL)
@throttle.slow_down_inside
def end_other_sessions() -> BaseResponse:
    """Sign all other browsers out."""
    form = KnownPasswordForm()
    if not form.validate_on_submit() or not _knows(form.password):
        return _end_page(form, "all other browsers")
    count = sessions.end(person(), current_user)
    if count:
        notes.note(person(), "logged all other browsers out")
    db.session.commit()
    say(f"{count} other browser{'s are' if count != 1 else ' is'} logged out.")
    return go(url_for("account.index"))


def _knows(field: object) -> bool:
    """Whether the person's password stands in the field; says so there when it does not."""
    if passwords.fits(person().password_hash, field.data):  # type: ignore[attr-defined]  # WTForms is not typed
        return True
    field.errors = [WRONG]  # type: ignore[attr-defined]
    return False


def _is_proven(form: ProofForm) -> bool:
    """Whether password and code are right; the code is used up."""
    if not second_step.is_on(person()):
        abort(404)
    if not form.validate_on_submit() or not _knows(form.password):
        return False
    if second_step.accepts(person(), form.code.data):
        return True
    form.refuse("code", WRONG_CODE)
    return False


def _care_page(form: ProofForm) -> Response:
    return page(
        "account/two_step.html", status=FAILED if form.errors else 200, form=form, left=second_step.codes_left(person())
    )


def _end_page(form: KnownPasswordForm, which: str) -> Response:
    return page("account/end_sessions.html", status=FAILED if form.errors else 200, form=form, which=which)


def _show_codes(codes: list[str], done: str, letter: str) -> Response:
    notes.note(person(), done)
    notes.tell(person(), letter)
    db.session.commit()
    return page("account/codes.html", codes=codes)
