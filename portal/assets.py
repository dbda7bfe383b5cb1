"""Static files: compressed, cached for an hour, with the headers that every page has."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from whitenoise import WhiteNoise

from . import web

OWN = ("app.css", "app.js")
"""What is edited here; what others made is compressed when it is installed."""


def init_app(app: Flask, folder: Path) -> None:
    """Serve the files of the folder before the app is asked."""
    for name in OWN:
        _compress(folder / name)
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app,
        root=str(folder),
        prefix="static/",
        max_age=3600,
        allow_all_origins=False,
        add_headers_function=_never_guess(app.config["SESSION_COOKIE_SECURE"]),
    )


def _compress(file: Path) -> None:
    """Keep a compressed copy beside the file, where WhiteNoise looks for it; anew whenever the file was edited."""
    copy = file.with_name(f"{file.name}.gz")
    if copy.exists() and copy.stat().st_mtime >= file.stat().st_mtime:
        return
    try:
        made = copy.with_suffix(f".{id(copy)}")
        made.write_bytes(gzip.compress(file.read_bytes(), mtime=0))
        made.replace(copy)  # at once: other processes start in this moment, too
    except OSError:
        return  # a folder that can't be written to: the file goes out as it is


def _never_guess(strictly: bool) -> Callable[[Any, str, str], None]:
    """What adds to files the headers that every page has; `strictly` when browsers are to speak https alone."""

    def add(headers: Any, _path: str, _url: str) -> None:
        for name, value in (*web.HEADERS.items(), *([web.STRICT] if strictly else [])):
            headers[name] = value

    return add
