"""gunicorn's settings; it reads this file by itself."""

import gc
import os
import sys
from typing import Any

from portal.config import load as refuse_unsafe_start
from portal.logs import json_of_gunicorn

refuse_unsafe_start()  # an unsafe start is refused here, once: gunicorn would start refusing workers for ever

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"  # noqa: S104 - Heroku's router comes from outside
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gthread"
threads = 8
preload_app = True  # what is loaded once is shared, and a worker that died is replaced at once
graceful_timeout = 25
control_socket_disable = True
loglevel = "warning"
BOOT_ERROR = 3
"""The exit that ends gunicorn: after any other it would start refusing workers for ever."""
if os.environ.get("PORTAL_LOG") == "json":  # gunicorn's own lines, too, from its first one on
    logconfig_dict = json_of_gunicorn()


def pre_fork(_server: Any, _worker: Any) -> None:
    """Keep the collector's hands off what was loaded: what it touches is shared no more."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Log as PORTAL_LOG says; refuse keys that open nothing; print the token that the first sign-up asks for."""
    from portal import jobs, logs, rotation
    from portal.accounts.service import announce_signup

    logs.start(worker.wsgi)
    with worker.wsgi.app_context():
        try:
            rotation.refuse_wrong_keys()
        except SystemExit as refused:
            print(refused, file=sys.stderr, flush=True)
            sys.exit(BOOT_ERROR)
    if worker.age == 1:
        jobs.say_what_is_unchecked(worker.wsgi)
        announce_signup(worker.wsgi)
