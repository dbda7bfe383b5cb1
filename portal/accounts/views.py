"""Sign-up, log in, log out, settings; nobody gets past without a session unless a view says `public`."""

from flask import Blueprint, Response, redirect, render_template, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from ..extensions import db, limiter, login
from ..web import go, page
from . import service
from .forms import LoginForm, SignupForm
from .permissions import Permission, Refused, allowed, is_public, may, needed, public

blueprint = Blueprint("accounts", __name__)

blueprint.add_app_template_global(may)

FAILED = 422


@blueprint.before_app_request
def require_session() -> BaseResponse | None:
    """Send those without a session to the log-in page; an unknown address stays a 404."""
    is_open = request.endpoint is None or is_public(request.endpoint)
    return None if is_open or current_user.is_authenticated else ask_to_log_in()


@blueprint.before_app_request
def require_permission() -> None:
    """Refuse what the person's role does not include: the one place where permissions are enforced."""
    if request.endpoint is not None and not may(request.endpoint):
        raise Refused(needed(request.endpoint))


@login.unauthorized_handler  # type: ignore[untyped-decorator]
def ask_to_log_in() -> BaseResponse:
    """The log-in page, which leads back to where the person wanted to go."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    if service.is_new():
        return go(url_for("accounts.signup"))
    return go(url_for("accounts.log_in", next=wanted if wanted != "/" else None))


def only_failures(response: Response) -> bool:
    """Count only refused tries: whoever knows the password is never locked out by signing in often."""
    return response.status_code == FAILED


def typed_email() -> str:
    """The account that a try is for; a network of many addresses shares one limit there."""
    return f"account {request.form.get('email', '').strip().lower()}"


@blueprint.route("/signup", methods=["GET", "POST"])
@public
def signup() -> BaseResponse:
    """Make the workspace and its Administrator."""
    if not service.may_sign_up():
        return page("accounts/closed.html", status=403)
    form = SignupForm()
    if form.validate_on_submit():
        user = service.create_workspace(form.workspace.data, form.name.data, form.email.data, form.password.data)
        session.clear()
        service.open_session(user)
        db.session.commit()
        return go(url_for("overview.index"))
    needs_token = service.signup_token() is not None
    return page("accounts/signup.html", status=FAILED if form.errors else 200, form=form, needs_token=needs_token)


@blueprint.route("/login", methods=["GET", "POST"])
@public
@limiter.limit("20/minute;100/hour", methods=["POST"], deduct_when=only_failures)
@limiter.limit("10/minute;50/hour", key_func=typed_email, methods=["POST"], deduct_when=only_failures)
def log_in() -> BaseResponse:
    """Sign in and go on to where the person wanted to go."""
    if current_user.is_authenticated:
        return redirect(url_for("overview.index"))
    form = LoginForm()
    if form.validate_on_submit():
        user = service.authenticate(form.email.data, form.password.data)
        if user:
            session.clear()
            service.open_session(user)
            db.session.commit()
            return go(local_path(request.args.get("next")))
        form.refuse("password", "The e-mail address or the password is not right. Check both and try again.")
    open_to_all = service.may_sign_up()
    return page("accounts/login.html", status=FAILED if form.errors else 200, form=form, open_to_all=open_to_all)


@blueprint.post("/logout")
@allowed(Permission.PORTAL)
def log_out() -> BaseResponse:
    """End the session."""
    service.close_session()
    db.session.commit()
    return go(url_for("accounts.log_in"))


@blueprint.get("/settings")
@allowed(Permission.PORTAL)
def settings() -> str:
    """The workspace and its people."""
    return render_template("accounts/settings.html", members=service.members(service.workspace().id))


def local_path(wanted: str | None) -> str:
    """The wanted address if it is a path of this portal, else the Overview: a link can't send people elsewhere."""
    if wanted and wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable():
        return wanted
    return url_for("overview.index")
