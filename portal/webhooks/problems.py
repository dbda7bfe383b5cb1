"""Problems: failures grouped by webhook and cause. One opens with the first failure, and is gone when nothing waits
because of it any more and nothing was given up because of it lately."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select, text

from ..extensions import db, utcnow
from .models import TROUBLED, Delivery, Status, Trigger, Webhook
from .outbound import Failure, explain

LATELY = timedelta(days=7)
"""For so long what was given up is shown as a problem; the log has it for longer."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause at one webhook: `waiting` are tried again, `failed` were given up."""

    webhook: Webhook
    failure: str
    status: int | None
    since: datetime
    waiting: int
    failed: int

    @property
    def is_down(self) -> bool:
        """Whether its receiver takes nothing just now."""
        return self.webhook.failing_since is not None and self.webhook.probe_at is not None

    @property
    def next_try(self) -> datetime | None:
        """When the next one is sent to find out whether it is back."""
        return self.webhook.probe_at if self.webhook.is_active else None

    @property
    def title(self) -> str:
        """The cause in a few words."""
        return explain(self.failure, self.status).title

    @property
    def advice(self) -> str:
        """What happened and what to do."""
        return explain(self.failure, self.status).advice

    @property
    def result(self) -> str:
        """The log's filter that finds its deliveries."""
        return str(self.status) if self.failure == Failure.HTTP_ERROR and self.status else self.failure


def of(webhooks: Collection[Webhook]) -> list[Problem]:
    """The problems of these webhooks, the one with the most deliveries first."""
    named = {webhook.id: webhook for webhook in webhooks}
    is_waiting = Delivery.status == Status.PENDING
    waiting = func.count().filter(is_waiting)
    since = func.min(func.coalesce(Delivery.failing_since, Delivery.last_attempt_at))
    given_up = and_(Delivery.status == Status.FAILED, Delivery.last_attempt_at > utcnow() - LATELY)
    query = (
        select(Delivery.webhook_id, Delivery.last_failure, Delivery.last_status, since, waiting, func.count())
        .where(Delivery.webhook_id.in_(named), text(TROUBLED), Delivery.trigger != Trigger.TEST)
        .where(or_(is_waiting, given_up))
        .group_by(Delivery.webhook_id, Delivery.last_failure, Delivery.last_status)
        .order_by(func.count().desc(), since)
        .limit(SHOWN)
    )
    return [
        Problem(named[key], failure or "", status, at, waits, count - waits)
        for key, failure, status, at, waits, count in db.session.execute(query)
    ]
