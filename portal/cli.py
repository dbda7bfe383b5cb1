"""The commands: `flask up` starts everything, `flask worker` delivers, `flask receive` plays the other side."""

import gc
import itertools
import logging
import os
import platform
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import honcho.manager
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import Migrate, upgrade
from honcho.environ import parse_procfile
from honcho.printer import Printer
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from . import config, jobs, logs, receiver, rotation
from .embedded import valkey
from .extensions import db
from .webhooks import signing, tasks
from .webhooks.models import State, Webhook

STOP_SECONDS = 25
"""What a stop may take: sends in flight end within 16 s unless that was set otherwise, and Heroku kills after 30."""
SWITCH_SECONDS = 0.0005
"""How long a thread computes while others want to: an answer that came waits no longer than that to be taken."""
MEND_EVERY = 20
"""Each so many sweeps, and with the first, heads are looked for that have no due time."""
log = logging.getLogger("portal.worker")


def init_app(app: Flask) -> None:
    """Add the commands to `flask`, and what `flask db` needs to know."""
    migrations = Path(__file__).parent / "migrations"
    Migrate(app, db, directory=str(migrations), render_as_batch=True, compare_type=True)
    for command in (up, worker, receive, rotate_keys):
        app.cli.add_command(command)


@click.command()
@with_appcontext
def up() -> None:
    """Start web, worker and, unless REDIS_URL is set, an embedded Valkey; Ctrl-C stops all of it."""
    host, port = os.environ.get("HOST", "127.0.0.1"), os.environ.get("PORT", "8000")
    _refuse_taken(host, int(port))
    environment = os.environ | {"HOST": host, "PORT": port, "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    with ExitStack() as stack:
        if not os.environ.get("REDIS_URL"):
            data = current_app.config["DATA"]
            stack.enter_context(valkey(data / "valkey", config.embedded_socket(data)))
        upgrade()
        rotation.refuse_wrong_keys()
        db.session.remove()
        manager = _manager(environment)
        threading.Thread(target=_announce, args=[config.default_url(environment)], daemon=True).start()
        manager.loop()
    # 130 and 143 say "stopped by Ctrl-C" and "by SIGTERM": that is what was asked for.
    sys.exit(0 if manager.returncode in (0, None, 130, 143, -signal.SIGTERM) else manager.returncode)


@click.command()
@click.option("--threads", default=8, show_default=True, help="RQ workers in this process, one thread each.")
@with_appcontext
def worker(threads: int) -> None:
    """Deliver: RQ workers in threads, and the sweeper. More of it is one more process with the same command."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: jobs.stopping.set())
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the app behind Flask's proxy
    logs.start(app)
    jobs.say_what_is_unchecked(app)
    rotation.refuse_wrong_keys()
    sys.setswitchinterval(SWITCH_SECONDS)
    crew = Crew(app, threads)
    gc.collect()
    gc.freeze()  # what is there now stays: to look through it again and again takes a tenth of a busy worker's time
    log.info("worker %s delivers with %d threads", crew.name, threads)
    crew.work()
    log.info("worker %s stopped", crew.name)


@click.command()
@click.option("--port", default=9000, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--secret", help="The webhook's signing secret. Without it, the secrets of webhooks that point here.")
@click.option("--status", default=200, show_default=True, type=click.IntRange(200, 599), help="What to answer.")
@click.option("--delay", default=0.0, show_default=True, help="Seconds to wait before the answer.")
@with_appcontext
def receive(port: int, secret: str | None, status: int, delay: float) -> None:
    """Receive deliveries on this machine, show them and check their signatures."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the app behind Flask's proxy
    receiver.serve(port, lambda: [secret] if secret else _secrets_for(app, port), status, delay)


@click.command("rotate-keys")
@with_appcontext
def rotate_keys() -> None:
    """Seal all stored secrets with the newest of PORTAL_KEYS; then the older ones can be taken away."""
    total: Counter[str] = Counter()
    for name, counts in rotation.rotate().items():
        total += counts
        click.echo(f"{name}: {_listed(counts)}")
    if total[rotation.LOST]:
        sentence = (
            f"{total[rotation.LOST]} secrets open with no key of PORTAL_KEYS and stay as they are. Add their key."
        )
        raise config.ConfigError(sentence)
    click.echo("All that is sealed opens with the newest key. The older ones are not needed any more.")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[word]:,} {word}" for word in (rotation.ANEW, rotation.NEWEST, rotation.LOST))


class Crew:
    """The threads of one worker process. A thread that died is replaced; the sweeper runs in the main thread."""

    def __init__(self, app: Flask, size: int) -> None:
        self.app, self.size = app, size
        self.name = f"{platform.node()}:{os.getpid()}"
        tls = app.config["REDIS_TLS"]
        self.redis = jobs.connect(app.config["REDIS_URL"], socket_connect_timeout=2, socket_timeout=10, **tls)
        self.threads: list[threading.Thread] = []

    def work(self) -> None:
        """Until the process shall stop; then wait for what is in flight."""
        for turn in itertools.count():
            if jobs.stopping.is_set():
                break
            self._replace_dead()
            self._tell(tasks.sweep, turn % MEND_EVERY == 0)
            jobs.stopping.wait(self.app.config["PACE"].sweep)
        ends = time.monotonic() + STOP_SECONDS
        for thread in self.threads:
            thread.join(max(0, ends - time.monotonic()))
        self._tell(tasks.leave)

    def _replace_dead(self) -> None:
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        for _ in range(self.size - len(self.threads)):
            thread = threading.Thread(target=self._run, daemon=True)
            thread.start()
            self.threads.append(thread)

    def _run(self) -> None:
        jobs.ThreadWorker(self.app, self.redis).work(logging_level="WARNING")

    def _tell(self, task: Callable[..., None], *values: bool) -> None:
        with self.app.app_context():
            try:
                task(self.name, *values)
            except SQLAlchemyError as error:
                log.warning("the database does not answer (%s): trying again soon", type(error).__name__)
                db.session.rollback()


def _manager(environment: dict[str, str]) -> Any:
    honcho.manager.KILL_WAIT = STOP_SECONDS
    manager = honcho.manager.Manager(Printer(sys.stdout))
    processes = parse_procfile(Path(current_app.root_path, "Procfile").read_text()).processes
    for name in ("web", "worker"):
        # exec: no shell in between that would end before the process it was told to run.
        manager.add_process(name, f"exec {processes[name]}", env=environment, cwd=current_app.root_path)
    return manager


def _announce(address: str) -> None:
    """Say where to go, once it answers."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=2).close()  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.2)
        else:
            click.secho(f"\n  CloudCX is ready: {address}\n  Ctrl-C stops everything.\n", bold=True)
            return


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sentence = f"port {port} is taken. Stop what uses it, or choose another: PORT={port + 1} make run"
            raise config.ConfigError(sentence) from error


def _secrets_for(app: Flask, port: int) -> list[str]:
    """The secrets of this portal's webhooks that point to a port of this machine."""
    with app.app_context():
        found = db.session.scalars(
            select(Webhook).where(Webhook.state != State.DELETED, Webhook.url.contains(f":{port}", autoescape=True))
        )
        return [secret for webhook in found for secret in signing.secrets_of(webhook)]
