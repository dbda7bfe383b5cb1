"""What contacts say of themselves. Webhooks know no contacts, so `create_app` hands over who can be asked."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """Whom to ask: payload keys as the forms call them, and contacts of a workspace as they are now, by their ids."""

    labels: Mapping[str, str]
    payloads: Callable[[uuid.UUID, Collection[uuid.UUID]], dict[uuid.UUID, Payload]]


def init_app(app: Flask, source: Source) -> None:
    """Register who is asked."""
    app.extensions["webhook_contacts"] = source


def source() -> Source:
    """Who is asked about contacts."""
    found: Source = current_app.extensions["webhook_contacts"]
    return found
