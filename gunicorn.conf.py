"""gunicorn's settings; it reads this file by itself."""

import os
from typing import Any

from portal.config import load as refuse_unsafe_start
from portal.logs import json_of_gunicorn

refuse_unsafe_start()  # an unsafe start is refused here, once: gunicorn would start refusing workers for ever

bind = f"{os.environ.get('HOST', '0.0.0.0')}:{os.environ.get('PORT', '8000')}"  # noqa: S104 - Heroku's router comes from outside
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gthread"
threads = 8
graceful_timeout = 25
control_socket_disable = True
loglevel = "warning"
if os.environ.get("PORTAL_LOG") == "json":  # gunicorn's own lines, too, from its first one on
    logconfig_dict = json_of_gunicorn()


def post_worker_init(worker: Any) -> None:
    """Log as PORTAL_LOG says; print the token that the first sign-up of a production installation asks for."""
    from portal import logs
    from portal.accounts.service import announce_signup

    logs.start(worker.wsgi)
    if worker.age == 1:
        announce_signup(worker.wsgi)
