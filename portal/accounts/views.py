"""Sign-up, log in, log out, settings; nobody gets past without a session unless a view says `public`."""

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from ..extensions import db
from ..fields import came_back
from ..web import go, page, refused, say, wants_fragment
from . import notes, proof_views, second_step, service, sessions, throttle, typed
from .forms import LoginForm, SignupForm
from .permissions import Permission, Refused, allowed, is_public, may, needed, public

blueprint = Blueprint("accounts", __name__)

blueprint.add_app_template_global(may)

FAILED = 422
SIGNED_OUT = 401
UNSAVED = "X-Unsaved"
"""The header of a page in which something is typed that was not saved yet (`app.js` sends it)."""
OPEN_TO_ONE_STEP = ("account.two_step", "accounts.here", "accounts.log_out", "workspaces.enter")
"""What answers those, too, whose workspace asks for a second step that they have not set up."""
# What the browser fetched or drew ahead for whoever leaves: no-store does not reach that. Not "cache": pages are
# no-store, and Chromium, which goes through the files of all sites for ours, would hold the log-in page up for seconds.
# Not "cookies": the whole domain's would go, and with them the known device. Not "storage": it holds the theme alone.
FORGET = '"prefetchCache", "prerenderCache"'


@blueprint.before_app_request
def require_session() -> BaseResponse | None:
    """Send those without a session to the log-in page; an unknown address stays a 404."""
    if request.endpoint is None or is_public(request.endpoint):
        return None
    if not current_user.is_authenticated:
        return ask_to_log_in()
    if sessions.is_due():
        g.seen = current_user.token_hash
    return _welcome_back() if came_back() else None


@blueprint.before_app_request
def require_second_step() -> BaseResponse | None:
    """Lead those who owe their workspace a second step to its set-up, and to nothing else."""
    if request.endpoint in (None, *OPEN_TO_ONE_STEP) or is_public(request.endpoint) or not owes_second_step():
        return None
    return Response(status=204) if _is_reading_while_typing() else go(url_for("account.two_step"))


@blueprint.app_template_global()
def owes_second_step() -> bool:
    """Whether the signed-in person may see nothing of the workspace yet."""
    return bool(current_user.is_authenticated) and second_step.is_owed(service.workspace(), service.person())


@blueprint.before_app_request
def require_permission() -> None:
    """Refuse what the person's role does not include: the one place where permissions are enforced."""
    if request.endpoint is not None and not may(request.endpoint):
        raise Refused(needed(request.endpoint))


@blueprint.after_app_request
def remember_use(response: Response) -> Response:
    """Write down that the session's person is there, once the answer is made."""
    if (token_hash := g.pop("seen", None)) and not response.is_streamed:
        try:
            sessions.touch(token_hash)
        except SQLAlchemyError:
            db.session.rollback()  # the next request says it
    return response


def ask_to_log_in(is_own: bool = True) -> BaseResponse:
    """The log-in page, which leads back to where the person wanted to go, or to what they typed.

    What a page of this portal (`is_own`) posted is not lost: it comes along, in the browser.
    """
    if service.is_new():
        return go(url_for("accounts.signup"))
    if request.method == "GET":
        return _ask_reader()
    wanted = typed.page_before()
    if wants_fragment():
        return proof_views.log_in_page(LoginForm(formdata=None), wanted, SIGNED_OUT)
    if is_own and (kept := typed.kept()):
        return proof_views.log_in_page(LoginForm(formdata=None, data={typed.NAME: kept}), wanted, SIGNED_OUT)
    if is_own:
        say(typed.NOT_DONE)
    return go(url_for("accounts.log_in", next=wanted))


@blueprint.app_errorhandler(CSRFError)
def page_is_out_of_date(error: CSRFError) -> BaseResponse:
    """A form of another session: what was typed into a page of this portal comes back, to be sent anew."""
    is_own = typed.is_from_own_page()
    if request.endpoint and not is_public(request.endpoint) and not current_user.is_authenticated:
        return ask_to_log_in(is_own)
    if is_own and current_user.is_authenticated and not isinstance(error, typed.Elsewhere):
        if wants_fragment():
            return proof_views.say_signed_in(400)
        if kept := typed.kept():
            return page("accounts/back.html", status=400, typed=typed.read(kept))
    return refused(error)


@blueprint.app_errorhandler(RequestEntityTooLarge)
def page_is_too_large(error: RequestEntityTooLarge) -> BaseResponse:
    """More than is read of those who are not logged in: they are asked to. A file has to be chosen again anyway."""
    if request.endpoint and not is_public(request.endpoint) and not current_user.is_authenticated:
        say(typed.NOT_DONE)
        return go(url_for("accounts.log_in", next=typed.page_before()))
    return refused(error)


@blueprint.route("/signup", methods=["GET", "POST"])
@public
@throttle.slow_down_signups
def signup() -> BaseResponse:
    """Make the workspace and its Administrator."""
    if not service.may_sign_up():
        return page("accounts/closed.html", status=403)
    form = SignupForm()
    if form.validate_on_submit():
        user = service.create_workspace(form.workspace.data, form.name.data, form.email.data, form.password.data)
        return proof_views.sign_in(user, None)
    needs_token = service.signup_token() is not None
    return page("accounts/signup.html", status=FAILED if form.errors else 200, form=form, needs_token=needs_token)


@blueprint.route("/login", methods=["GET", "POST"])
@public
@throttle.slow_down_passwords
def log_in() -> BaseResponse:
    """Sign in and go on to where the person wanted to go."""
    wanted = request.args.get("next")
    if current_user.is_authenticated:
        return proof_views.say_signed_in() if wants_fragment() else redirect(url_for("overview.index"))
    form = LoginForm()
    if form.validate_on_submit():
        user = service.authenticate(form.email.data, form.password.data)
        if user:
            return proof_views.after_password(user, wanted)
        notes.note_failure(form.email.data)
        db.session.commit()
        form.refuse("password", proof_views.WRONG)
    return proof_views.log_in_page(form, wanted)


@blueprint.post("/logout")
@allowed(Permission.PORTAL)
def log_out() -> BaseResponse:
    """End the session."""
    service.close_session()
    db.session.commit()
    answer = go(url_for("accounts.log_in"))
    answer.headers["Clear-Site-Data"] = FORGET
    return answer


@blueprint.get("/here")
@allowed(Permission.PORTAL)
def here() -> Response:
    """What each page asks for by itself: it shows nobody's data for longer than their session lasts."""
    return Response(status=204)


@blueprint.get("/settings")
@allowed(Permission.PORTAL)
def settings() -> str:
    """The workspace and its people."""
    return render_template("accounts/settings.html", members=service.members(service.workspace().id))


def _welcome_back() -> BaseResponse | None:
    """Let a form that comes back be shown again; where no view would do that, show the page, for nobody pressed."""
    if typed.is_shown_again():
        say("You are logged in again. What you typed is here, and not saved yet.")
        return None
    say("You are logged in again, and nothing was done. Press the button once more.")
    return go(proof_views.local_path(request.full_path.rstrip("?") if typed.has_page() else None))


def _ask_reader() -> BaseResponse:
    """Send who wanted to read something to the log-in page, unless that would lose what they are typing."""
    if _is_reading_while_typing():
        return Response(status=204)
    wanted = typed.page_before() if sessions.POLL in request.headers else request.full_path.rstrip("?")
    return go(url_for("accounts.log_in", next=wanted if wanted != "/" else None))


def _is_reading_while_typing() -> bool:
    """Whether a page in which something is typed asks for a part of itself: no answer may lead it away."""
    return request.method == "GET" and wants_fragment() and UNSAVED in request.headers
