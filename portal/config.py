"""Every setting, its default and its reason. Read once, from the environment; an unsafe production start is refused."""

import base64
import hashlib
import ipaddress
import os
import secrets
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy.engine import make_url

from .pace import Pace

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]

LOOPBACK = "127.0.0.0/8,::1/128"
MAX_FORM_BYTES = 1024 * 1024
BUSY_SECONDS = 15
"""How long a SQLite writer waits for the one write lock before it gives up."""
POOL_SIZE = 5
"""Database connections a process may hold: web and one worker fit into the 20 of a small plan."""


class ConfigError(SystemExit):
    """A start that would be unsafe or can't work; its text is the one line the operator reads."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"portal: {sentence}")


def load(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Flask's configuration from the environment.

    Raises ConfigError when production lacks what it needs of its own, or when a value can't be read.
    """
    production, url = environ.get("PORTAL_ENV", "production") != "development", _url(environ)
    data = Path(environ.get("PORTAL_DATA") or "instance").resolve()
    if production:
        _refuse_unsafe(environ)
    secret_key = environ.get("SECRET_KEY") or _kept_secret(data / "secret_key")
    database_url = _database_url(environ, data)
    return {
        "PRODUCTION": production,
        "DATA": data,
        "SECRET_KEY": secret_key,
        "SQLALCHEMY_DATABASE_URI": database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(database_url),
        "REDIS_URL": environ.get("REDIS_URL") or f"unix://{embedded_socket(data)}",
        "REDIS_TLS": _redis_tls(environ),
        "ENCRYPTION_KEYS": _encryption_keys(environ, secret_key),
        # Networks that deliveries may reach although they are not public: receivers under development are on loopback.
        "ALLOWED_NETWORKS": _networks(environ.get("PORTAL_ALLOWED_NETWORKS", "" if production else LOOPBACK)),
        "PACE": _pace(environ),
        "LOG": _one_of(environ, "PORTAL_LOG", ("text", "json")),
        "SIGNUP": _one_of(environ, "PORTAL_SIGNUP", ("first", "open")),
        # The address that people and receivers see; without it, the one that the browser asked for.
        "URL": url,
        # Where letters go out; without it none are written.
        "SMTP_URL": environ.get("SMTP_URL", ""),
        # What Prometheus has to name at /metrics; without it there is no such address.
        "METRICS_TOKEN": environ.get("PORTAL_METRICS_TOKEN", ""),
        "PROXIES": _whole_number(environ, "PORTAL_PROXIES", 0),
        "TRUSTED_HOSTS": _hosts(environ, url),
        # What one person may ask for in one workspace: more than a human or an orderly script does, and less than one
        # gone wild. Whoever develops against the portal may hurry.
        "WRITES_PER_MINUTE": _whole_number(environ, "PORTAL_WRITES_PER_MINUTE", 1_200 if production else 60_000),
        "BULK_PER_MINUTE": _whole_number(environ, "PORTAL_BULK_PER_MINUTE", 60 if production else 3_000),
        "SIGNUPS_PER_HOUR": 20 if production else 1_000,  # from one network
        # A fixed window would let twice as many tries through around its edge.
        "RATELIMIT_STRATEGY": "moving-window",
        "MAX_CONTENT_LENGTH": MAX_FORM_BYTES,
        "MAX_FORM_MEMORY_SIZE": MAX_FORM_BYTES,
        # A page left open over lunch must still save: the token lives as long as the session.
        "WTF_CSRF_TIME_LIMIT": None,
        # Behind a proxy that ends TLS the browser still speaks https, so the cookie may insist on it.
        "SESSION_COOKIE_SECURE": url.startswith("https://"),
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }


def default_url(environ: Mapping[str, str]) -> str:
    """The address of this installation when PORTAL_URL does not say it."""
    return f"http://{environ.get('HOST', '127.0.0.1')}:{environ.get('PORT', '8000')}"


def embedded_socket(data: Path) -> Path:
    """Where the embedded Valkey listens: a short path, for sockets end at about 107 characters."""
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir(), f"cloudcx-{os.getuid()}-{digest}", "valkey.sock")


def _refuse_unsafe(environ: Mapping[str, str]) -> None:
    if not environ.get("SECRET_KEY"):
        raise ConfigError("SECRET_KEY is not set. Production needs a long random one, the same on every machine.")
    if not environ.get("DATABASE_URL") and not environ.get("PORTAL_DATA"):
        raise ConfigError("DATABASE_URL is not set. Production needs PostgreSQL (with PORTAL_DATA set, SQLite there).")
    if not environ.get("REDIS_URL"):
        raise ConfigError("REDIS_URL is not set. Production needs a Redis or Valkey that web and workers share.")
    if environ.get("SMTP_URL") and not environ.get("PORTAL_URL"):
        # Whoever asks for a new password could else choose the host to which the letter's link leads.
        raise ConfigError("PORTAL_URL is not set. With SMTP_URL production needs the address that letters lead to.")


def _url(environ: Mapping[str, str]) -> str:
    url = environ.get("PORTAL_URL", "").rstrip("/")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address = False
    if url and not is_address:
        raise ConfigError("PORTAL_URL is no address such as https://portal.example.com.")
    return url


def _hosts(environ: Mapping[str, str], url: str) -> list[str] | None:
    """The hosts to answer to: without PORTAL_HOSTS that of the address. None: all, for nobody said which it is."""
    return _words(environ.get("PORTAL_HOSTS", "")) or ([str(urlsplit(url).hostname)] if url else None)


def _kept_secret(file: Path) -> str:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()


def _database_url(environ: Mapping[str, str], data: Path) -> str:
    url = environ.get("DATABASE_URL") or f"sqlite:///{data / 'portal.db'}"
    # Heroku still says postgres://, which SQLAlchemy does not know; "postgresql" is psycopg 3 there.
    return "postgresql://" + url.removeprefix("postgres://") if url.startswith("postgres://") else url


def engine_options(url: str) -> dict[str, Any]:
    """How SQLAlchemy connects to that database, and what its errors say."""
    options: dict[str, Any] = {"pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": 30}
    options["hide_parameters"] = True  # errors are logged, and what is saved are people's data
    is_sqlite = make_url(url).get_backend_name() == "sqlite"
    return options | ({"connect_args": {"timeout": BUSY_SECONDS}} if is_sqlite else {})


def _redis_tls(environ: Mapping[str, str]) -> dict[str, str]:
    """How redis-py checks whom it speaks with. Heroku's certificate is self-signed and no authority is told: without
    PORTAL_REDIS_CA, a certificate in PEM or the path of a file with some, TLS encrypts without checking."""
    authority = environ.get("PORTAL_REDIS_CA", "")
    if not environ.get("REDIS_URL", "").startswith("rediss://"):
        if authority:
            raise ConfigError("PORTAL_REDIS_CA is set, but REDIS_URL is not rediss://, and nothing is checked.")
        return {}
    if not authority:
        return {"ssl_cert_reqs": "none"}
    is_text = "BEGIN CERTIFICATE" in authority
    try:
        ssl.create_default_context(cadata=authority) if is_text else ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise ConfigError("PORTAL_REDIS_CA is no certificate in PEM, nor the path of a file with one.") from error
    return {"ssl_ca_data" if is_text else "ssl_ca_certs": authority}


def _encryption_keys(environ: Mapping[str, str], secret_key: str) -> list[str]:
    """Fernet keys, newest first. The last one is derived: a deployment works with SECRET_KEY alone, and what was sealed
    before it got PORTAL_KEYS still opens."""
    digest = hashlib.sha256(b"cloudcx signing secrets\0" + secret_key.encode()).digest()
    keys = [*_words(environ.get("PORTAL_KEYS", "")), base64.urlsafe_b64encode(digest).decode()]
    try:
        for key in keys:
            Fernet(key)
    except ValueError as error:  # which says nothing of the key itself
        raise ConfigError("PORTAL_KEYS holds what is no key. A key is 32 random bytes in URL-safe base64.") from error
    return keys


def _networks(text: str) -> Networks:
    try:
        return tuple(ipaddress.ip_network(word) for word in _words(text))
    except ValueError as error:
        raise ConfigError(f"PORTAL_ALLOWED_NETWORKS is not a list of networks: {error}.") from error


def _pace(environ: Mapping[str, str]) -> Pace:
    try:
        return Pace.of(environ)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _whole_number(environ: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(environ.get(name) or default)
    except ValueError as error:
        raise ConfigError(f"{name} is not a whole number.") from error


def _one_of(environ: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """The first is the default."""
    chosen = environ.get(name) or choices[0]
    if chosen not in choices:
        raise ConfigError(f"{name} is {chosen!r}, and can be {' or '.join(choices)}.")
    return chosen


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
