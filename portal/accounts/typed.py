"""What was typed into a form whose session had ended: it waits in the browser, and comes back after the log-in.

It is signed, so that nobody is given a form that they never typed, and says whose it is, as far as the browser knew:
somebody else who logs in there is not given it. The server keeps none of it. Passwords and codes are left out, and
files have to be chosen again.
"""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request, session
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import HTTPException

from ..fields import CAME_BACK

NAME = "typed"
"""The field of the log-in form in which it waits."""
LEFT_OUT = ("csrf_token", CAME_BACK, NAME)
SECRETS = ("password", "code", "token")

LIFE = timedelta(days=1)
"""How long it waits: a page that was left open in the evening is still good in the morning."""
DROPPED = "What was typed before this log-in is gone: it was somebody else’s, of another workspace, or a day old."
NOT_DONE = "You were logged out before, and nothing was done. Log in, and press the button once more."

HERE, PERSON = "workspace", "person"
"""Where the browser remembers in which workspace its pages were made, and for whom."""

Typed = dict[str, Any]


class Elsewhere(CSRFError):  # type: ignore[misc]  # noqa: N818 - Flask-WTF is not typed; it reads as what happened
    """A page of one workspace was sent while the session is in another: what was typed there is not for here."""


def kept() -> str | None:
    """What this POST holds, to go through a log-in with; None when there is no form to come back to."""
    pairs = [[name, value] for name, value in request.form.items(multi=True) if _may_stay(name)]
    if request.method != "POST" or not pairs or not is_shown_again():
        return None
    whose = {HERE: session.get(HERE), PERSON: session.get(PERSON)}
    return _signer().dumps({"path": request.full_path.rstrip("?"), "pairs": pairs, **whose})


def is_shown_again() -> bool:
    """Whether the view that this POST is for would show its form again, and do nothing."""
    return getattr(current_app.view_functions.get(request.endpoint or ""), "shows_again", False)


def waits() -> bool:
    """Whether something came with the log-in form."""
    return bool(request.form.get(NAME))


def opened(person: uuid.UUID, workspace: uuid.UUID) -> Typed | None:
    """What came through the log-in; None when it is not for that person there, too old, or written by somebody else."""
    try:
        found = read(request.form.get(NAME, ""))
    except BadSignature:
        return None
    is_theirs = found.get(PERSON) in (None, str(person)) and found.get(HERE) in (None, str(workspace))
    return found if is_theirs else None


def read(kept: str) -> Typed:
    """The address and the fields. Raises BadSignature when it is too old, or somebody else wrote it."""
    found: Typed = _signer().loads(kept, int(LIFE.total_seconds()))
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


def has_page() -> bool:
    """Whether the address of this POST shows a page, too."""
    try:
        current_app.create_url_adapter(request).match(method="GET")  # type: ignore[union-attr]  # there is a request
    except HTTPException:
        return False
    return True


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="typed before the log-in")
