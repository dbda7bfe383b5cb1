"""RQ: the queue, the bell that wakes a worker, and the worker class.

The database is the schedule and RQ is only the bell: whatever is lost here, the sweeper rings again.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import redis
from flask import Flask, current_app
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from .extensions import db

QUEUE = "portal"
DRAIN, BULK = "portal.webhooks.tasks.drain", "portal.webhooks.bulk.work"
ALARMS, MAIL, PRUNE = "portal.webhooks.alarms.look", "portal.mail.post", "portal.retention.work"
CONTACTS, TRASH = "portal.contacts.bulk.work", "portal.contacts.trash.empty"
IMPORT = "portal.importing.work.work"
ALLOWED = {DRAIN, ALARMS, MAIL, PRUNE, TRASH}
UNFINISHED: dict[str, Callable[[], Iterable[uuid.UUID]]] = {}
"""Work in slices: its function, and who tells the rows that are not done. The sweeper rings for them."""
BELL_SECONDS = 60
"""A bell that nobody answers is forgotten after this long, so that it can ring again."""
JOB_SECONDS = 120
"""A drain hands over after 5 s and its last sends end within 15 s: what takes longer is stuck."""
FAILURE_SECONDS = 3600
SILENCE_SECONDS = 5
"""After a failure Redis is left alone for this long, so that no save waits for it again and again."""
WEB_CONNECTION: dict[str, Any] = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
"""Saving a contact must not wait for a Redis that is away or silent: a quarter of a second, and no second try."""
BELL_CONNECTIONS, LIMIT_CONNECTIONS = 3, 3
"""Of a process that answers pages; with the three, eight and one of a worker they are the 18 of a small plan."""
IDLE_SECONDS = 1
"""How long an idle worker waits for a job before it looks whether to stop."""

Unfinished = Callable[[], Iterable[uuid.UUID]]

log = logging.getLogger("portal.jobs")
stopping = threading.Event()
"""Set once when this worker process shall end: idle workers stop, drains hand over."""


class AllowedJob(Job):
    """A job that runs none but our functions, whoever wrote it into Redis."""

    @property
    def func(self) -> Any:
        """The function to run. Raises NoSuchJobError for any that is not ours."""
        if self.func_name not in ALLOWED:
            raise NoSuchJobError(f"{self.func_name} is not a job of this portal")
        return super().func

    def perform(self) -> Any:
        """Run it, and leave no transaction open: what RQ tells Redis afterwards may take long, and SQLite's one write
        lock would be held meanwhile."""
        try:
            return super().perform()
        finally:
            db.session.rollback()


class Bells:
    """Rings for webhooks and bulks from one process; keeps quiet for a while when Redis does not answer."""

    def __init__(self, url: str, **tls: str) -> None:
        self.redis = connect_shortly(url, BELL_CONNECTIONS, **tls)
        self.queue = Queue(QUEUE, connection=self.redis, serializer=JSONSerializer, job_class=AllowedJob)
        self.silent_until = 0.0
        self.later: dict[uuid.UUID, float] = {}
        self.changed = threading.Condition()

    def ring(self, subject: uuid.UUID, function: str = DRAIN, key: str = "bell", seconds: int = BELL_SECONDS) -> bool:
        """Wake a worker that calls the function with a webhook's or a bulk's id, unless a bell rings for it already.

        False when Redis did not answer.
        """
        if time.monotonic() < self.silent_until:
            return False
        try:
            self._enqueue(f"{key}:{subject}", seconds, function, str(subject))
        except redis.RedisError as error:
            self.silent_until = time.monotonic() + SILENCE_SECONDS
            log.warning("Redis does not answer (%s): the sweeper of a worker will ring instead", type(error).__name__)
            return False
        return True

    def ring_in(self, seconds: float, subject: uuid.UUID) -> None:
        """Ring for a webhook at a time that is known; a sweeper rings if this process dies before."""
        with self.changed:
            if not self.later:
                threading.Thread(target=self._ring_later, name="ring-later", daemon=True).start()
            self.later[subject] = time.monotonic() + seconds
            self.changed.notify()

    def _ring_later(self) -> None:
        """Until nothing is left to ring for later."""
        with self.changed:
            while self.later:
                subject, at = min(self.later.items(), key=itemgetter(1))
                if (seconds := at - time.monotonic()) > 0:
                    self.changed.wait(seconds)
                else:
                    self.ring(subject)
                    del self.later[subject]

    def answered(self, subject: uuid.UUID, *keys: str) -> None:
        """Take the bell, and those of other `keys`, down before looking for work: what is due later rings again."""
        try:
            self.redis.delete(*(f"{key}:{subject}" for key in ("bell", *keys)))
        except redis.RedisError as error:
            log.warning("Redis does not answer (%s): the bell goes out by itself", type(error).__name__)

    def _enqueue(self, key: str, seconds: int, function: str, argument: str) -> None:
        """Set the key and enqueue, both or neither; nothing when the key stands already."""
        with self.redis.pipeline() as pipe:
            try:
                pipe.watch(key)  # type: ignore[no-untyped-call]
                if pipe.exists(key):
                    return
                pipe.multi()
                pipe.set(key, 1, ex=seconds)
                self.queue.enqueue_call(
                    function, [argument], timeout=JOB_SECONDS, result_ttl=0, failure_ttl=FAILURE_SECONDS, pipeline=pipe
                )
                pipe.execute()
            except redis.WatchError:
                return  # another process rang in the same moment


class AppWorker(SimpleWorker):
    """An RQ worker on our one queue, whatever the command line said: JSON only, our functions only."""

    def __init__(self, app: Flask, connection: redis.Redis, **options: Any) -> None:
        queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer, job_class=AllowedJob)
        super().__init__([queue], connection=connection, serializer=JSONSerializer, job_class=AllowedJob, **options)
        self.app = app
        self.log_job_description = False

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run the job in an app context of its own, and so with a database session of its own."""
        with self.app.app_context():
            return super().perform_job(job, queue, execution)

    def handle_job_failure(
        self, job: Job, queue: Queue, started_job_registry: Any = None, exc_string: str = "",
        execution: Execution | None = None,
    ) -> None:  # fmt: skip
        """Let Redis know that it failed, and not why: the log says that, and a traceback may quote people's data."""
        super().handle_job_failure(job, queue, started_job_registry, "", execution)


class ThreadWorker(AppWorker):
    """One that lives in a thread beside others (the names with an underscore are private to rq 3.0.0)."""

    death_penalty_class = TimerDeathPenalty  # a thread gets no SIGALRM
    max_connection_wait_time = 2.0

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Wait for a job, and look every few seconds whether to stop: RQ's own wait looks nowhere."""
        while not stopping.is_set():
            if found := super().dequeue_job_and_maintain_ttl(IDLE_SECONDS, IDLE_SECONDS):
                return found
        return None

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Beat; without Redis RQ would try for ever, so that is a place to stop, too."""
        try:
            super().heartbeat(timeout, pipeline)
        except redis.RedisError:
            if stopping.is_set():
                raise StopRequested from None
            raise

    def _install_signal_handlers(self) -> None:
        """Signals belong to the process, not to a thread."""

    def procline(self, message: str) -> None:
        """The process keeps its name."""

    def subscribe(self) -> None:
        """No pubsub: it would cost a connection and a thread for each worker."""

    def unsubscribe(self) -> None:
        """Nothing to undo."""


def in_slices(function: str, unfinished: Callable[[], Iterable[uuid.UUID]]) -> None:
    """Make a function a job that does a row's work in slices; the sweeper rings for what is `unfinished`."""
    ALLOWED.add(function)
    UNFINISHED[function] = unfinished


def init_app(app: Flask) -> None:
    """Give the app its bells, and Flask-Limiter its connections: it would take one for each thread of web."""
    url, tls = app.config["REDIS_URL"], app.config["REDIS_TLS"]
    app.extensions["bells"] = Bells(url, **tls)
    pool = connect_shortly(url, LIMIT_CONNECTIONS, **tls).connection_pool
    app.config.setdefault("RATELIMIT_STORAGE_URI", _limiter_storage(url))
    app.config.setdefault("RATELIMIT_STORAGE_OPTIONS", {"connection_pool": pool})


def say_what_is_unchecked(app: Flask) -> None:
    """Tell the operator, once a start, that somebody between here and Redis could pass for it."""
    if app.config["PRODUCTION"] and app.config["REDIS_TLS"].get("ssl_cert_reqs") == "none":
        log.warning("The certificate of Redis is not checked. PORTAL_REDIS_CA can name the authority that signed it.")


def bells() -> Bells:
    """The running app's bells."""
    found: Bells = current_app.extensions["bells"]
    return found


def connect(url: str, pool: type[redis.ConnectionPool] = redis.ConnectionPool, **options: Any) -> redis.Redis:
    """A client with its own pool."""
    return redis.Redis(connection_pool=pool.from_url(url, **options))


def connect_shortly(url: str, connections: int, **tls: str) -> redis.Redis:
    """A client with few connections, which small plans count, and a short wait for one: a ring takes a millisecond."""
    few = {"max_connections": connections, "timeout": WEB_CONNECTION["socket_timeout"]}
    return connect(url, redis.BlockingConnectionPool, **WEB_CONNECTION, **few, **tls, retry=Retry(NoBackoff(), 0))


def _limiter_storage(url: str) -> str:
    """The same Redis, in the spelling of Flask-Limiter's storage."""
    return f"redis+{url}" if url.startswith("unix://") else url
