"""Whether an installed package has a known vulnerability: `make check` asks, wherever an index can be reached."""

import json
import subprocess
import sys
from pathlib import Path

LIMIT_SECONDS = 60
COMMAND = ["--progress-spinner", "off", "--skip-editable", "--format", "json", "--timeout", "10"]


def ask(command: str = str(Path(sys.executable).with_name("pip-audit"))) -> tuple[str, bool]:
    """What to say, and whether all is well. Nobody who is offline is stopped."""
    try:
        done = subprocess.run([command, *COMMAND], capture_output=True, text=True, timeout=LIMIT_SECONDS)
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return "Known vulnerabilities: not asked, for no index can be reached.", True
    return verdict(packages)


def verdict(packages: list[dict[str, object]]) -> tuple[str, bool]:
    """The vulnerable ones, each with what is known and the version that mends it."""
    lines = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}"
        for package in packages
        for one in package.get("vulns", [])  # type: ignore[attr-defined]
    ]
    if not lines:
        return f"Known vulnerabilities: none in {len(packages)} packages.", True
    return "\n".join(["Known vulnerabilities:", *lines]), False


if __name__ == "__main__":
    words, is_well = ask()
    print(words)
    sys.exit(0 if is_well else 1)
