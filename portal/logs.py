"""What processes say on standard output: a readable line per thing that happened, or a JSON object on demand."""

import logging
import sys
import time
from typing import Any

from flask import Flask
from pythonjsonlogger.json import JsonFormatter

JSON_FIELDS = {"asctime": "at", "levelname": "level", "name": "logger"}


def start(app: Flask) -> None:
    """Let this process log as PORTAL_LOG says."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_json() if app.config["LOG"] == "json" else logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("rq").setLevel(logging.WARNING)


def json_of_gunicorn() -> dict[str, Any]:
    """What gunicorn takes for its own lines: JSON like the portal's."""
    handler = {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": _json}},
        "handlers": {"console": handler},
        "root": {"level": "INFO", "handlers": ["console"]},
        "loggers": {"gunicorn.error": {"level": "WARNING", "handlers": ["console"], "propagate": False}},
    }


def _json() -> logging.Formatter:
    names = " ".join(f"%({name})s" for name in (*JSON_FIELDS, "message"))
    formatter = JsonFormatter(names, rename_fields=JSON_FIELDS)
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    formatter.converter = time.gmtime
    return formatter
