"""The state machine: what may be sent now, and what an answer changes. Database only, no network.

Locks go webhook first, then deliveries in the order of `seq`; everybody who needs both keeps to it.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import inf

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.orm import lazyload

from ..among import among
from ..extensions import db, db_now, utcnow
from ..pace import pace, prepared
from . import breaker, lanes, letters, recording, sendable, throttle
from .lease import LeaseLost
from .letters import Letter
from .models import ERASED, Delivery, State, Status, Subject, Trigger, Webhook
from .outbound import Failure, Result
from .recording import Answers

CLOCK_DRIFT = 5
"""Seconds by which the clocks of two database servers, one of which takes over from the other, may differ."""


def claim(webhook_id: uuid.UUID, token: str | None, in_flight: Collection[uuid.UUID]) -> list[Letter]:
    """What the holder of the lease may send beside what is in flight: oldest first, as many as the width allows.

    Raises LeaseLost when `token` holds the webhook no more.
    """
    webhook = db.session.get_one(Webhook, webhook_id, populate_existing=True)
    if webhook.lease_token != token:
        raise LeaseLost
    return _claim(webhook, in_flight)


def record(token: str, answers: Answers) -> bool:
    """Write down attempts of one webhook and what follows from them.

    The attempts always; the states only while `token` holds the lease. Returns whether it still held.
    """
    return _record(_locked(answers), token, answers)


def record_and_claim(token: str, answers: Answers, in_flight: Collection[uuid.UUID]) -> tuple[bool, list[Letter]]:
    """Both in one transaction, as busy drains do it; nothing is claimed once the lease was lost."""
    webhook = _locked(answers)
    held = _record(webhook, token, answers)
    return held, _claim(webhook, in_flight) if held else []


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
    """Heads that a person wants sent are due now, and so is the next probe; the caller holds the webhook's lock.

    What is on its way, or about to be, is asked for as well: if that try fails, another one follows at once.
    """
    by_hand = {"trigger": Trigger.MANUAL}
    db.session.execute(_due_now(_later(webhook, *which).values(by_hand)))
    tried = _pending(webhook, *which, Delivery.attempts > 0, Delivery.due_at <= db_now())
    db.session.execute(tried.values(by_hand).execution_options(synchronize_session=False))
    if webhook.probe_at is not None:
        webhook.probe_at = db_now()


def cancel(waiting: Sequence[Delivery]) -> None:
    """End deliveries of one webhook unsent; those behind them move up. The caller holds their locks."""
    for delivery in waiting:
        _end(delivery, Status.CANCELED)
    if waiting:
        lanes.leave(waiting[0].webhook_id, [delivery.id for delivery in waiting])


@prepared
def _webhook() -> Select[Webhook]:
    """A webhook, as it is now and stays until the commit."""
    locked = select(Webhook).where(Webhook.id == bindparam("it")).with_for_update(key_share=True)
    return locked.execution_options(populate_existing=True)


@prepared
def _deliveries() -> Select[Delivery]:
    """Deliveries, as they are now and stay until the commit."""
    chosen = select(Delivery).where(among(Delivery.id, "keys"))
    locked = chosen.order_by(Delivery.seq).options(lazyload("*")).with_for_update(of=Delivery)
    return locked.execution_options(populate_existing=True)


@prepared
def _states() -> Select[Status, str]:
    """Where deliveries stand, and stay until the commit; and what they tell of, if that was erased.

    With a limit PostgreSQL looks at each one's subjects. For "exists" it may read all that there are.
    """
    erased = select(Subject.label).where(Subject.event_id == Delivery.event_id, Subject.label == ERASED).limit(1)
    chosen = select(Delivery.status, erased.scalar_subquery()).where(among(Delivery.id, "keys"))
    return chosen.order_by(Delivery.seq).with_for_update()


@prepared
def _erased() -> Select[str, uuid.UUID]:
    """Of events those contacts that were erased."""
    theirs = select(Subject.event_id, Subject.contact_id)
    return theirs.where(among(Subject.event_id, "events"), Subject.label == ERASED)


def _locked(answers: Answers) -> Webhook:
    return db.session.scalars(_webhook(), {"it": answers[0][0].webhook_id}).one()


def _claim(webhook: Webhook, in_flight: Collection[uuid.UUID]) -> list[Letter]:
    probing = webhook.probe_at is not None
    room = (1 if probing else webhook.width) - len(in_flight)
    if room <= 0 or (_may_be_closed(webhook) and not sendable.has_work(webhook.id)):
        return []
    turn = throttle.turn(webhook, db.session.scalars(select(db_now())).one()) if webhook.throttle else None
    room = min(room, max(1, turn.room)) if turn else room
    asked = {"of": webhook.id, "in_flight": in_flight, "room": room}
    written = letters.write(webhook, db.session.connection().execute(sendable.first(probing), asked).all(), probing)
    return letters.in_turn(written, turn) if turn else written


def _may_be_closed(webhook: Webhook) -> bool:
    """Whether to ask before all that is due to it is read in vain, as it is for each event that it gets meanwhile."""
    return webhook.probe_at is not None or webhook.next_at is not None or not webhook.is_active


def _record(webhook: Webhook, token: str, answers: Answers) -> bool:
    held = webhook.lease_token == token
    plain = held and webhook.probe_at is None and all(map(_is_plain, answers))
    keys = [letter.delivery_id for letter, _ in answers]
    states = db.session.connection().execute(_states(), {"keys": keys}).all() if plain else []
    if states and all(status == Status.PENDING and not erased for status, erased in states):
        recording.take(webhook.id, answers)
        breaker.answers(webhook, len(answers))
    else:
        _settle_each(webhook, keys, answers, held)
    return held


def _is_plain(answer: tuple[Letter, Result]) -> bool:
    """Whether it is what nearly all are: taken, and no test."""
    letter, result = answer
    return result.ok and letter.trigger != Trigger.TEST


def _settle_each(webhook: Webhook, keys: Sequence[uuid.UUID], answers: Answers, held: bool) -> None:
    deliveries = {delivery.id: delivery for delivery in db.session.scalars(_deliveries(), {"keys": keys})}
    recording.log(_fit_to_keep(answers, deliveries))
    for letter, result in answers:
        delivery = deliveries[letter.delivery_id]
        _note(delivery, letter, result)
        if held and delivery.status == Status.PENDING:
            _settle(webhook, delivery, letter, result)
        elif held and delivery.status == Status.CANCELED and result.ok:
            _end(delivery, Status.SUCCEEDED)  # it was on its way when somebody canceled it
    lanes.leave(webhook.id, [key for key, delivery in deliveries.items() if delivery.status != Status.PENDING])


def _fit_to_keep(answers: Answers, deliveries: Mapping[uuid.UUID, Delivery]) -> Answers:
    """Nothing but the facts of answers to what told of a contact that was erased while it was on its way."""
    events = {key: delivery.event_id for key, delivery in deliveries.items()}
    erased: dict[str, list[bytes]] = {event_id: [] for event_id in events.values()}
    for event_id, who in db.session.connection().execute(_erased(), {"events": list(erased)}):
        erased[event_id].append(str(who).encode())

    def fit(letter: Letter, result: Result) -> Result:
        told = any(who in letter.body for who in erased[events[letter.delivery_id]])
        return replace(result, body=b"", headers=(), reason="") if told else result

    return [(letter, fit(letter, result)) for letter, result in answers]


def _later(webhook: Webhook, *which: ColumnElement[bool]) -> Update:
    return _pending(webhook, *which, Delivery.due_at > db_now())


def _pending(webhook: Webhook, *which: ColumnElement[bool]) -> Update:
    mine = select(Delivery.id).where(Delivery.webhook_id == webhook.id, sendable.is_pending(), *which)
    in_order = mine.order_by(Delivery.seq).with_for_update()  # as all lock them
    return update(Delivery).where(Delivery.id.in_(in_order))


def _due_now(chosen: Update) -> Update:
    return chosen.values(due_at=db_now()).execution_options(synchronize_session=False)


def _is_impossible() -> ColumnElement[bool]:
    """SQL over Delivery: no schedule lets it wait for so long."""
    longest = enumerate(CLOCK_DRIFT + delay * (1 + pace().retry_jitter) for delay in pace().retry_schedule)
    return or_(*(and_(Delivery.step == step, Delivery.due_at > db_now(delay)) for step, delay in longest))


def _note(delivery: Delivery, letter: Letter, result: Result) -> None:
    delivery.attempts = max(delivery.attempts, letter.number)
    delivery.last_attempt_at, delivery.last_trigger = letter.started_at, letter.trigger
    delivery.last_status, delivery.last_failure = result.status, result.failure
    delivery.last_duration_ms = result.duration_ms


def _settle(webhook: Webhook, delivery: Delivery, letter: Letter, result: Result) -> None:
    """What the answer means for the delivery, its lanes and its webhook."""
    # By somebody, for one more try, while this one was on its way.
    asked = delivery.trigger == Trigger.MANUAL and letter.trigger != Trigger.MANUAL
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
        if asked and webhook.is_active:
            delivery.status, delivery.trigger, delivery.due_at = Status.PENDING, Trigger.MANUAL, db_now()
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
