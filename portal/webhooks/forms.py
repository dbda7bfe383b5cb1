"""The form of a webhook; whether a URL or a header may be used is for `outbound` to say."""

from typing import Any, Self

from flask import current_app
from wtforms import BooleanField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import ValidationError

from ..fields import Form, long_text, text
from . import signing
from .models import ALARMS, CONTACT_EVENTS, EventType, Webhook
from .outbound import HeadersRefused, UrlRefused, check_url, parse_headers
from .throttle import MOST, SECOND, UNITS

URL_HINT = "Starts with http:// or https://. It should answer 2xx within 15 s."
CHOICES = [SelectChoice(seconds, unit) for seconds, unit in UNITS.items()]
URL_WARNING = "http:// sends contacts unencrypted. Use https:// if the receiver has it."
MAX_URL, MAX_HEADER_TEXT = 100_000, 90_000
"""No rules, only bounds for what is looked at: the rules of `outbound` are far below them and say it better."""


def may_be_used(_form: Any, field: Any) -> None:
    """A validator: the URL has a form that can be sent to, and does not lead into a private network."""
    try:
        check_url(field.data or "", current_app.config["ALLOWED_NETWORKS"])
    except UrlRefused as refused:
        raise ValidationError(refused.message) from refused


def can_be_sent(_form: Any, field: Any) -> None:
    """A validator: lines of "Name: value" that a request can carry and that are not the portal's own."""
    try:
        parse_headers(field.data or "")
    except HeadersRefused as refused:
        raise ValidationError(refused.message) from refused


def is_a_rate(_form: Any, field: Any) -> None:
    """A validator: empty, or a whole number of deliveries."""
    text = (field.data or "").replace(",", "")
    if text and not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise ValidationError(f"A whole number from 1 to {MOST:,}, or nothing.")


class WebhookForm(Form):
    """A new webhook, or one to be changed."""

    created = BooleanField(EventType.CREATED, name=EventType.CREATED)
    updated = BooleanField(EventType.UPDATED, name=EventType.UPDATED)
    deleted = BooleanField(EventType.DELETED, name=EventType.DELETED)
    failing = BooleanField(EventType.FAILING, name=EventType.FAILING)
    paused = BooleanField(EventType.PAUSED, name=EventType.PAUSED)
    recovered = BooleanField(EventType.RECOVERED, name=EventType.RECOVERED)
    url = text("URL", MAX_URL, may_be_used, description=URL_HINT)
    description = text("Description", 200)
    headers = long_text("Custom headers", MAX_HEADER_TEXT, can_be_sent, description="One per line, name: value.")
    throttle = text("Send at most", 9, is_a_rate, description="Deliveries; more wait for their turn. Empty: no limit.")
    throttle_seconds = SelectField("In each", choices=CHOICES, coerce=int, default=SECOND)

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """The form filled with what the webhook has; what was posted goes before it."""
        lines = [f"{name}: {value}" for name, value in signing.custom_headers(webhook).items()]
        chosen = {event_type.name.lower(): event_type in webhook.event_types for event_type in EventType}
        known = {"url": webhook.url, "description": webhook.description, "headers": "\n".join(lines)}
        rate = {"throttle": webhook.throttle, "throttle_seconds": webhook.throttle_seconds}
        return cls(data=known | rate | chosen)

    @property
    def choices(self) -> dict[EventType, BooleanField]:
        """The checkbox of each event type of contacts, in their order."""
        return {event_type: self[event_type.name.lower()] for event_type in CONTACT_EVENTS}

    @property
    def alarms(self) -> dict[EventType, BooleanField]:
        """The checkbox of each event type of the webhooks themselves."""
        return {event_type: self[event_type.name.lower()] for event_type in ALARMS}

    @property
    def wants_alarms(self) -> bool:
        return any(box.data for box in self.alarms.values())

    @property
    def warns(self) -> bool:
        """Whether the URL is plain http to somewhere: allowed, but worth a word."""
        return not self.url.errors and (self.url.data or "").lower().startswith("http://")

    def validate_created(self, _field: Any) -> None:
        """The first checkbox carries what is wrong with the choice as a whole."""
        if not any(box.data for box in (self.choices | self.alarms).values()):
            raise ValidationError("Choose at least one event type.")

    def fill(self, webhook: Webhook) -> None:
        """Write what the form holds to the webhook."""
        webhook.url = self.url.data
        webhook.description = self.description.data or None
        webhook.event_types = [event_type.value for event_type, box in (self.choices | self.alarms).items() if box.data]
        webhook.headers = signing.seal_headers(parse_headers(self.headers.data or ""))
        rate = int(str(self.throttle.data or "0").replace(",", "")) or None, self.throttle_seconds.data
        if rate != (webhook.throttle, webhook.throttle_seconds):
            (webhook.throttle, webhook.throttle_seconds), webhook.next_at = rate, None
