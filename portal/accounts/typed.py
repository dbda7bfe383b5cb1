"""What was typed into a form whose session had ended: it waits in the browser, and comes back after the log-in.

It is signed, so that nobody is given a form that they never typed. The server keeps none of it. Passwords and codes are
left out, and files have to be chosen again.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.exceptions import HTTPException

from ..fields import CAME_BACK

NAME = "typed"
"""The field of the log-in form in which it waits."""
LEFT_OUT = ("csrf_token", CAME_BACK, NAME)
SECRETS = ("password", "code", "token")

HERE = "workspace"
"""Where the browser remembers in which workspace its pages were made."""

Typed = dict[str, Any]


class Elsewhere(CSRFError):  # type: ignore[misc]  # noqa: N818 - Flask-WTF is not typed; it reads as what happened
    """A page of one workspace was sent while the session is in another: what was typed there is not for here."""


def kept() -> str | None:
    """What this POST holds, to go through a log-in with; None when there is no form to come back to."""
    pairs = [[name, value] for name, value in request.form.items(multi=True) if _may_stay(name)]
    if request.method != "POST" or not pairs or not _has_page():
        return None
    return _signer().dumps({"path": request.full_path.rstrip("?"), "pairs": pairs})


def opened() -> Typed | None:
    """What came through the log-in; None when nothing did, or when somebody else wrote it."""
    try:
        return read(request.form.get(NAME, ""))
    except BadSignature:
        return None


def read(kept: str) -> Typed:
    """The address and the fields. Raises BadSignature when somebody else wrote it."""
    found: Typed = _signer().loads(kept)
    return found


def is_from_own_page() -> bool:
    """Whether a page of this portal sent this, as the browser says."""
    sender = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return urlsplit(sender).netloc == request.host


def page_before() -> str | None:
    """The page of the portal on which this was pressed."""
    parts = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    if parts.netloc != request.host:
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _may_stay(name: str) -> bool:
    return name not in LEFT_OUT and not any(secret in name.lower() for secret in SECRETS)


def _has_page() -> bool:
    """Whether the address shows the form, too."""
    try:
        current_app.create_url_adapter(request).match(method="GET")  # type: ignore[union-attr]  # there is a request
    except HTTPException:
        return False
    return True


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt="typed before the log-in")
