"""How often a password or a code may be wrong: by network, by account, and by device.

Only failures count. A device that has signed in before has tries of its own, so that guessers can't use up its owner's.
Without Redis each web process counts by itself: guessing stays slow, and nobody is locked out.
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from flask import Response, after_this_request, current_app, request, session
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeTimedSerializer

from ..extensions import limiter
from . import cookies

View = TypeVar("View", bound=Callable[..., Any])

FAILED = 422
DEVICE = "device"
"""The cookie of a browser in which somebody has signed in before."""
DEVICE_LIFE = timedelta(days=180)
UNKNOWN = ""
"""The name of all devices that are not known to be one of the person's: they share their tries."""
BY_LINK = "by a link"
"""That of all on which a new password was set: whoever reads the letters could set one again and again."""
BY_NETWORK = "20/minute;100/hour"
BY_ACCOUNT_AND_NETWORK = "10/minute;50/hour"
BY_ACCOUNT = "100/hour"
BY_DEVICE = "10/minute;50/hour"
OF_CODES = "5/minute;20/hour"
OF_PASSWORDS_INSIDE = "10/minute;50/hour"
LETTERS_TO_ACCOUNT, LETTERS_FOR_NETWORK = "5/hour", "20/hour"
INVITED = 201
INVITATIONS = "100/day"
"""What a workspace may send by e-mail: they go to people who never asked for anything, in the portal's name."""


def _all(_response: Response) -> bool:
    return True


def only_failures(response: Response) -> bool:
    """Count only refused tries: whoever knows the password is never locked out by signing in often."""
    return response.status_code == FAILED


def slow_down_passwords(view: View) -> View:
    """Limit how often a sign-in may be wrong."""
    for limits, key in (
        (BY_NETWORK, network),
        (BY_ACCOUNT_AND_NETWORK, lambda: f"{_typed_account()} {network()}"),
        (BY_ACCOUNT, _typed_account),
    ):
        view = _limited(limits, key, exempt_when=_is_known)(view)
    return _limited(BY_DEVICE, _typed_account_and_device, exempt_when=lambda: not _is_known())(view)


def slow_down_codes(view: View) -> View:
    """Limit how often the second step of a sign-in may be wrong, by the account whose password was right.

    Which one that is the session tells alone: what is typed would let a guesser be a new device again and again.
    """
    return _limited(OF_CODES, _proving)(view)


def slow_down_inside(view: View) -> View:
    """Limit how often a signed-in browser may be wrong about its person's password or code."""
    return _limited(OF_PASSWORDS_INSIDE, lambda: f"inside {session.get('_user_id')}")(view)


def slow_down_letters(view: View) -> View:
    """Limit how many letters with links somebody can cause; each request counts, known address or not."""
    return _limited(LETTERS_FOR_NETWORK, network, _all)(_limited(LETTERS_TO_ACCOUNT, _typed_account, _all)(view))


def slow_down_signups(view: View) -> View:
    """Limit how often a network may try to make a workspace."""
    return _limited(lambda: f"{current_app.config['SIGNUPS_PER_HOUR']}/hour", network, _all)(view)


def slow_down_invitations(view: View) -> View:
    """Limit how many invitations a workspace sends by e-mail. A link that somebody hands on themselves is no letter."""
    return _limited(
        INVITATIONS,
        lambda: f"invitations {current_user.workspace_id}",
        lambda response: response.status_code == INVITED,
        exempt_when=lambda: not (current_app.config["SMTP_URL"] and _typed_email().strip()),
    )(view)


def remember_device(email: str) -> None:
    """Let this browser be known as one of the person's: a signed cookie says so, and opens nothing."""
    _remember(email, secrets.token_urlsafe(12))


def remember_by_link(email: str) -> None:
    """Let this browser be known, for a link for a new password was opened in it: what guessers do elsewhere no longer
    concerns its person. All such browsers share the tries of one device."""
    if _device_of(email) == UNKNOWN:
        _remember(email, BY_LINK)


def network() -> str:
    """Where the request comes from; of IPv6 its network, for each home has more addresses than can be counted."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "network unknown"
    size = 32 if address.version == 4 else 64
    return f"network {ipaddress.ip_network(f'{address}/{size}', strict=False)}"


def _limited(
    limits: str | Callable[[], str],
    key: Callable[[], str],
    counted: Callable[[Response], bool] = only_failures,
    **options: Any,
) -> Callable[[View], View]:
    made: Any = limiter.limit(limits, key_func=key, methods=["POST"], deduct_when=counted, **options)
    return cast(Callable[[View], View], made)


def _remember(email: str, device: str) -> None:
    value = _signer().dumps({"account": _digest(email), "device": device})

    @after_this_request
    def set_cookie(response: Response) -> Response:
        age = int(DEVICE_LIFE.total_seconds())
        response.set_cookie(
            cookies.name(DEVICE), value, age, secure=cookies.are_secure(), httponly=True, samesite="Lax"
        )
        return response


def _proving() -> str:
    found = session.get("proving", {})
    return f"codes {found.get('user')} {_device_of(found.get('email', ''))}"


def _is_known() -> bool:
    return _device_of(_typed_email()) != UNKNOWN


def _device_of(email: str) -> str:
    """The name of this device, if it is one of that person's."""
    try:
        found = _signer().loads(request.cookies.get(cookies.name(DEVICE), ""), int(DEVICE_LIFE.total_seconds()))
    except BadSignature:
        return UNKNOWN
    return str(found["device"]) if found["account"] == _digest(email) else UNKNOWN


def _typed_email() -> str:
    return request.form.get("email", "")


def _typed_account() -> str:
    return f"account {_digest(_typed_email())}"


def _typed_account_and_device() -> str:
    return f"{_typed_account()} device {_device_of(_typed_email())}"


def _digest(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()[:32]


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="device")
