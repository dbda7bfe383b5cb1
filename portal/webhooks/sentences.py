"""States and results in plain English. Pure but for the clock and the settings: no database, no network."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from ..extensions import utcnow
from ..pace import pace
from . import throttle
from .log_models import Attempt
from .models import Delivery, Event, EventType, PauseReason, State, Status, Trigger, Webhook
from .outbound import explain

KEPT = "Nothing is lost."
_TOKEN = re.compile(r"(?<=/)(?=[\w-]*[0-9A-Z])([\w-]{8})[\w-]{16,}(?=/|$)", re.ASCII)

ABOUT = {
    EventType.CREATED: "When a contact is created, by hand, by import or by the system.",
    EventType.UPDATED: "When a field or a tag of a contact changes.",
    EventType.DELETED: "When a contact is deleted or merged into another. Sends ids only.",
    EventType.FAILING: "When another webhook has only failed for a while.",
    EventType.PAUSED: "When another webhook is paused, by a person or because it only fails.",
    EventType.RECOVERED: "When its receiver takes deliveries again.",
}
_PAUSED = {
    PauseReason.PERSON: "Paused by hand",
    PauseReason.GONE: "Paused because the receiver answered 410 Gone",
    PauseReason.FAILING: "Paused because it only failed for days",
}


@dataclass(frozen=True, slots=True)
class Pill:
    """A state or a result: a tone of the style sheet ("ok", "warn", "bad", "run", "hold" or none) and its words."""

    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Note:
    """What is going on with a delivery and what to do about it; `next_try` is shown as a countdown after `text`."""

    tone: str
    title: str
    text: str
    next_try: datetime | None = None


HEALTHY, RETRYING = Pill("ok", "Healthy"), Pill("warn", "Retrying")
FAILING, PAUSED = Pill("bad", "Failing"), Pill("hold", "Paused")
MOODS = (HEALTHY, FAILING, RETRYING, PAUSED)


def mood(webhook: Webhook) -> Pill:
    """The state of a webhook in one word: failing means that nothing but probes is sent."""
    if webhook.state != State.ACTIVE:
        return PAUSED if webhook.state == State.PAUSED else Pill("", "Deleted")
    if webhook.failing_since is None:
        return HEALTHY
    return FAILING if webhook.probe_at else RETRYING


def situation(webhook: Webhook) -> str:
    """The state of a webhook and since when, as the beginning of a sentence."""
    word = mood(webhook).words
    if webhook.state == State.PAUSED and webhook.pause_reason and webhook.paused_at:
        return f"{_PAUSED[webhook.pause_reason]} since {moment(webhook.paused_at)}"
    return f"{word} since {moment(webhook.failing_since)}" if webhook.failing_since else word


def backlog(waiting: int, oldest: datetime | None, now: datetime | None = None) -> str:
    """What waits for a webhook and how far it is behind, as the end of a sentence."""
    if not waiting or oldest is None:
        return "nothing is waiting"
    behind = (now or utcnow()) - oldest
    late = f", about {span(behind)} behind" if behind > timedelta(minutes=1) else ""
    return f"{waiting:,} waiting{late}"


def result(delivery: Delivery, now: datetime | None = None) -> Pill:
    """How a delivery stands: its last answer or failure in words, or that it waits or is being sent."""
    if delivery.status == Status.CANCELED:
        return Pill("", "Canceled")
    if delivery.status == Status.SUCCEEDED:
        return Pill("ok", _answer(delivery.last_status) if not delivery.last_failure else "Succeeded")
    if is_sending(delivery, now or utcnow()):
        return Pill("run", "Sending")
    return _failed(delivery) if delivery.last_failure else Pill("warn", "Waiting")


def outcome(attempt: Attempt) -> Pill:
    """How one attempt ended."""
    if attempt.failure:
        return Pill("bad", explain(attempt.failure, attempt.status).title)
    return Pill("ok", _answer(attempt.status))


def is_sending(delivery: Delivery, now: datetime) -> bool:
    """Whether a worker has it or is about to take it: due just now, and nothing holds its webhook."""
    due = delivery.status == Status.PENDING and delivery.due_at is not None
    free = delivery.trigger == Trigger.TEST or (delivery.webhook.is_active and delivery.webhook.probe_at is None)
    longest_send = timedelta(seconds=pace().longest_send)  # due for longer than that, it waits for a worker
    return bool(due and free and delivery.due_at and timedelta(0) <= now - delivery.due_at < longest_send)


def next_try(delivery: Delivery) -> datetime | None:
    """When the next attempt is; None while the webhook is paused or an earlier delivery goes first."""
    if delivery.status != Status.PENDING or delivery.due_at is None or not delivery.webhook.is_active:
        return None
    return max(delivery.due_at, delivery.webhook.probe_at or delivery.due_at)


def instead_of_next_try(delivery: Delivery) -> str:
    """Why there is no time of a next attempt, in a word or two; empty when there is one or nothing to say."""
    if delivery.status == Status.FAILED and delivery.trigger != Trigger.TEST:
        return "gave up"
    if delivery.status != Status.PENDING or next_try(delivery):
        return ""
    return "in order" if delivery.webhook.is_active else "paused"


def attempt_of(delivery: Delivery) -> str:
    """ "1" for what succeeded at once, "3 of 10" once there was a second or there will be, a dash before the first."""
    if not delivery.attempts:
        return "–"
    of_all = 1 < delivery.attempts <= pace().attempts or (delivery.attempts == 1 and delivery.status == Status.PENDING)
    return f"{delivery.attempts} of {pace().attempts}" if of_all else str(delivery.attempts)


def trigger(delivery: Delivery) -> str:
    """Why it was or will be sent, where that is worth a word: empty for what goes its automatic way."""
    now = delivery.trigger if delivery.status == Status.PENDING else delivery.last_trigger
    return now.value if now and now != Trigger.AUTOMATIC else ""


def place(url: str) -> str:
    """Where a URL leads, for lists and logs: host and path. What may be a credential is cut: the query, and tokens."""
    parts = urlsplit(url)
    return parts.netloc + _TOKEN.sub(r"\1…", parts.path.rstrip("/"))


def who(event: Event) -> str:
    """The contact that an event is about by the name it had then, or how many there are."""
    if len(event.subjects) != 1:
        return f"{len(event.subjects):,} contacts"
    return event.subjects[0].label


def what(event: Event) -> str:
    """What was done and by whom: "Lead stage and Owner changed by Jon Park"."""
    if event.is_test:
        return f"Test sent by {event.actor}"
    if event.type.is_alarm:
        return f"{_spaced(event.type)}, told by {event.actor}"
    if event.type != EventType.UPDATED:
        return f"{'Created' if event.type == EventType.CREATED else 'Deleted'} by {event.actor}"
    names = list(dict.fromkeys(_spaced(key) for subject in event.subjects for key in subject.changes))
    return f"{_listed(names) or 'Something'} changed by {event.actor}"


def advice(delivery: Delivery, now: datetime | None = None) -> Note | None:
    """What is going on with a delivery, in plain words, and what to do; None when all is well."""
    now = now or utcnow()
    if delivery.status == Status.CANCELED:
        return _canceled_note(delivery)
    if delivery.last_failure and not is_sending(delivery, now):
        return _failure_note(delivery)
    if delivery.status != Status.PENDING or is_sending(delivery, now):
        return None
    if not delivery.webhook.is_active and delivery.trigger != Trigger.TEST:
        text = f"{situation(delivery.webhook)}. {KEPT} It is sent when the webhook is resumed."
        return Note("warn", "Waiting, because the webhook is paused", text)
    if delivery.due_at is None:
        text = f"An earlier change of the same contact goes first, so that they arrive in order. {KEPT}"
        return Note("warn", "Waiting for its turn", text)
    return _held_note(delivery, now)


def percent(share: float | None) -> str:
    """ "99.9%", never rounded up to a hundred; a dash when there is nothing to count."""
    if share is None:
        return "–"
    return "100%" if share == 1 else f"{int(share * 1000) / 10:g}%"


def moment(at: datetime) -> str:
    """ "14:02 UTC"; the day before it when that is not today."""
    return f"{at:%H:%M} UTC" if at.date() == utcnow().date() else f"{at:%-d %b %H:%M} UTC"


def span(length: timedelta) -> str:
    """A length of time in its largest unit: "38 s", "22 min", "3 h", "2 days"."""
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {'day' if unit == 'days' and count == 1 else unit}"
    return f"{seconds} s"


def _canceled_note(delivery: Delivery) -> Note:
    webhook = delivery.webhook
    if webhook.state != State.DELETED:
        return Note("", "Canceled", "Somebody canceled it. The receiver does not get it, unless you press Resend.")
    when = f" ({moment(webhook.deleted_at)})" if webhook.deleted_at else ""
    return Note("", "Canceled", f"Its webhook was deleted before it could be sent{when}. It is not sent any more.")


def _held_note(delivery: Delivery, now: datetime) -> Note | None:
    """Why what is due or will be is not sent, though nothing has failed and its webhook is active."""
    webhook = delivery.webhook
    if webhook.probe_at and webhook.probes:
        text = f"Its receiver failed {webhook.failures} times in a row, so that one delivery at a time is tried, until"
        text += f" one is taken. Then all that waits is sent, oldest first. {KEPT}"
        return Note("warn", "Waiting, because the webhook is failing", text, webhook.probe_at)
    if webhook.probe_at and webhook.probe_at > now:
        text = f"Its receiver asked for fewer messages (Retry-After). {KEPT}"
        return Note("warn", "Waiting, because the receiver asked for a pause", text, webhook.probe_at)
    if throttle.holds_back(webhook, delivery.due_at):
        text = f"Its webhook takes at most {throttle.words(webhook)}, so that its receiver is not flooded. {KEPT}"
        return Note("warn", "Waiting, because the webhook is throttled", text)
    if delivery.due_at and delivery.due_at < now:
        text = f"It has been due since {moment(delivery.due_at)}. {KEPT} If others of this webhook are sent meanwhile,"
        text += " its turn comes; if nothing is sent at all, no worker runs: tell the operator."
        return Note("warn", "Waiting for a worker", text)
    return None


def _failure_note(delivery: Delivery) -> Note:
    found = explain(delivery.last_failure or "", delivery.last_status)
    if delivery.trigger == Trigger.TEST:
        return Note("bad", found.title, f"{found.advice} Then send another test.")
    if delivery.succeeded_at:
        delivered = f"Nothing is lost: it was delivered before ({moment(delivery.succeeded_at)})."
        return Note("warn", f"The resend failed: {found.title}", f"{found.advice} {delivered}")
    if delivery.status == Status.FAILED:
        return Note("bad", found.title, f"{found.advice} {_stopped(delivery)} Mend the cause, then press Resend.")
    if not delivery.webhook.is_active:
        text = f"{found.advice} {KEPT} {situation(delivery.webhook)}; it is tried again when the webhook is resumed."
        return Note("bad", found.title, text)
    return Note("bad", found.title, f"{found.advice} {KEPT}{_more(delivery)}", next_try(delivery))


def _more(delivery: Delivery) -> str:
    """What follows on a failure."""
    same = "with the same id and the same bytes"
    if delivery.webhook.probes:
        return f" Its webhook is failing: one delivery at a time is tried until one is taken, then all follow, {same}."
    left = pace().attempts - delivery.step - 1
    return f" Up to {left} more follow, over {span(pace().whole_schedule)} in all, {same}." if left > 0 else ""


def _stopped(delivery: Delivery) -> str:
    if delivery.step >= pace().attempts:
        return f"The portal stopped after {delivery.attempts} attempts."
    return (
        f"It failed for over {span(pace().poison)} while the receiver took others. Later changes of the same contact"
        f" were waiting behind it and go on without it, after {delivery.attempts} attempts."
    )


def _failed(delivery: Delivery) -> Pill:
    return Pill("bad", explain(delivery.last_failure or "", delivery.last_status).title)


def _answer(status: int | None) -> str:
    if status is None:
        return "Succeeded"
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} answered"


def _spaced(key: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key)
    return words[:1].upper() + words[1:].lower()


def _listed(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
