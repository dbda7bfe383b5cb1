"""The filters of the log as the screen offers them: what can be chosen, and in words what is set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .filters import Filters
from .models import EventType, State, Status, Trigger, Webhook
from .outbound import Failure, explain
from .sentences import place

SHOWN = 40
"""Characters of a value that says nothing known."""
CODES = {Failure.HTTP_ERROR, Failure.REDIRECT, Failure.GONE}
"""Failures that are answers: they are chosen by their code."""

LISTS: Mapping[str, Mapping[str, str]] = {
    "since": {"1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days"},
    "result": {"2xx": "Success (2xx)", "3xx": "Redirect (3xx)", "4xx": "Refused (4xx)", "5xx": "Server error (5xx)"}
    | {failure.value: explain(failure).title for failure in Failure if failure not in CODES},
    "event": {kind.value: kind.value for kind in EventType},
    "attempt": {"first": "At the first attempt", "retried": "Retried", "3": "3 or more", "5": "5 or more"},
    "slower": {"1": "Slower than 1 s", "5": "Slower than 5 s", "10": "Slower than 10 s"},
    "next": {"retry": "Waits for a retry", "behind": "Behind another", "held": "Held by its webhook"},
    "trigger": {trigger.value: trigger.value.capitalize() for trigger in Trigger},
    "status": {status.value: status.value.capitalize() for status in Status},
}
TITLES = {
    "since": "Time", "result": "Result", "contact": "Contact", "event": "Event", "webhook": "Webhook",
    "attempt": "Attempt", "slower": "Duration", "next": "Next try", "trigger": "Trigger", "status": "State",
}  # fmt: skip
"""The filters in the order of the columns; a contact is chosen in its row, a state by its tab."""
TABS = {"", Status.SUCCEEDED, Status.PENDING, Status.FAILED}


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter: `words` say what is set, `choices` are what can be, by the value in the address."""

    name: str
    title: str
    words: str
    choices: Mapping[str, str]
    off: Mapping[str, str]
    """The parameters of the address without it."""


def chips(filters: Filters, webhooks: Sequence[Webhook], contact: str) -> list[Chip]:
    """All filters that are set or can be; `contact` is the name of the one that is asked for."""
    places = {str(one.id): place(one.url) for one in webhooks}
    found = []
    for name, title in TITLES.items():
        names = ("since", "from", "to") if name == "since" else (name,)
        lives = {str(one.id): places[str(one.id)] for one in webhooks if one.state != State.DELETED}
        choices = lives if name == "webhook" else LISTS.get(name, {})
        words = _words(filters, name, places if name == "webhook" else choices, contact)
        if words or (choices and name != "status"):
            found.append(Chip(name, title, words, choices, filters.without(*names).address()))
    return found


def _words(filters: Filters, name: str, known: Mapping[str, str], contact: str) -> str:
    """What is set, in words; empty when nothing is, or when its tab says so."""
    value = filters[name]
    if name == "since":
        return _time(filters)
    if name == "status" and value in TABS:
        return ""
    if name == "contact" and value:
        return contact or "unknown"
    if name == "attempt" and value.isdigit():
        return f"{value[:SHOWN]} or more"
    if name == "slower" and value and value not in known:
        return f"Slower than {value[:SHOWN]} s"
    return known.get(value, "unknown" if name == "webhook" else value[:SHOWN]) if value else ""


def _time(filters: Filters) -> str:
    if filters["since"]:
        return LISTS["since"].get(filters["since"], filters["since"][:SHOWN])
    start, end = (filters[name][:SHOWN].replace("T", " ") for name in ("from", "to"))
    if start and end:
        return f"{start} to {end}"
    return f"from {start}" if start else f"until {end}" if end else ""
