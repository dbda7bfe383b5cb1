"""Web and worker processes that start in milliseconds: forked from one that has imported the portal already.

A storm kills hundreds of them, and a start from nothing costs a second of computing. What runs in them is what the
commands `flask worker` and `gunicorn app:app` run; each has a process group, a log and a folder of its own.
"""

import itertools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import gunicorn.app.wsgiapp
import gunicorn.workers.gthread
from flask import cli
from sqlalchemy.orm import configure_mappers

import portal  # noqa: F401 - imported once, before the fork
from tests.chaos import clock
from tests.system.installation import ROOT, Installation, until

LIFE_SECONDS = 1200
"""Nobody lives longer, even when the one who would end it is gone."""
configure_mappers()  # before the fork, too
ENTRIES: dict[str, Callable[[], object]] = {"flask": cli.main, "gunicorn": gunicorn.app.wsgiapp.run}
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


class Forked:
    """A process, as `subprocess.Popen` shows one."""

    def __init__(self, command: tuple[str, ...], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.process = CONTEXT.Process(target=become, args=(command, dict(env), str(log)))
        self.process.start()
        self.pid: int = self.process.pid or 0

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self.process.join(timeout)
        return self.process.exitcode

    def signal(self, name: signal.Signals) -> None:
        """Send a signal to the whole group: gunicorn has children."""
        os.killpg(self.pid, name)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.process.join()

    def is_ready(self) -> bool:
        """Whether a worker has said that it delivers."""
        return self.log.exists() and b" delivers with " in self.log.read_bytes()


def become(command: tuple[str, ...], env: dict[str, str], log: str) -> None:
    """Be the process that this command starts."""
    os.setsid()
    signal.alarm(LIFE_SECONDS)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    clock.install(env.get(clock.VARIABLE))
    sys.argv = list(command)
    sys.exit(ENTRIES[command[0]]())


class Machines(Installation):
    """An installation spread over machines: its processes share the database, Redis and the keys, but no folder."""

    def __init__(self, database_url: str, redis_url: str, data: Path, port: int, numbers: Mapping[str, str]) -> None:
        super().__init__(database_url, redis_url, data, port)
        self.data = data
        self.env |= {"SECRET_KEY": "chaos", **numbers}
        self.names = itertools.count(1)

    def run(self, *command: str) -> Forked:  # type: ignore[override]  # shown as a Popen is
        """Start a process on a machine of its own."""
        folder = self.data / f"{next(self.names)}-{command[0]}"
        folder.mkdir(parents=True)
        process = Forked(command, self.env | {"PORTAL_DATA": str(folder)}, folder / "log.txt")
        self.processes.append(process)  # type: ignore[arg-type]
        return process

    def web(self) -> Forked:  # type: ignore[override]
        """Start the web process; it answers soon."""
        return self.run("gunicorn", "app:app")

    def worker(self) -> Forked:  # type: ignore[override]
        """Start a worker process; it delivers soon."""
        return self.run("flask", "worker")

    def await_web(self) -> None:
        until(lambda: self.health() is not None, "the web process answers")
