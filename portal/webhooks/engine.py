"""The state machine: what may be sent now, and what an answer changes. Database only, no network.

Locks go webhook first, then deliveries in the order of `seq`; everybody who needs both keeps to it.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import lazyload

from ..extensions import db, db_now, utcnow
from ..pace import pace, prepared
from . import breaker, lanes, sendable, signing, throttle
from .lease import LeaseLost
from .models import Attempt, Delivery, State, Status, Trigger, Webhook
from .outbound import Failure, Result

MASK = "••••••"
SECRET_LENGTH = 8
"""Characters from which a word of a custom header is looked for in what comes back."""
CLOCK_DRIFT = 5
"""Seconds by which the clocks of two database servers, one of which takes over from the other, may differ."""
ATTEMPTS = insert(Attempt)


@dataclass(frozen=True, slots=True)
class Letter:
    """All that the network needs to make one attempt, read before and kept after the transaction."""

    delivery_id: uuid.UUID
    webhook_id: uuid.UUID
    number: int
    trigger: Trigger
    was_due: bool
    is_probe: bool
    """The only one in flight, to find out whether the receiver is back."""
    url: str
    headers: dict[str, str]
    own_headers: frozenset[str]
    """Names of those that people gave: their values may be secrets and are not logged."""
    body: bytes
    started_at: datetime
    next_at: datetime | None = None
    """When the next one may be sent, if the webhook has a throttle."""


def claim(webhook_id: uuid.UUID, token: str | None, in_flight: Collection[uuid.UUID]) -> list[Letter]:
    """What the holder of the lease may send beside what is in flight: oldest first, as many as the width allows.

    Raises LeaseLost when `token` holds the webhook no more.
    """
    webhook = db.session.get_one(Webhook, webhook_id, populate_existing=True)
    if webhook.lease_token != token:
        raise LeaseLost
    probing = webhook.probe_at is not None
    room = (1 if probing else webhook.width) - len(in_flight)
    if room <= 0:
        return []
    turn = throttle.turn(webhook, db.session.scalars(select(db_now())).one()) if webhook.throttle else None
    room = min(room, max(1, turn.room)) if turn else room
    found = db.session.execute(sendable.first(probing), {"of": webhook_id, "in_flight": list(in_flight), "room": room})
    letters = [_letter(delivery, probing, was_due) for delivery, was_due in found]
    return _in_turn(letters, turn) if turn else letters


def record(token: str, answers: Sequence[tuple[Letter, Result]]) -> bool:
    """Write down attempts of one webhook and what follows from them.

    The attempts always; the states only while `token` holds the lease. Returns whether it still held.
    """
    webhook = db.session.scalars(_webhook(), {"it": answers[0][0].webhook_id}).one()
    keys = [letter.delivery_id for letter, _ in answers]
    deliveries = {delivery.id: delivery for delivery in db.session.scalars(_deliveries(), {"keys": keys})}
    kept = [(letter, _without_answer(deliveries[letter.delivery_id], result)) for letter, result in answers]
    db.session.execute(ATTEMPTS, [_attempt(letter, result) for letter, result in kept])
    held = webhook.lease_token == token
    for letter, result in answers:
        delivery = deliveries[letter.delivery_id]
        _note(delivery, letter, result)
        if held and delivery.status == Status.PENDING:
            _settle(webhook, delivery, letter, result)
        elif held and delivery.status == Status.CANCELED and result.ok:
            _end(delivery, Status.SUCCEEDED)  # it was on its way when somebody canceled it
    lanes.leave([delivery for delivery in deliveries.values() if delivery.status != Status.PENDING])
    return held


def mend() -> int:
    """Give a due time to heads that have none; returns how many. There are none unless something went wrong.

    What is to wait for longer than the schedule says is due, too: the clock was set back meanwhile.
    """
    active = select(Webhook.id).where(Webhook.state == State.ACTIVE)  # by webhook: so goes the index of what is due
    ahead = (sendable.is_pending(), Delivery.webhook_id.in_(active), Delivery.due_at > db_now(CLOCK_DRIFT))
    db.session.execute(_due_now(update(Delivery).where(*ahead, _is_impossible())))
    return lanes.mend()


def bring_forward(webhook: Webhook) -> None:
    """All heads are due, paced by the ramp, in the order of their times; the caller holds the webhook's lock."""
    db.session.execute(_due_now(_later(webhook)))


def try_first(webhook: Webhook, which: Sequence[ColumnElement[bool]]) -> None:
    """Heads that a person wants sent are due now, and so is the next probe; the caller holds the webhook's lock."""
    db.session.execute(_due_now(_later(webhook, *which).values(trigger=Trigger.MANUAL)))
    if webhook.probe_at is not None:
        webhook.probe_at = db_now()


def cancel(waiting: Sequence[Delivery]) -> None:
    """End deliveries of one webhook unsent; those behind them move up. The caller holds their locks."""
    for delivery in waiting:
        _end(delivery, Status.CANCELED)
    lanes.leave(waiting)


@prepared
def _webhook() -> Select[Webhook]:
    """A webhook, as it is now and stays until the commit."""
    locked = select(Webhook).where(Webhook.id == bindparam("it")).with_for_update(key_share=True)
    return locked.execution_options(populate_existing=True)


@prepared
def _deliveries() -> Select[Delivery]:
    """Deliveries, as they are now and stay until the commit."""
    chosen = select(Delivery).where(Delivery.id.in_(bindparam("keys", expanding=True)))
    locked = chosen.order_by(Delivery.seq).options(lazyload("*")).with_for_update(of=Delivery)
    return locked.execution_options(populate_existing=True)


def _later(webhook: Webhook, *which: ColumnElement[bool]) -> Update:
    later = select(Delivery.id).where(Delivery.webhook_id == webhook.id, sendable.is_pending(), *which)
    in_order = later.where(Delivery.due_at > db_now()).order_by(Delivery.seq).with_for_update()  # as all lock them
    return update(Delivery).where(Delivery.id.in_(in_order))


def _due_now(chosen: Update) -> Update:
    return chosen.values(due_at=db_now()).execution_options(synchronize_session=False)


def _is_impossible() -> ColumnElement[bool]:
    """SQL over Delivery: no schedule lets it wait for so long."""
    longest = enumerate(CLOCK_DRIFT + delay * (1 + pace().retry_jitter) for delay in pace().retry_schedule)
    return or_(*(and_(Delivery.step == step, Delivery.due_at > db_now(delay)) for step, delay in longest))


def _letter(delivery: Delivery, probing: bool, was_due: bool) -> Letter:
    number, now = delivery.attempts + 1, utcnow()
    trigger = Trigger.PROBE if probing and delivery.trigger == Trigger.AUTOMATIC else delivery.trigger
    own = signing.custom_headers(delivery.webhook)
    return Letter(
        delivery_id=delivery.id,
        webhook_id=delivery.webhook_id,
        number=number,
        trigger=trigger,
        was_due=was_due,
        is_probe=probing,
        url=delivery.webhook.url,
        headers=signing.request_headers(delivery, number, trigger, now) | own,
        own_headers=frozenset(own),
        body=delivery.event.body,
        started_at=now,
    )


def _without_answer(delivery: Delivery, result: Result) -> Result:
    """It was on its way when its contact was erased: nothing is kept of the answer but the facts."""
    erased = delivery.status == Status.CANCELED and delivery.event.erased_at
    return replace(result, body=b"", headers=(), reason="") if erased else result


def _veiled(text: str, letter: Letter) -> str:
    """Without the values of custom headers: some receivers send back what they got."""
    values = [letter.headers[name] for name in letter.own_headers]
    secrets = {part for value in values for part in (value, *value.split()) if len(part) >= SECRET_LENGTH}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _veiled_body(letter: Letter, body: bytes) -> bytes:
    """Only where there is something to veil: what is no UTF-8 stays as it came."""
    veiled = _veiled(body.decode("utf-8", "surrogateescape"), letter) if letter.own_headers else None
    return body if veiled is None else veiled.encode("utf-8", "surrogateescape")


def _in_turn(letters: Sequence[Letter], turn: throttle.Turn) -> list[Letter]:
    """As many as the throttle lets go; tests wait for nobody and count for nothing."""
    tests = [letter for letter in letters if letter.trigger == Trigger.TEST]
    others = [letter for letter in letters if letter.trigger != Trigger.TEST][: turn.room]
    return tests + [replace(letter, next_at=turn.after(count)) for count, letter in enumerate(others, start=1)]


def _attempt(letter: Letter, result: Result) -> dict[str, Any]:
    phases = result.phases
    return {
        "delivery_id": letter.delivery_id,
        "webhook_id": letter.webhook_id,
        "number": letter.number,
        "trigger": letter.trigger,
        "started_at": letter.started_at,
        "duration_ms": result.duration_ms,
        "url": letter.url,
        "request_headers": [
            [name, MASK if name in letter.own_headers else value] for name, value in letter.headers.items()
        ],
        "status": result.status,
        "reason": _veiled(result.reason, letter),
        "failure": result.failure,
        "response_headers": [[name, _veiled(value, letter)] for name, value in result.headers],
        "response_body": _veiled_body(letter, result.body),
        "response_length": result.length,
        "remote": result.remote,
        "phases": {name: getattr(phases, name) for name in ("dns", "connect", "tls", "first_byte", "body")},
    }


def _note(delivery: Delivery, letter: Letter, result: Result) -> None:
    delivery.attempts = max(delivery.attempts, letter.number)
    delivery.last_attempt_at, delivery.last_trigger = letter.started_at, letter.trigger
    delivery.last_status, delivery.last_failure = result.status, result.failure
    delivery.last_duration_ms = result.duration_ms


def _settle(webhook: Webhook, delivery: Delivery, letter: Letter, result: Result) -> None:
    """What the answer means for the delivery, its lanes and its webhook."""
    delivery.trigger = Trigger.AUTOMATIC
    if letter.trigger == Trigger.TEST:
        delivery.trigger = Trigger.TEST
        _end(delivery, Status.SUCCEEDED if result.ok else Status.FAILED)
    elif result.ok:
        _end(delivery, Status.SUCCEEDED)
        if webhook.probe_at is not None:  # it is back
            bring_forward(webhook)
        breaker.answers(webhook)
    else:
        _try_later(webhook, delivery, letter, result)
        breaker.fails(webhook, delivery.id, result, letter.is_probe)


def _end(delivery: Delivery, status: Status) -> None:
    delivery.status, delivery.due_at = status, None
    if status == Status.SUCCEEDED:
        delivery.succeeded_at = delivery.succeeded_at or utcnow()


def _try_later(webhook: Webhook, delivery: Delivery, letter: Letter, result: Result) -> None:
    if delivery.succeeded_at:  # a resend by hand that failed takes nothing away
        _end(delivery, Status.SUCCEEDED)
        return
    # A probe before its time says nothing of this delivery, "429, later" is no refusal, "gone" is for people to judge.
    later = result.status == 429 and result.retry_after is not None
    if not letter.was_due or later or result.failure == Failure.GONE:
        return
    delivery.step += 1
    delivery.failing_since = delivery.failing_since or utcnow()
    delay, blocks = pace().retry_delay(delivery.step), lanes.is_blocking(delivery)
    if delay is None or (blocks and _is_poisoned(webhook, delivery)):
        _end(delivery, Status.FAILED)
        return
    delivery.due_at = db_now(min(delay, _until_decision(delivery)) if blocks else delay)


def _until_decision(delivery: Delivery) -> float:
    """Seconds until it is known whether a failing head makes way for those behind it; infinite once that was asked."""
    left = ((delivery.failing_since or utcnow()) + pace().poison - utcnow()).total_seconds()
    return left if left > 0 else inf


def _is_poisoned(webhook: Webhook, delivery: Delivery) -> bool:
    """Whether a delivery has failed for an hour while its receiver took others: the fault lies in what it says."""
    since = utcnow() - pace().poison
    others_pass = not webhook.probes and webhook.answered_at is not None and webhook.answered_at > since
    return others_pass and delivery.failing_since is not None and delivery.failing_since <= since
