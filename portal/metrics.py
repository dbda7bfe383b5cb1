"""`/metrics` for Prometheus. Its figures come from the database, so that each web process tells those of all processes:
nothing is counted in memory, and no disk is shared. Who asks names PORTAL_METRICS_TOKEN; without one there is no such
address.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy import case, func, select

from . import health, jobs
from .accounts.models import Workspace
from .accounts.permissions import public
from .extensions import db, db_now
from .webhooks.log_models import Attempt
from .webhooks.models import Delivery, State, Status, Webhook
from .webhooks.sendable import is_pending, is_reached

blueprint = Blueprint("metrics", __name__)

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
WINDOW_SECONDS = 300
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds until the answer: how many attempts took no longer."""
Labels = tuple[tuple[str, str], ...]
Samples = Mapping[Labels, float]


@dataclass(frozen=True, slots=True)
class Gauge:
    """One metric: its name after "portal_", what it means, and its values by their labels."""

    name: str
    meaning: str
    samples: Samples = field(default_factory=dict)


@blueprint.get("/metrics")
@public
def show() -> Response:
    """The figures of the whole installation, in the text format of Prometheus."""
    token = current_app.config["METRICS_TOKEN"]
    if not token:
        abort(404)
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()):
        return Response("The token is missing or wrong.\n", 401, {"WWW-Authenticate": "Bearer"})
    return Response("".join(map(exposed, gauges())), content_type=FORMAT)


def exposed(gauge: Gauge) -> str:
    """A metric as Prometheus reads it."""
    head = f"# HELP portal_{gauge.name} {gauge.meaning}\n# TYPE portal_{gauge.name} gauge\n"
    return head + "".join(f"portal_{gauge.name}{_labels(key)} {value:g}\n" for key, value in gauge.samples.items())


def gauges() -> Iterable[Gauge]:
    """All of them; each is one statement that an index answers, or none."""
    yield from _bells()
    yield Gauge("workers", "Worker processes that live; each of them sweeps.", _one(health.living_workers()))
    states = select(Webhook.state, func.count()).where(Webhook.state != State.DELETED).group_by(Webhook.state)
    yield Gauge("webhooks", "Webhooks by state.", _by("state", states, [State.ACTIVE, State.PAUSED]))
    failing = select(func.count()).where(Webhook.state == State.ACTIVE, Webhook.failing_since.is_not(None))
    yield Gauge("webhooks_failing", "Active webhooks whose last attempt failed.", _one(db.session.scalar(failing)))
    yield from _waiting()
    yield Gauge("deliveries_ended_5m", "Deliveries that ended within 5 minutes, by status.", _ended())
    yield from _attempts()


def _bells() -> Iterable[Gauge]:
    try:
        length: int | None = jobs.bells().queue.count
    except redis.RedisError:
        length = None
    yield Gauge("redis_up", "Whether Redis answers.", _one(length is not None))
    yield Gauge("queue_length", "Jobs that no worker has taken yet.", {} if length is None else _one(length))


def _waiting() -> Iterable[Gauge]:
    """What is to be sent. Late is what nothing holds back: no pause, no failing receiver, no
    throttle, no other in its lane."""
    counts = select(Webhook.state, func.count()).join(Delivery, Delivery.webhook_id == Webhook.id).where(is_pending())
    found = _by("state", counts.group_by(Webhook.state), [State.ACTIVE, State.PAUSED])
    yield Gauge("deliveries_waiting", "Deliveries that wait, by the state of their webhook.", found)
    created = select(func.min(Delivery.created_at)).where(Delivery.workspace_id == Workspace.id, is_pending())
    yield Gauge("oldest_waiting_seconds", "Age of the oldest delivery that waits.", _age(created, Workspace))
    due = select(func.min(Delivery.due_at)).where(Delivery.webhook_id == Webhook.id, is_pending())
    late = _age(due, Webhook, is_reached(), Webhook.throttle.is_(None))
    yield Gauge("late_seconds", "How long what could be sent at once has been waiting for a worker.", late)


def _age(first: Any, of: type[Workspace | Webhook], *conditions: Any) -> Samples:
    """Seconds since the earliest of these times, asked for each workspace or webhook: a look at the end of an index."""
    times = select(first.correlate(of).scalar_subquery().label("at")).select_from(of).where(*conditions).subquery()
    at, now = db.session.execute(select(func.min(times.c.at), db_now())).one()
    return _one(max(0.0, (now - at).total_seconds()) if at else 0)


def _ended() -> Samples:
    ended = select(Delivery.status, func.count()).where(
        Delivery.workspace_id.in_(select(Workspace.id)),
        Delivery.updated_at > db_now(-WINDOW_SECONDS),
        Delivery.status != Status.PENDING,
    )
    return _by("status", ended.group_by(Delivery.status), [one for one in Status if one != Status.PENDING])


def _attempts() -> Iterable[Gauge]:
    """Attempts of the last minutes, by how they ended and by how long they took."""
    faster = [func.sum(case((Attempt.duration_ms <= 1000 * edge, 1), else_=0)) for edge in BUCKETS]
    query = select(func.coalesce(Attempt.failure, "ok"), func.count(), *faster).where(
        Attempt.webhook_id.in_(select(Webhook.id)), Attempt.started_at > db_now(-WINDOW_SECONDS)
    )
    rows = db.session.execute(query.group_by(Attempt.failure)).all()
    outcomes: dict[Labels, float] = {(("outcome", row[0]),): row[1] for row in rows} or {(("outcome", "ok"),): 0}
    yield Gauge("attempts_5m", "Attempts of the last 5 minutes, by outcome.", outcomes)
    edges = [*map(str, BUCKETS), "+Inf"]
    sums = [sum(row[2 + i] for row in rows) for i in range(len(BUCKETS))] + [sum(row[1] for row in rows)]
    taken: dict[Labels, float] = {(("le", edge),): count for edge, count in zip(edges, sums, strict=True)}
    yield Gauge("attempt_seconds_5m", "Attempts of the last 5 minutes that took no longer, cumulative.", taken)


def _by(label: str, query: Any, known: Iterable[str]) -> Samples:
    """Counts by what they are grouped by; zero for what is known and not there."""
    counts: dict[str, int] = dict(db.session.execute(query).all())
    return {((label, str(word)),): counts.get(word, 0) for word in known}


def _one(value: float | None) -> Samples:
    return {(): float(value or 0)}


def _labels(key: Labels) -> str:
    """Their values are words of the portal's own: nothing in them has to be escaped."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in key) + "}" if key else ""
