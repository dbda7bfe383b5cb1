"""An unsafe or unreadable start is refused with one clear line; Heroku's spellings are understood."""

from pathlib import Path

import pytest

from portal import config
from tests.system.forked import refused

PRODUCTION = {
    "SECRET_KEY": "x" * 64,
    "DATABASE_URL": "postgres://user:pw@db.example/portal",
    "REDIS_URL": "rediss://:pw@redis.example:6380",
}


@pytest.mark.parametrize("missing", list(PRODUCTION))
def test_production_refuses_to_start_without(missing: str) -> None:
    environ = {name: value for name, value in PRODUCTION.items() if name != missing}
    with pytest.raises(config.ConfigError, match=f"portal: {missing} is not set") as caught:
        config.load(environ)
    assert "\n" not in str(caught.value)


def test_production_writes_no_letters_without_the_address_that_they_lead_to() -> None:
    environ = {**PRODUCTION, "SMTP_URL": "smtp://mail.example"}
    with pytest.raises(config.ConfigError, match="portal: PORTAL_URL is not set") as caught:
        config.load(environ)
    assert "\n" not in str(caught.value)
    assert config.load({**environ, "PORTAL_URL": "https://portal.example/"})["URL"] == "https://portal.example"


@pytest.mark.parametrize(
    ("told", "hosts"),
    [
        ({}, None),
        ({"PORTAL_URL": "https://portal.example:8443/"}, ["portal.example"]),
        ({"PORTAL_URL": "https://portal.example", "PORTAL_HOSTS": "a.example, b.example"}, ["a.example", "b.example"]),
    ],
)
def test_it_answers_to_the_host_of_its_address_unless_others_are_named(
    told: dict[str, str], hosts: list[str] | None
) -> None:
    assert config.load({**PRODUCTION, **told})["TRUSTED_HOSTS"] == hosts


def test_production_takes_sqlite_only_on_purpose(tmp_path: Path) -> None:
    environ = {**PRODUCTION, "DATABASE_URL": "", "PORTAL_DATA": str(tmp_path)}
    assert config.load(environ)["SQLALCHEMY_DATABASE_URI"] == f"sqlite:///{tmp_path / 'portal.db'}"


def test_herokus_postgres_is_understood() -> None:
    assert config.load(PRODUCTION)["SQLALCHEMY_DATABASE_URI"] == "postgresql://user:pw@db.example/portal"


def test_production_reaches_no_private_network_unless_told() -> None:
    assert config.load(PRODUCTION)["ALLOWED_NETWORKS"] == ()
    told = config.load({**PRODUCTION, "PORTAL_ALLOWED_NETWORKS": "10.1.0.0/16, fd00::/8"})["ALLOWED_NETWORKS"]
    assert [str(network) for network in told] == ["10.1.0.0/16", "fd00::/8"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_ALLOWED_NETWORKS", "10.0.0.1/8"), ("PORTAL_PROXIES", "two"), ("PORTAL_URL", "portal.example"),
        ("PORTAL_URL", "https://[portal"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(config.ConfigError, match=name):
        config.load({**PRODUCTION, name: value})


def test_development_keeps_its_secret_key(tmp_path: Path) -> None:
    environ = {"PORTAL_ENV": "development", "PORTAL_DATA": str(tmp_path)}
    first, second = config.load(environ), config.load(environ)
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) == 64
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_the_socket_of_the_embedded_valkey_is_short_however_deep_the_folder() -> None:
    assert len(str(config.embedded_socket(Path("/" + "deep/" * 60)))) < 100


@pytest.mark.parametrize("command", ["flask db upgrade", "flask worker", "gunicorn app:app"])
def test_a_refused_start_is_one_line_and_no_traceback(command: str, tmp_path: Path) -> None:
    said = refused(command, {"PATH": "", "PORTAL_ENV": "production"}, tmp_path / "log")
    assert said.startswith("portal: SECRET_KEY is not set.")
    assert all("[ERROR]" in line for line in said.splitlines()[1:]), "gunicorn says that it ends, too"
