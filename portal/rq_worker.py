"""RQ's own command delivers, too, beside at least one `flask worker`, whose sweeper makes retries happen:

rq worker --url "$REDIS_URL" --worker-class portal.rq_worker.Worker
"""

import redis

from . import create_app, jobs, logs, rotation


class Worker(jobs.AppWorker):
    """An RQ worker in a process of its own: one webhook at a time. Of RQ's options it takes name and URL."""

    def __init__(self, _queues: object, name: str, connection: redis.Redis, **_options: object) -> None:
        app = create_app()
        logs.start(app)
        jobs.say_what_is_unchecked(app)
        with app.app_context():
            rotation.refuse_wrong_keys()
        super().__init__(app, connection, name=name)

    def handle_warm_shutdown_request(self) -> None:
        """The drain at work hands over."""
        jobs.stopping.set()
