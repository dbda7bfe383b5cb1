"""Web and worker processes that start in milliseconds: forked from one that has imported the portal already.

Tests start dozens of them and a storm hundreds, and a start from nothing costs a second of computing. What runs in them
is what the commands `flask worker`, `rq worker` and `gunicorn app:app` run; each has a process group of its own.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import gunicorn.app.wsgiapp
import gunicorn.workers.gthread
import rq.cli
from argon2 import PasswordHasher
from flask import cli
from sqlalchemy.orm import configure_mappers

from portal.accounts import passwords, second_step  # with them the portal: imported once, before the fork
from tests.chaos import clock
from tests.system.installation import LIMIT_SECONDS, ROOT, Installation

LIFE_SECONDS = 1200
"""Nobody lives longer, even when the one who would end it is gone."""
configure_mappers()  # before the fork, too
ENTRIES: dict[str, Callable[[], object]] = {
    "flask": cli.main, "gunicorn": gunicorn.app.wsgiapp.run, "rq": rq.cli.main,
}  # fmt: skip
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

    def terminate(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        self.process.join()

    def is_ready(self) -> bool:
        """Whether a worker has said that it delivers."""
        return self.log.exists() and b" delivers with " in self.log.read_bytes()


def refused(command: str, env: Mapping[str, str], log: Path) -> str:
    """All that this command says before it ends with an error, as it is meant to."""
    process = Forked(tuple(command.split()), env, log)
    assert process.wait(LIMIT_SECONDS), log.read_text()
    return log.read_text()


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
    hash_at_little_cost()
    sys.argv = list(command)
    sys.exit(ENTRIES[command[0]]())


def hash_at_little_cost() -> None:
    """Take a thousandth of the time for a password: most of what a sign-up costs is meant to cost, but not a test."""
    for module in (passwords, second_step):
        module.hasher = PasswordHasher(time_cost=1, memory_cost=64)
    passwords.NOBODY = passwords.hashed("nobody")


class Quick(Installation):
    """An installation whose processes start so."""

    def run(self, *command: str) -> Forked:  # type: ignore[override]  # shown as a Popen is
        process = Forked(command, self.env, self.log)
        self.processes.append(process)  # type: ignore[arg-type]
        return process

    def migrate(self) -> None:
        """Make the tables, in a process that starts as fast as the others."""
        process = self.run("flask", "db", "upgrade")
        assert process.wait() == 0, process.log.read_text()
        self.processes.clear()
