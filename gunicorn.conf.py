"""gunicorn's settings; it reads this file by itself.

gunicorn itself loads nothing of the portal, only its workers do: what it would load for them, they copy piece by piece
as they use it, and one worker of its own is all that a small plan has.
"""

import gc
import logging
import os
import sys
from typing import Any

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"  # noqa: S104 - Heroku's router comes from outside
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gthread"
threads = 8
graceful_timeout = 25
control_socket_disable = True
loglevel = "warning"
BOOT_ERROR = 3
"""The exit that ends gunicorn: after any other it would start refusing workers for ever."""


class Json(logging.Formatter):
    """The portal's JSON, loaded by the first line: while all is well, gunicorn has nothing to say."""

    def format(self, record: logging.LogRecord) -> str:
        from portal.logs import as_json

        return as_json().format(record)


if os.environ.get("PORTAL_LOG") == "json":  # gunicorn's own lines, too, from its first one on
    handler = {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
    logconfig_dict = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": Json}},
        "handlers": {"console": handler},
        "root": {"level": "INFO", "handlers": ["console"]},
        "loggers": {"gunicorn.error": {"level": "WARNING", "handlers": ["console"], "propagate": False}},
    }


def post_fork(_server: Any, _worker: Any) -> None:
    """Refuse an unsafe start before the portal is loaded, which would answer with a traceback."""
    from portal import config

    try:
        config.load()
    except config.ConfigError as refusal:
        end(refusal)


def post_worker_init(worker: Any) -> None:
    """Log as PORTAL_LOG says; refuse keys that open nothing; print the token that the first sign-up asks for."""
    from portal import config, jobs, logs, rotation
    from portal.accounts.service import announce_signup

    logs.start(worker.wsgi)
    with worker.wsgi.app_context():
        try:
            rotation.refuse_wrong_keys()
        except config.ConfigError as refusal:
            end(refusal)
    if worker.age == 1:
        jobs.say_what_is_unchecked(worker.wsgi)
        announce_signup(worker.wsgi)
    gc.collect()
    gc.freeze()  # what is there now stays: nobody shall wait while it is looked through again


def end(refusal: SystemExit) -> None:
    """Say why, and end gunicorn."""
    print(refusal, file=sys.stderr, flush=True)
    sys.exit(BOOT_ERROR)
