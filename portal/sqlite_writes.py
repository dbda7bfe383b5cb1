"""How SQLite is written: one transaction at a time. Who writes looks for its lock all the time, people who wait for an
answer go first, and nobody waits for another's disk."""

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import SQLITE_BUSY, SQLITE_ERROR
from sqlite3 import Connection as SQLiteConnection
from sqlite3 import Error as SQLiteError
from typing import IO

from .config import BUSY_SECONDS

CHECKPOINT_PAGES = 16_000
"""So long, 64 MB, is the log of writes before they go to their places: what is written often goes there once, and it is
rarely that a commit finds the disk busy with it."""
LOOK_SECONDS = 0.0003, 0.001
"""Between two looks whether the lock is free."""
POLITE_SECONDS = 0.25
"""For how long work that nobody waits for lets others go first: it goes on however many there are."""
_looking = threading.Lock()


class Connection(SQLiteConnection):
    """A connection whose commits reach the disk after they let the write lock go.

    SQLite itself holds the lock meanwhile. Until it is there, others may see what a crash of the machine can undo: see
    `settle`.
    """

    _log: IO[bytes] | None = None
    _is_owed = False
    """Whether the next commit is to wait for the disk."""

    def prepare(self) -> None:
        """Set up what SQLite keeps by connection."""
        self.isolation_level = None  # SQLAlchemy's "begin" decides how transactions begin
        self.execute("PRAGMA foreign_keys = ON")
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA synchronous = NORMAL")  # no commit waits for the disk by itself
        self.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # SQLite's own lower() leaves É as it is; searching would then not find é.
        self.create_function("lower", 1, lambda text: text and text.lower(), deterministic=True)

    def commit(self) -> None:
        super().commit()
        if self._is_owed:
            self._is_owed = False
            self.settle()

    def settle(self) -> None:
        """Return when all that anybody committed before is on the disk."""
        self._log = self._log or Path(f"{_path(self)}-wal").open("rb", buffering=0)  # noqa: SIM115 - it is kept
        os.fsync(self._log)

    def close(self) -> None:
        super().close()
        if self._log:
            self._log.close()

    def begin_writing(self, is_awaited: bool, is_synced: bool) -> int | None:
        """Begin a transaction that writes; `is_awaited` by somebody who gets no answer before. Returns SQLite's code of
        what went wrong.

        SQLite itself soon looks ten times a second only, and then misses each short moment in which a busy worker lets
        the lock go. One thread of a process looks, the others queue.
        """
        self._is_owed = is_synced
        with _looking, _no_waiting(self), _mark(self) as mark:
            if is_awaited:
                fcntl.flock(mark, fcntl.LOCK_SH)
            return _look(self, None if is_awaited else mark)


def _look(sqlite: SQLiteConnection, mark: int | None) -> int | None:
    now = begun = time.monotonic()
    problem: int | None = SQLITE_BUSY
    while problem == SQLITE_BUSY and now < begun + BUSY_SECONDS:
        if mark is None or now > begun + POLITE_SECONDS or not _somebody_waits(mark):
            problem = _begin_at_once(sqlite)
        if problem == SQLITE_BUSY:
            time.sleep(random.uniform(*LOOK_SECONDS))  # noqa: S311 - no secret
        now = time.monotonic()
    return problem


def _begin_at_once(sqlite: SQLiteConnection) -> int | None:
    try:
        sqlite.execute("BEGIN IMMEDIATE")
    except SQLiteError as error:
        return getattr(error, "sqlite_errorcode", SQLITE_ERROR)  # Python's own errors have none
    return None


@contextmanager
def _no_waiting(sqlite: SQLiteConnection) -> Iterator[None]:
    """SQLite says at once that somebody else has the lock."""
    sqlite.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        sqlite.execute(f"PRAGMA busy_timeout = {1000 * BUSY_SECONDS}")


@contextmanager
def _mark(sqlite: SQLiteConnection) -> Iterator[int]:
    """A file beside the database, which processes lock together while they have somebody who waits. Not the database's
    own: closing that would end what SQLite has locked."""
    mark = os.open(f"{_path(sqlite)}-awaited", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield mark
    finally:
        os.close(mark)


def _somebody_waits(mark: int) -> bool:
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(mark, fcntl.LOCK_UN)
    return False


def _path(sqlite: SQLiteConnection) -> str:
    return str(sqlite.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()[0])
