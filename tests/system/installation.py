"""A whole installation as an operator runs it: real web and worker processes, killed and stopped as in life."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.contacts.conftest import Fields

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
LIMIT_SECONDS = 90
"""Only a limit for what never comes."""
PASSWORD = "correct horse battery staple"


def until(look: Callable[[], Any], what: str, limit: float = LIMIT_SECONDS) -> Any:
    """The first true answer of `look`. Processes send no events, so this asks again and again."""
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        if found := look():
            return found
        threading.Event().wait(0.05)
    raise AssertionError(f"never came: {what}")


class Installation:
    """Web and worker processes on one database and one Redis."""

    def __init__(self, database_url: str, redis_url: str, data: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PORTAL_")},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PORTAL_ENV": "development",
            "PORTAL_DATA": str(data),
            "PORTAL_SIGNUP": "open",
            "PORTAL_WRITES_PER_MINUTE": "1000000",  # tests are faster than people are
            "PORTAL_BULK_PER_MINUTE": "1000000",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "PORTAL_URL": self.url,
            "PYTHONUNBUFFERED": "1",
        }
        self.log = data / "log.txt"
        data.mkdir(parents=True, exist_ok=True)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process of the Procfile."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def migrate(self) -> None:
        subprocess.run(["flask", "db", "upgrade"], cwd=ROOT, env=self.env, check=True, capture_output=True)

    def web(self) -> subprocess.Popen[bytes]:
        process = self.run("gunicorn", "app:app")
        until(lambda: self.health() is not None, "the web process answers")
        return process

    def worker(self) -> subprocess.Popen[bytes]:
        """Start a worker process and wait until it delivers."""
        before = self.log.read_text().count(" delivers with ") if self.log.exists() else 0
        process = self.run("flask", "worker")
        self.workers.append(process)
        until(lambda: self.log.read_text().count(" delivers with ") > before, "the worker starts")
        return process

    def health(self) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = requests.get(f"{self.url}/health", timeout=5).json()
        except requests.RequestException:
            return None
        return answer

    def stop_workers(self) -> None:
        kill(self.workers)

    def stop(self) -> None:
        kill(self.processes)


def kill(processes: list[subprocess.Popen[bytes]]) -> None:
    """End them as a power cut would."""
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    processes.clear()


@contextmanager
def installed(
    database_url: str, redis_url: str, data: Path, port: int, kind: type[Installation] | None = None
) -> Iterator[Installation]:
    """An installation with its tables; the test starts the processes that it needs."""
    installation = (kind or Installation)(database_url, redis_url, data, port)
    installation.migrate()
    try:
        yield installation
    finally:
        installation.stop()


class Browser:
    """A person who uses the pages without JavaScript: plain links and forms, CSRF included."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str) -> requests.Response:
        return self.session.get(self.url + path, timeout=30)

    def post(self, path: str, form: dict[str, Any] | None = None, page: str | None = None) -> requests.Response:
        """Open the page that holds the form, type `form` into it and send all of it, as a browser does."""
        typed = Fields(self.get(page or path).text).values | (form or {})
        return self.session.post(self.url + path, data=typed, timeout=30)

    def sign_up(self, email: str = "dana@example.com") -> None:
        form = {"workspace": "Harbour Support", "name": "Dana Whitfield", "email": email, "password": PASSWORD}
        answer = self.post("/signup", form)
        assert answer.status_code == 200, answer.text

    def create_webhook(self, url: str, *events: str) -> str:
        """Register a webhook for these events, or for all; returns its secret, which is shown this once."""
        chosen = events or ("ContactCreated", "ContactUpdated", "ContactDeleted")
        answer = self.post("/apps/webhooks/new", {"url": url, **dict.fromkeys(chosen, "y")})
        secret = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.text)
        assert secret, answer.text
        return secret.group()

    def create_contact(self, **form: str) -> str:
        """Make a contact; returns its id."""
        answer = self.post("/contacts/new", form)
        found = re.search(r"/contacts/([0-9a-f-]{36})$", answer.url)
        assert found, answer.text
        return found.group(1)
