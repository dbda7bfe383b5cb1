"""What processes say on standard output: a readable line per thing that happened, or a JSON object on demand."""

import logging
import sys
import time

from flask import Flask
from pythonjsonlogger.json import JsonFormatter

JSON_FIELDS = {"asctime": "at", "levelname": "level", "name": "logger"}


def start(app: Flask) -> None:
    """Let this process log as PORTAL_LOG says."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(as_json() if app.config["LOG"] == "json" else logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("rq").setLevel(logging.WARNING)


def as_json() -> logging.Formatter:
    """An object per line, by the clock of UTC."""
    names = " ".join(f"%({name})s" for name in (*JSON_FIELDS, "message"))
    formatter = JsonFormatter(names, rename_fields=JSON_FIELDS)
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    formatter.converter = time.gmtime
    return formatter
