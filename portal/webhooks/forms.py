"""The form of a webhook; whether a URL or a header may be used is for `outbound` to say."""

from collections.abc import Mapping
from typing import Any, Self

from flask import current_app
from wtforms import BooleanField, IntegerField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import NumberRange, ValidationError

from ..fields import Form, long_text, text
from . import signing
from .letters import MASK
from .models import ALARMS, CONTACT_EVENTS, MOST_CONTACTS, EventType, Webhook
from .outbound import HeadersRefused, UrlRefused, check_url, parse_headers
from .throttle import MOST, SECOND, UNITS

URL_HINT = "Starts with http:// or https://. It should answer 2xx within 15 s."
URL_WARNING = "http:// sends contacts unencrypted. Use https:// if the receiver has it."
PER_REQUEST_RANGE = f"Give a whole number from 1 to {MOST_CONTACTS}."
PER_REQUEST_HINT = f"At most {MOST_CONTACTS}, when many change at once. Each body stays under 256 KB."
HEADERS_HINT = f"One per line, name: value. Values are stored encrypted and shown as {MASK} from then on."
MAX_URL, MAX_HEADER_TEXT = 100_000, 90_000
"""No rules, only bounds for what is looked at: the rules of `outbound` are far below them and say it better."""


def may_be_used(_form: Any, field: Any) -> None:
    """A validator: the URL has a form that can be sent to, and does not lead into a private network."""
    try:
        check_url(field.data or "", current_app.config["ALLOWED_NETWORKS"])
    except UrlRefused as refused:
        raise ValidationError(refused.message) from refused


def unmasked(text: str, kept: Mapping[str, str]) -> str:
    """Lines of "Name: value" with the values that the page shows masked as they are kept. Raises HeadersRefused."""
    values = {name.lower(): value for name, value in kept.items()}
    lines = []
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        if value.strip() == MASK:
            if name.strip().lower() not in values:
                raise HeadersRefused(f"Type the value of {name.strip()[:40]}: none is kept under this name.")
            line = f"{name}: {values[name.strip().lower()]}"
        lines.append(line)
    return "\n".join(lines)


class WholeNumber(IntegerField):  # type: ignore[misc]  # WTForms is not typed
    """A whole number; what is none is told like what is out of range."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed; a form without the field leaves it as it is."""
        try:
            super().process_formdata([text.strip() for text in valuelist])
        except ValueError as error:
            raise ValueError(PER_REQUEST_RANGE) from error


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
    contacts_per_request = WholeNumber(
        "Contacts per request",
        [NumberRange(1, MOST_CONTACTS, PER_REQUEST_RANGE)],
        default=1,
        description=PER_REQUEST_HINT,
        render_kw={"type": "number", "min": 1, "max": MOST_CONTACTS},
    )
    headers = long_text("Custom headers", MAX_HEADER_TEXT, description=HEADERS_HINT)
    throttle = text("Send at most", 9, is_a_rate, description="Deliveries; more wait for their turn. Empty: no limit.")
    throttle_seconds = SelectField(
        "In each", choices=[SelectChoice(*unit) for unit in UNITS.items()], coerce=int, default=SECOND
    )
    kept: Mapping[str, str] = {}
    """The headers that the webhook has: their values are never shown again."""

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """The form filled with what the webhook has; what was posted goes before it."""
        kept = signing.custom_headers(webhook)
        lines = "\n".join(f"{name}: {MASK}" for name in kept)
        chosen = {event_type.name.lower(): event_type in webhook.event_types for event_type in EventType}
        same = ("url", "description", "contacts_per_request", "throttle_seconds")
        kept_as_text = {"headers": lines, "throttle": str(webhook.throttle or "")}
        form = cls(data={**{name: getattr(webhook, name) for name in same}, **kept_as_text, **chosen})
        form.kept = kept
        return form

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
    def has_more(self) -> bool:
        """Whether anything under "More" is not as it is for most."""
        more = (self.description, self.headers, self.contacts_per_request, self.throttle)
        is_set = self.description.data or self.headers.data or self.contacts_per_request.data != 1 or self.throttle.data
        return bool(is_set or self.wants_alarms or any(field.errors for field in more))

    @property
    def warns(self) -> bool:
        """Whether the URL is plain http to somewhere: allowed, but worth a word."""
        return not self.url.errors and (self.url.data or "").lower().startswith("http://")

    def validate_created(self, _field: Any) -> None:
        """The first checkbox carries what is wrong with the choice as a whole."""
        if not any(box.data for box in (self.choices | self.alarms).values()):
            raise ValidationError("Choose at least one event type.")

    def validate_headers(self, _field: Any) -> None:
        """Lines of "Name: value" that a request can carry and that are not the portal's own."""
        try:
            self._headers()
        except HeadersRefused as refused:
            raise ValidationError(refused.message) from refused

    def fill(self, webhook: Webhook) -> None:
        """Write what the form holds to the webhook."""
        webhook.url = self.url.data
        webhook.description = self.description.data or None
        webhook.event_types = [event_type.value for event_type, box in (self.choices | self.alarms).items() if box.data]
        webhook.contacts_per_request = self.contacts_per_request.data
        webhook.headers = signing.seal_headers(self._headers())
        rate = int((self.throttle.data or "0").replace(",", "")) or None, self.throttle_seconds.data
        if rate != (webhook.throttle, webhook.throttle_seconds):
            (webhook.throttle, webhook.throttle_seconds), webhook.next_at = rate, None

    def _headers(self) -> dict[str, str]:
        return parse_headers(unmasked(self.headers.data or "", self.kept))
