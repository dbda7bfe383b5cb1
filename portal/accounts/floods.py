"""How much one person may ask for in one workspace: one place, over all routes, so that none is forgotten.

What is no GET is a write. What works on many rows, or answers with them, is counted besides.
"""

from typing import Any

from flask import Flask, current_app, request

from ..extensions import SAFE_METHODS, limiter
from .permissions import is_public
from .service import person, workspace

DOWNLOADS = {"audit.download", "deliveries.download", "exports.download", "imports.refused", "privacy.export"}
BULK = {
    "bulk.begin", "bulk.replay", "contact_bulk.begin", "contact_bulk.undo", "imports.check", "imports.read_again",
    "imports.run", "imports.upload", "people.hand_over", "privacy.erase",
}  # fmt: skip
ALWAYS = "accounts.log_out"
"""Nobody is kept from leaving."""


def init_app(app: Flask) -> None:
    """Count what signed-in people ask for, once it is known who they are."""
    app.before_request(_slow_down)


def _slow_down() -> None:
    endpoint, is_safe = request.endpoint, request.method in SAFE_METHODS
    if endpoint in (None, ALWAYS) or is_public(str(endpoint)):
        return
    if not is_safe:
        _count_write()
    if endpoint in DOWNLOADS or (endpoint in BULK and not is_safe):
        _count_bulk()


def _per_minute(setting: str) -> Any:
    """A decorator: each call counts for the person here; the one over the setting is answered 429."""
    return limiter.shared_limit(
        lambda: f"{current_app.config[setting]}/minute",
        scope=setting,
        key_func=lambda: f"person {person().id} {workspace().id}",
    )


@_per_minute("WRITES_PER_MINUTE")  # type: ignore[untyped-decorator]
def _count_write() -> None:
    pass


@_per_minute("BULK_PER_MINUTE")  # type: ignore[untyped-decorator]
def _count_bulk() -> None:
    pass
