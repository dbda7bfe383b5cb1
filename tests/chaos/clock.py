"""A database clock that jumps, for real processes and without a hook in the product.

PostgreSQL finds `statement_timestamp` in a schema that stands first in the search path; SQLite, which has no clock but
the machine's, gets a `strftime` of its own in each process that is started here.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, event

VARIABLE = "CHAOS_CLOCK"
"""Names the file that holds the seconds by which SQLite's clock is wrong."""
SEARCH_PATH = "options=-csearch_path%3Dclock,pg_catalog,public"
SCHEMA = """
CREATE SCHEMA clock;
CREATE TABLE clock.error (seconds float NOT NULL);
INSERT INTO clock.error VALUES (0);
CREATE FUNCTION clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
  'SELECT pg_catalog.statement_timestamp() + seconds * interval ''1 second'' FROM clock.error'
"""


class FileClock:
    """The clock of SQLite."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.jump(0)

    def jump(self, seconds: float) -> None:
        """From now on the clock is wrong by so much."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(str(seconds))
        fresh.replace(self.file)


class ServerClock:
    """The clock of PostgreSQL. Made when the tables stand: they shall not come into its schema."""

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SCHEMA)

    def jump(self, seconds: float) -> None:
        """From now on the clock is wrong by so much."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE clock.error SET seconds = %s", [seconds])


def install(file: str | None) -> None:
    """Give this process's SQLite connections the clock that is kept in the file."""
    if file:
        source = Path(file)
        event.listen(Engine, "connect", lambda connection, _record: _replace(connection, source))


def _replace(connection: Any, source: Path) -> None:
    def strftime(_format: str, _now: str, modifier: str) -> str:
        seconds = float(modifier.removesuffix(" seconds")) + float(source.read_text())
        return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]

    # Deterministic, as SQLite's own is within a statement: asked once for each.
    connection.create_function("strftime", 3, strftime, deterministic=True)
