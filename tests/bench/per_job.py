"""What a drain is compared with: one RQ job per delivery. `python -m tests.bench.per_job simple|forking` is a worker.

It sends by the product's own client and records the same rows, but holds no lease and looks at no lane: its lower
bound of work is lower than a drain's.
"""

import sys
import uuid
from collections.abc import Iterable

from flask import current_app
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer
from sqlalchemy import delete, insert

from portal import create_app
from portal.extensions import db, utcnow
from portal.jobs import connect
from portal.webhooks import letters, outbound
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Delivery, LaneEntry, Status

QUEUE = "bench"
CLASSES = {"simple": SimpleWorker, "forking": Worker}
connections = outbound.Connections()
"""Kept alive from job to job, unless each has a process of its own."""


def enqueue(redis: Redis, delivery_ids: Iterable[uuid.UUID]) -> None:
    """One job for each delivery."""
    queue = Queue(QUEUE, connection=redis, serializer=JSONSerializer)
    queue.enqueue_many([Queue.prepare_data(deliver, [str(one)], timeout=60, result_ttl=0) for one in delivery_ids])


def deliver(delivery_id: str) -> None:
    """The job: send, and record that it succeeded."""
    delivery = db.session.get_one(Delivery, uuid.UUID(delivery_id))
    event = delivery.event
    changes = [one.changes for one in event.subjects]
    row = (delivery.id, delivery.attempts, delivery.trigger, event.type, event.id, event.body, True, changes)
    [letter] = letters.write(delivery.webhook, [row], probing=False)
    db.session.rollback()  # no connection to the database is held during HTTP
    allowed = current_app.config["ALLOWED_NETWORKS"]
    result = outbound.send(letter.url, letter.headers, letter.body, allowed=allowed, pool=connections)
    assert result.ok, result
    db.session.execute(insert(Attempt), [letters.attempt(letter, result)])
    delivery.status, delivery.due_at, delivery.attempts = Status.SUCCEEDED, None, letter.number
    delivery.last_attempt_at, delivery.last_trigger = letter.started_at, letter.trigger
    delivery.last_status, delivery.last_duration_ms, delivery.succeeded_at = result.status, result.duration_ms, utcnow()
    db.session.execute(delete(LaneEntry).where(LaneEntry.delivery_id == letter.delivery_id))
    db.session.commit()
    db.session.remove()


def main() -> None:
    app = create_app()
    connection = connect(app.config["REDIS_URL"])
    with app.app_context():
        CLASSES[sys.argv[1]]([QUEUE], connection=connection, serializer=JSONSerializer).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
