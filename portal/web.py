"""What every page needs: page or fragment, errors that a person can read, security headers, words for templates."""

import gzip
import io
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, flash, g, make_response, redirect, render_template, request, url_for
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from lucide import lucide_icon
from markupsafe import Markup
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    SecurityError,
    ServiceUnavailable,
)
from werkzeug.wrappers import Response as BaseResponse

from .extensions import db, login, utcnow

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # "no-referrer" would break the CSRF check over https
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STRICT = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
TELLING = {400, 403, 413, 429}
"""Refusals that may mean an attack: they are logged, with whom and from where."""
AWAY = (OperationalError, InterfaceError, NoConnection)
"""What SQLAlchemy raises when the database does not answer, or has no connection to spare."""
RETRY_SECONDS = 5
PADDING = 100
"""So many bytes, or fewer, hide the size of a compressed page."""


def wants_fragment() -> bool:
    """Whether htmx asks for a part of the page and not for a whole one (source: htmx 4, HX-Request-Type)."""
    return request.headers.get("HX-Request-Type") == "partial"


def page(template: str, fragment: str | None = None, status: int = 200, **values: Any) -> Response:
    """The page, or to htmx its fragment: the same address answers both."""
    name = fragment if fragment and wants_fragment() else template
    response = make_response(render_template(name, **values), status)
    response.vary.add("HX-Request-Type")
    return response


def go(address: str) -> BaseResponse:
    """Send the browser on after a POST: a redirect, or for htmx the header that makes it follow with the whole page."""
    if request.headers.get("HX-Request"):
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)


def say(sentence: str) -> None:
    """Tell what was done, in a toast on the next page."""
    flash(sentence)


def address_of(endpoint: str, **values: Any) -> str:
    """The full address of a view, as receivers can reach it."""
    return (current_app.config["URL"] or request.host_url.rstrip("/")) + url_for(endpoint, **values)


def init_app(app: Flask) -> None:
    """Hook the headers, error pages and template words into the app."""
    app.before_request(_number_request)
    app.after_request(_add_headers)
    app.after_request(_compress)
    app.teardown_appcontext(_let_go)  # before Flask-SQLAlchemy's own: the last one comes first
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(Exception, _unexpected_error)
    app.jinja_env.globals.update(icon=icon, utcnow=utcnow)
    app.jinja_env.filters.update(when=when, clock=clock, duration=duration, number=number, initials=initials)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def _number_request() -> None:
    g.request_id = f"req_{secrets.token_hex(4)}"


def _let_go(_error: BaseException | None) -> None:
    """End the transaction. The answer is made, and perhaps it tells of a commit: a database that went away meanwhile
    does not turn it into an error."""
    _end_by(db.session.close)  # not by a rollback: what is streamed later reads what it has loaded


def _end_by(ending: Callable[[], None]) -> None:
    try:
        ending()
    except AWAY:
        db.session().invalidate()


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if current_app.session_interface.get_cookie_secure(current_app):  # whenever cookies insist on https
        response.headers.setdefault(*STRICT)
    if request.endpoint != "static":
        # People's data stays out of shared and of back-button caches.
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _compress(response: Response) -> Response:
    """Shrink a page to a fifth.

    Other sites can't have pages made with a person's session (SameSite), so that they can't guess secrets from sizes
    (BREACH). A name of random length in the gzip header blurs the size beside that.
    """
    response.vary.add("Accept-Encoding")
    if response.mimetype == "text/html" and request.accept_encodings["gzip"] and response.content_length:
        packed = io.BytesIO()
        name = "x" * secrets.randbelow(PADDING)
        with gzip.GzipFile(name, "wb", 5, packed) as file:
            file.write(response.get_data())
        response.set_data(packed.getvalue())
        response.content_encoding = "gzip"
    return response


def refused(error: HTTPException) -> BaseResponse:
    """The page, or the fragment, that says what was wrong with a request."""
    if error.code is None or error.code < 400:
        return error.get_response()
    if error.code in TELLING:
        current_app.logger.warning("%s", _told(error.code))
    if isinstance(error, SecurityError):
        # Under a host that is not ours no address can be made, and so no page.
        return Response("The portal does not answer to this host, but to that of PORTAL_URL or PORTAL_HOSTS.\n", 400)
    return _error_page(error.code, error)


def _unexpected_error(error: Exception) -> BaseResponse:
    # A database that is away or busy will soon be back: that is said, and tells machines to come again.
    refusal = ServiceUnavailable() if isinstance(error, AWAY) else InternalServerError(original_exception=error)
    _end_by(db.session.rollback)
    current_app.logger.exception("%s", _told(refusal.code))
    response = _error_page(refusal.code, refusal)
    if refusal.code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _told(code: int) -> str:
    """A line for the log. It names the rule and not the address, which itself may let somebody in."""
    rule = request.url_rule or "an unknown address"
    return f"{getattr(g, 'request_id', '-')} {code} {request.method} {rule} by {_who()} from {request.remote_addr}"


def _who() -> object:
    """The id of who asks; the database may have to be asked for it, and may be away."""
    try:
        return getattr(getattr(g, "_login_user", None), "user_id", "nobody")
    except SQLAlchemyError:
        return "somebody"


def _error_page(code: int, error: HTTPException) -> BaseResponse:
    kind = "expired" if isinstance(error, CSRFError) else code
    values = {"code": code, "kind": kind, "request_id": getattr(g, "request_id", "-")}
    values["told"] = getattr(error, "sentence", None)
    response = _for_whoever_asks("errors/page.html", "errors/_error.html", code, **values)
    if isinstance(error, RateLimitExceeded):
        assert error.limit is not None
        response.headers["Retry-After"] = str(error.limit.limit.get_expiry())
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def _for_whoever_asks(template: str, fragment: str, status: int, **values: Any) -> Response:
    """The page with who is signed in around it; without that if the database, which is asked for it, is away."""
    try:
        db.session.rollback()
        return page(template, fragment, status, signed_in=bool(current_user.is_authenticated), **values)
    except SQLAlchemyError:
        g._login_user = login.anonymous_user()  # where Flask-Login looks before it asks the database again
        return page(template, fragment, status, signed_in=False, **values)


def icon(name: str, classes: str = "") -> Markup:
    """A Lucide icon, inline and hidden from screen readers: the words beside it say what it means."""
    svg = lucide_icon(name, cls=f"icon {classes}".strip(), stroke_width=1.75)
    return Markup(svg.replace("<svg ", '<svg aria-hidden="true" ', 1))  # noqa: S704 - the package's own drawing


def when(moment: datetime | None, words: str | None = None) -> Markup:
    """A relative time ("3 min ago", "in 4 min") with the exact one on hover."""
    if moment is None:
        return Markup('<span class="muted">–</span>')
    moment = moment.astimezone(UTC)
    exact = f"{moment:%-d %b %Y, %H:%M:%S} UTC"
    text = words or _relative(moment)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), exact, text)


def clock(moment: datetime, milliseconds: bool = True) -> Markup:
    """A time of day to the millisecond; the day before it when it is not today."""
    moment = moment.astimezone(UTC)
    text = moment.strftime("%H:%M:%S.%f")[:-3] if milliseconds else moment.strftime("%H:%M:%S")
    day = "" if moment.date() == utcnow().date() else f"{moment:%-d %b} "
    return when(moment, day + text)


def _relative(moment: datetime) -> str:
    seconds = (utcnow() - moment).total_seconds()
    past = seconds >= 0
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        count = int(abs(seconds) // size)
        if count:
            name = f"{unit}s" if unit == "day" and count > 1 else unit
            return f"{count} {name} ago" if past else f"in {count} {name}"
    return "just now" if past else "now"


def duration(milliseconds: float | None) -> str:
    """ "84 ms", "15.0 s"; empty when unknown."""
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.1f} s"


def number(value: int) -> str:
    """1,240."""
    return f"{value:,}"


def initials(name: str) -> str:
    """Up to two letters that stand for a person without a picture."""
    words = [word for word in name.split() if word[0].isalnum()] or [name[:1]]
    return "".join(word[0] for word in (words[0], *words[1:][-1:])).upper()
