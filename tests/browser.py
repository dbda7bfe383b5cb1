"""The Chromium of the browser tests: the one on the machine, else Debian's package, else Playwright's own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPS = (Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),)


def find() -> str | None:
    """The path of a Chromium, or None."""
    installed = next((path for name in NAMES if (path := shutil.which(name))), None)
    return installed or next((str(app) for app in APPS if app.exists()), None) or _playwrights()


def install() -> str | None:
    """Get a Chromium where that is possible; returns its path, or None."""
    for get in (_from_debian, _from_playwright):
        if not (found := find()):
            get()
            found = find()
        if found:
            return found
    return None


def _from_debian() -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        _quietly(["apt-get", "update", "-qq"], environment)
        _quietly(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], environment)


def _from_playwright() -> None:
    _quietly([sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"], dict(os.environ))


def _playwrights() -> str | None:
    root = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    found = [*sorted(root.glob("chromium*/chrome-*/*chrom*")), *sorted(root.glob("chromium*/chrome-mac*/**/Chromium"))]
    return next((str(path) for path in found if os.access(path, os.X_OK) and path.is_file()), None)


def _quietly(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


if __name__ == "__main__":
    if not install():
        print("No Chromium here and none could be installed: browser tests are skipped.", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") else 0)
