"""Sample bodies of each event type. Contacts know their payload and webhooks do not, so `create_app` hands it over."""

from collections.abc import Callable

from flask import Flask, current_app

from .models import EventType

Sampler = Callable[[], dict[EventType, bytes]]


def init_app(app: Flask, sampler: Sampler) -> None:
    """Register who makes the samples."""
    app.extensions["webhook_samples"] = sampler


def sample_bodies() -> dict[EventType, bytes]:
    """A realistic body of each event type, about a contact that does not exist."""
    sampler: Sampler = current_app.extensions["webhook_samples"]
    return sampler()
