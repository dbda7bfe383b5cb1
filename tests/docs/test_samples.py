"""Every sample of docs/receiving.md whose language is on the machine: it accepts a true delivery and nothing else."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from portal import create_app
from portal.contacts import service as contacts
from portal.docs.rendering import PLACEHOLDER
from portal.extensions import db
from portal.webhooks import signing, tasks
from portal.webhooks.log_models import Attempt
from portal.webhooks.models import Event, Webhook
from tests.conftest import settings
from tests.docs.reading import code
from tests.system.conftest import free_port
from tests.system.installation import kill, until
from tests.webhooks.making import make_webhook, make_workspace

pytestmark = pytest.mark.xdist_group("samples")  # started once

SECRET, OTHER = signing.new_secret(), signing.new_secret()
LINES = 35
"""Of a sample, without blank lines and imports: whoever reads it should see all of it at once."""


@dataclass(frozen=True)
class Language:
    """How people start the sample: saved as `file`, prepared by `build` if need be, run by `run`."""

    file: str
    run: tuple[str, ...]
    build: tuple[str, ...] = ()


SAMPLES = {
    "Python": Language("receiver.py", (sys.executable, "receiver.py")),
    "JavaScript": Language("receiver.mjs", ("node", "receiver.mjs")),
    "PHP": Language("receiver.php", ("php", "-S", "127.0.0.1:{port}", "receiver.php")),
    "Ruby": Language("receiver.rb", ("ruby", "receiver.rb")),
    "Go": Language("receiver.go", ("./receiver",), ("go", "build", "receiver.go")),
    "Java": Language("Receiver.java", ("java", "Receiver.java")),
}
HERE = [name for name, language in SAMPLES.items() if shutil.which((language.build or language.run)[0])]
"""Those that this machine can run."""


@dataclass(frozen=True)
class Server:
    """A sample at work, and all that it has printed."""

    url: str
    log: Path

    def post(self, headers: dict[str, str], body: bytes) -> int:
        return requests.post(self.url, body, headers=headers, timeout=30).status_code


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Each sample, started as its readers start it; they all start side by side."""
    processes: list[subprocess.Popen[bytes]] = []
    started = {name: start(SAMPLES[name], name, tmp_path_factory.mktemp(name), processes) for name in HERE}
    try:
        for name, server in started.items():
            until(lambda at=server: listens(at), f"the sample in {name} listens")
        yield started
    finally:
        kill(processes)


def start(language: Language, name: str, folder: Path, processes: list[subprocess.Popen[bytes]]) -> Server:
    port, log = free_port(), folder / "log.txt"
    (folder / language.file).write_text(code(name), "utf-8")
    if language.build:
        subprocess.run(language.build, cwd=folder, check=True)
    command = [part.format(port=port) for part in language.run]
    env = os.environ | {"WEBHOOK_SECRET": SECRET, "PORT": str(port), "TMPDIR": str(folder)}
    with log.open("wb") as out:
        processes.append(subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=out, start_new_session=True))
    return Server(f"http://127.0.0.1:{port}/webhooks", log)


def listens(server: Server) -> bool:
    port = int(server.url.split(":")[2].split("/")[0])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Delivered:
    """What the engine sent, and what the sample answered."""

    status: int | None
    headers: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def delivered(
    servers: dict[str, Server],
    empty_databases: dict[str, str],
    valkey_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Delivered]:
    """One contact is made in a portal that has a webhook for each sample, and the worker's own code delivers it."""
    folder = tmp_path_factory.mktemp("portal")
    copy = shutil.copy(empty_databases["sqlite"].removeprefix("sqlite:///"), folder / "portal.db")
    app = create_app(settings(f"sqlite:///{copy}", valkey_url, folder))
    with app.app_context():
        workspace = make_workspace()
        webhooks = {name: make_webhook(workspace, server.url) for name, server in servers.items()}
        for webhook in webhooks.values():
            webhook.secret = signing.seal(SECRET)
        contacts.create(workspace, {"first_name": "Tomás", "last_name": "\u6771 🙂", "email": "t@acme.example"}, "Dana")
        db.session.commit()
        taken = {name: deliver(webhook) for name, webhook in webhooks.items()}
        db.session.remove()
        db.engine.dispose()
        app.extensions["bells"].redis.close()
    return taken


def deliver(webhook: Webhook) -> Delivered:
    tasks.drain(str(webhook.id))
    attempt = db.session.scalars(db.select(Attempt).where(Attempt.webhook_id == webhook.id)).one()
    headers = dict(attempt.request_headers)
    return Delivered(attempt.status, headers, db.session.get_one(Event, headers["webhook-id"]).body)


def signed(headers: dict[str, str], body: bytes, secret: str, age: int = 0, sign: str = "") -> dict[str, str]:
    """The headers, signed again as of `age` seconds ago."""
    at = int(time.time()) - age
    signature = signing.sign(secret, headers["webhook-id"], at, body)
    return headers | {"webhook-timestamp": str(at), "webhook-signature": f"{sign}{signature}"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_can_be_read_at_a_glance(name: str) -> None:
    lines = [line for line in code(name).splitlines() if line.strip()]
    assert SAMPLES[name].file in lines[0], "its first line says how to save and start it"
    imports = ("import ", "require ", "from ", '\t"', ")")
    assert sum(not line.startswith(imports) for line in lines) <= LINES
    assert max(map(len, lines)) <= 125


@pytest.mark.parametrize("name", HERE)
def test_a_true_delivery_is_accepted(delivered: dict[str, Delivered], name: str) -> None:
    assert delivered[name].status == 204
    assert "Tomás".encode() in delivered[name].body


@pytest.mark.parametrize("name", HERE)
def test_a_changed_byte_is_refused(servers: dict[str, Server], delivered: dict[str, Delivered], name: str) -> None:
    one = delivered[name]
    assert servers[name].post(one.headers, one.body.replace(b"Tom", b"Tim")) == 400
    assert servers[name].post(one.headers, one.body + b" ") == 400


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("age", [330, -330])
def test_a_timestamp_far_off_is_refused_although_it_is_signed(
    servers: dict[str, Server], delivered: dict[str, Delivered], name: str, age: int
) -> None:
    one = delivered[name]
    assert servers[name].post(signed(one.headers, one.body, SECRET, age), one.body) == 400


@pytest.mark.parametrize("name", HERE)
def test_a_wrong_secret_is_refused(servers: dict[str, Server], delivered: dict[str, Delivered], name: str) -> None:
    one = delivered[name]
    assert servers[name].post(signed(one.headers, one.body, OTHER), one.body) == 400


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused_and_does_not_end_the_receiver(
    servers: dict[str, Server], delivered: dict[str, Delivered], name: str, missing: str
) -> None:
    one = delivered[name]
    without = {key: value for key, value in one.headers.items() if key != missing}
    assert servers[name].post(without, one.body) == 400
    assert servers[name].post(one.headers | {missing: ""}, one.body) == 400
    assert servers[name].post(one.headers, one.body) == 204


@pytest.mark.parametrize("name", HERE)
def test_one_of_two_signatures_is_enough_while_the_secret_is_changed(
    servers: dict[str, Server], delivered: dict[str, Delivered], name: str
) -> None:
    one = delivered[name]
    foreign = signed(one.headers, one.body, OTHER)["webhook-signature"]
    both = signed(one.headers, one.body, SECRET, sign=f"{foreign} ")
    assert both["webhook-signature"].count("v1,") == 2
    assert servers[name].post(both, one.body) == 204
    turned = both | {"webhook-signature": " ".join(reversed(both["webhook-signature"].split()))}
    assert servers[name].post(turned, one.body) == 204


@pytest.mark.parametrize("name", HERE)
def test_an_event_that_comes_again_is_handled_once(
    servers: dict[str, Server], delivered: dict[str, Delivered], name: str
) -> None:
    one = delivered[name]
    for _ in range(2):
        assert servers[name].post(one.headers, one.body) == 204
    assert servers[name].log.read_text("utf-8").count("ContactCreated") == 1


@pytest.mark.parametrize("shell", ["bash"] if all(map(shutil.which, ("bash", "curl", "openssl"))) else [])
def test_the_command_for_trying_signs_as_the_portal_does(servers: dict[str, Server], shell: str) -> None:
    command = code("curl").replace(PLACEHOLDER, servers["Python"].url)
    for secret, status in ((SECRET, b"204"), (OTHER, b"400")):
        done = subprocess.run([shell, "-c", command], env=os.environ | {"WEBHOOK_SECRET": secret}, capture_output=True)
        assert done.stdout.split()[1] == status, done.stderr
