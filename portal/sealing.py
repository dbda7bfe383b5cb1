"""Secrets at rest: sealed with the keys of PORTAL_KEYS, so that a copy of the database alone opens nothing."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app
from sqlalchemy import LargeBinary


class Sealed(LargeBinary):
    """A column that holds what `seal` made. `flask rotate-keys` finds all of them by this type: none is forgotten."""


def seal(text: str) -> bytes:
    """Encrypt for the database, with the newest key."""
    return _box().encrypt(text.encode())


def unseal(blob: bytes) -> str:
    """Decrypt what `seal` made, with whichever key fits. Raises cryptography.fernet.InvalidToken when none does."""
    return _box().decrypt(blob).decode()


def opens(blob: bytes) -> bool:
    """Whether one of the keys fits."""
    return _fits(_box(), blob)


def is_newest(blob: bytes) -> bool:
    """Whether the newest key sealed it."""
    return _fits(Fernet(_keys()[0]), blob)


def _fits(box: Fernet | MultiFernet, blob: bytes) -> bool:
    try:
        box.decrypt(blob)
    except InvalidToken:
        return False
    return True


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in _keys()])


def _keys() -> list[str]:
    keys: list[str] = current_app.config["ENCRYPTION_KEYS"]
    return keys
