"""The second step of a sign-in: a code from the person's authenticator app (TOTP), or one of their recovery codes."""

import hmac
import secrets
import time

import pyotp
import segno
from markupsafe import Markup
from sqlalchemy import delete, func, select, update

from ..extensions import db, hasher, utcnow
from ..sealing import seal, unseal
from . import passwords
from .models import User, Workspace
from .proof_models import RecoveryCode, SecondFactor

STEP_SECONDS = 30
DRIFT = 1
"""Steps that a phone's clock may be wrong."""
DIGITS = 6
CODES = 10
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike
ISSUER = "CloudCX"


def new_secret() -> str:
    """A secret to share with an app, in base32."""
    return pyotp.random_base32()


def address(secret: str, email: str) -> str:
    """What the QR code says: it fills an authenticator app."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def picture(secret: str, email: str) -> Markup:
    """The same as a QR code: an SVG without size, so that the style sheet gives it one."""
    code = segno.make(address(secret, email), micro=False)
    drawn = code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff", svgclass="qr", lineclass=None)
    return Markup(drawn)  # noqa: S704 - the package's own drawing


def step_of(secret: str, code: str) -> int | None:
    """The time step, of those about now, whose code this is."""
    digits = "".join(code.split())
    now = int(time.time()) // STEP_SECONDS
    steps = [step for step in range(now - DRIFT, now + DRIFT + 1) if _is_code(secret, step, digits)]
    return steps[0] if steps else None


def is_on(user: User) -> bool:
    """Whether the person is asked for a code."""
    return db.session.get(SecondFactor, user.id) is not None


def is_owed(space: Workspace, user: User) -> bool:
    """Whether the workspace asks everybody for a code, and the person has nothing yet that makes one."""
    return space.needs_two_steps and not is_on(user)


def switch_on(user: User, secret: str, code: str) -> list[str] | None:
    """Ask for codes from now on; returns recovery codes, which are shown this once. None when the code is wrong."""
    step = step_of(secret, code)
    if step is None or is_on(user):
        return None
    db.session.add(SecondFactor(user_id=user.id, secret=seal(secret), last_step=step))
    return new_codes(user)


def switch_off(user: User) -> None:
    """Ask for no codes any more."""
    for model in (RecoveryCode, SecondFactor):
        db.session.execute(delete(model).where(model.user_id == user.id))


def new_codes(user: User) -> list[str]:
    """Recovery codes instead of those before: shown once, for their hashes are kept."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    words = ["".join(secrets.choice(LETTERS) for _ in range(10)) for _ in range(CODES)]
    for number, word in enumerate(words):
        db.session.add(RecoveryCode(user_id=user.id, number=number, code_hash=hasher.hash(f"{number}{word}")))
    return [f"{number}-{word[:5]}-{word[5:]}" for number, word in enumerate(words)]


def codes_left(user: User) -> int:
    """How many recovery codes are unused."""
    unused = select(func.count()).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    return db.session.scalar(unused) or 0


def accepts(user: User, typed: str) -> str | None:
    """What was used up: "code" or "recovery code"; None when it is neither, or was used before."""
    word = "".join(character for character in typed.lower() if character.isalnum())
    if len(word) == DIGITS and word.isdecimal():
        return "code" if _uses_step(user, word) else None
    return "recovery code" if _uses_recovery(user, word) else None


def _is_code(secret: str, step: int, digits: str) -> bool:
    return hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step).encode(), digits.encode())


def _uses_step(user: User, digits: str) -> bool:
    factor = db.session.get(SecondFactor, user.id)
    step = step_of(unseal(factor.secret), digits) if factor else None
    if step is None:
        return False
    newer = update(SecondFactor).where(SecondFactor.user_id == user.id, SecondFactor.last_step < step)
    return db.session.scalar(newer.values(last_step=step).returning(SecondFactor.user_id)) is not None


def _uses_recovery(user: User, word: str) -> bool:
    number = int(word[0]) if word[:1].isdecimal() else -1
    unused = RecoveryCode.user_id == user.id, RecoveryCode.number == number, RecoveryCode.used_at.is_(None)
    found = db.session.scalar(select(RecoveryCode.code_hash).where(*unused))
    if not passwords.fits(found, word):
        return False
    used = update(RecoveryCode).where(*unused, RecoveryCode.code_hash == found).values(used_at=utcnow())
    return db.session.scalar(used.returning(RecoveryCode.number)) is not None
