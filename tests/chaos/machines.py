"""An installation spread over machines, as a storm meets it."""

import itertools
from collections.abc import Mapping
from pathlib import Path

from tests.system.forked import Forked, Quick
from tests.system.installation import until


class Machines(Quick):
    """An installation spread over machines: its processes share the database, Redis and the keys, but no folder."""

    def __init__(self, database_url: str, redis_url: str, data: Path, port: int, numbers: Mapping[str, str]) -> None:
        super().__init__(database_url, redis_url, data, port)
        self.data = data
        self.env |= {"SECRET_KEY": "chaos", **numbers}
        self.names = itertools.count(1)

    def run(self, *command: str) -> Forked:  # shown as a Popen is
        """Start a process on a machine of its own."""
        folder = self.data / f"{next(self.names)}-{command[0]}"
        folder.mkdir(parents=True)
        process = Forked(command, self.env | {"PORTAL_DATA": str(folder)}, folder / "log.txt")
        self.processes.append(process)  # type: ignore[arg-type]
        return process

    def web(self) -> Forked:  # type: ignore[override]
        """Start the web process; it answers soon."""
        return self.run("gunicorn", "app:app")

    def worker(self) -> Forked:  # type: ignore[override]
        """Start a worker process; it delivers soon."""
        return self.run("flask", "worker")

    def await_web(self) -> None:
        until(lambda: self.health() is not None, "the web process answers")
