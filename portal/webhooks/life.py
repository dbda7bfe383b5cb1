"""The life of a delivery, from the change of a contact to the answer or the next try, as stations with their times."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..extensions import utcnow
from ..pace import pace
from .log_models import Attempt
from .models import Delivery, State, Status, Trigger
from .sentences import is_sending, next_try, outcome, span


@dataclass(frozen=True, slots=True)
class Step:
    """A station: `look` is its class, `at` its time, `words` what stands beside it."""

    title: str
    look: str = ""
    at: datetime | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Tries:
    """The attempts of a delivery in short."""

    first: Attempt
    last: Attempt
    count: int


def life(delivery: Delivery, tries: Tries | None = None, ahead: int = 0) -> list[Step]:
    """The stations of a delivery; `ahead` says how many go before it, if it waits for its turn."""
    changed = delivery.event.created_at
    after = max(timedelta(0), delivery.created_at - changed)
    steps = [Step("Test asked for" if delivery.event.is_test else "Changed", at=changed)]
    steps.append(Step("Recorded", words=f"+{_milliseconds(after)}"))
    if tries:
        words = f"+{_milliseconds(tries.first.started_at - changed)}, attempt {tries.first.number}"
        steps = _with_answer([*steps, Step("Sent", words=words)], delivery, tries)
    if end := _end(delivery, ahead):
        return [*_leading_to(steps, "to-todo"), end]
    return steps


def _with_answer(steps: Sequence[Step], delivery: Delivery, tries: Tries) -> list[Step]:
    """What came back: the answer that counts, and after it that of a resend which failed."""
    last = tries.last
    ended = last.started_at + timedelta(milliseconds=last.duration_ms)
    times = f"{tries.count} times so far" if tries.count > 1 else f"+{last.duration_ms:,.0f} ms"
    if not last.failure:
        words = f"attempt {last.number}" if tries.count > 1 else f"+{last.duration_ms:,.0f} ms"
        return [*steps, Step(f"Answered {last.status}", at=ended, words=words)]
    if delivery.succeeded_at:
        delivered = Step("Delivered", at=delivery.succeeded_at)
        return [*steps, *_leading_to([delivered], "to-bad"), Step(f"Resent: {_short(last)}", "bad", ended)]
    return [*_leading_to(steps, "to-bad"), Step(_short(last), "bad", last.started_at, times)]


def _end(delivery: Delivery, ahead: int) -> Step | None:
    """What comes or came last; None where the answer was the end."""
    if delivery.status == Status.PENDING:
        return _next(delivery, ahead)
    if delivery.status == Status.CANCELED:
        deleted = delivery.webhook.state == State.DELETED
        at = delivery.webhook.deleted_at if deleted else delivery.updated_at
        return Step("Canceled", "todo", at, "the webhook was deleted" if deleted else "by hand")
    if delivery.status == Status.SUCCEEDED or delivery.trigger == Trigger.TEST:
        return None
    if delivery.step < pace().attempts:
        return Step("Made way", "todo", words="for later changes of the contact")
    return Step("Gave up", "todo", words=f"after {delivery.attempts} attempts")


def _next(delivery: Delivery, ahead: int) -> Step:
    by_hand = delivery.trigger == Trigger.MANUAL
    if is_sending(delivery, utcnow()):
        return Step("Sending again" if by_hand else "Sending", "todo", words="by hand" if by_hand else "now")
    if delivery.webhook.state == State.PAUSED and delivery.trigger != Trigger.TEST:
        return Step("Held", "todo", words="until the webhook is resumed")
    if delivery.due_at is None:
        return Step("Waiting", "todo", words=f"behind {ahead} of the same contact" if ahead else "for its turn")
    at = next_try(delivery)
    if at is None or at <= utcnow():
        return Step(
            "Waiting", "todo", words="until its receiver is back" if delivery.webhook.probes else "for a worker"
        )
    return Step("Next try" if delivery.attempts else "First try", "todo", at)


def _short(attempt: Attempt) -> str:
    return f"Answered {attempt.status}" if attempt.status else outcome(attempt).words


def _leading_to(steps: Sequence[Step], look: str) -> list[Step]:
    """The same steps, with the way onward from the last one in another look."""
    last = steps[-1]
    return [*steps[:-1], replace(last, look=f"{last.look} {look}".strip())]


def _milliseconds(length: timedelta) -> str:
    milliseconds = length / timedelta(milliseconds=1)
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else span(length)
