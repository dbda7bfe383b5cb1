"""Redis over TLS: whose certificate is not by the named authority, for that host, is told nothing."""

import logging
import socket
import socketserver
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from ssl import SSLContext

import pytest
from flask import Flask

from portal import config, jobs
from tests.webhooks.outbound.authority import Authority

PRODUCTION = {"SECRET_KEY": "x" * 64, "DATABASE_URL": "postgresql://db.example/portal"}
HOST, CA = "127.0.0.1", "PORTAL_REDIS_CA"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no Redis that is refused."""
    for name in jobs.WEB_CONNECTION:
        monkeypatch.setitem(jobs.WEB_CONNECTION, name, 30)


@contextmanager
def fronted(valkey_url: str, context: SSLContext) -> Iterator[str]:
    """The address of a server that ends TLS in front of the real Valkey, as stunnel does."""

    class Front(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            inner = socket.socket(socket.AF_UNIX)
            # A client that turns away does so in the handshake.
            with suppress(OSError), inner, context.wrap_socket(self.request, server_side=True) as outer:
                inner.connect(valkey_url.removeprefix("unix://"))
                back = threading.Thread(target=pump, args=[inner, outer])
                back.start()
                pump(outer, inner)
                inner.shutdown(socket.SHUT_RDWR)
                back.join()

    with socketserver.ThreadingTCPServer((HOST, 0), Front) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        yield f"rediss://{HOST}:{server.server_address[1]}"
        server.shutdown()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes until nothing comes any more."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


def rings(url: str, **environ: str) -> bool:
    """Whether a bell reaches Redis, as a production of that environment sets it up."""
    tls = config.load({**PRODUCTION, "REDIS_URL": url, **environ})["REDIS_TLS"]
    bells = jobs.Bells(url, **tls)
    try:
        return bells.ring(uuid.uuid4())
    finally:
        bells.redis.connection_pool.disconnect()


@pytest.mark.parametrize("named_by", [lambda file: str(file), lambda file: file.read_text()], ids=["path", "text"])
def test_the_named_authority_is_asked_for_and_the_host(
    valkey_url: str, authority: Authority, tmp_path: Path, named_by: Callable[[Path], str]
) -> None:
    (tmp_path / "other").mkdir()
    mine, another = named_by(authority.file), named_by(Authority(tmp_path / "other").file)
    with fronted(valkey_url, authority.context(HOST)) as url:
        assert rings(url, **{CA: mine})
        assert not rings(url, **{CA: another})
    for wrong in (authority.context("redis.example"), authority.context(HOST, signed=False)):
        with fronted(valkey_url, wrong) as url:
            assert not rings(url, **{CA: mine})


def test_without_a_named_authority_any_certificate_will_do_and_the_start_says_so(
    app: Flask, valkey_url: str, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with fronted(valkey_url, authority.context("redis.example", signed=False)) as url:
        assert rings(url)
    for environ, lines in (({}, 1), ({CA: str(authority.file)}, 0), ({"PORTAL_ENV": "development"}, 0)):
        caplog.clear()
        app.config.update(config.load({**PRODUCTION, "REDIS_URL": "rediss://redis.example:6380", **environ}))
        with caplog.at_level(logging.WARNING):
            jobs.say_what_is_unchecked(app)
        assert caplog.text.count("certificate of Redis is not checked") == lines, environ


@pytest.mark.parametrize(
    ("url", "value"),
    [("rediss://r", "/nowhere/ca.pem"), ("rediss://r", "-----BEGIN CERTIFICATE-----"), ("redis://r", "x")],
)
def test_an_authority_that_would_check_nothing_stops_the_start(url: str, value: str) -> None:
    with pytest.raises(config.ConfigError, match=CA):
        config.load({**PRODUCTION, "REDIS_URL": url, CA: value})


def test_without_tls_there_is_nothing_to_check() -> None:
    assert config.load({**PRODUCTION, "REDIS_URL": "redis://redis.example"})["REDIS_TLS"] == {}
