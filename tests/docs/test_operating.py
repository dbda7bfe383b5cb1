"""docs/operating.md tells of every setting that the code reads."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
READ = re.compile(r'environ(?:\.get\(|\[|, )"([A-Z_]+)"|_(?:one_of|whole_number)\(environ, "([A-Z_]+)"')
OTHERS = {"FLASK_RUN_FROM_CLI"}
"""Set by Flask itself."""


def test_every_setting_is_told() -> None:
    told = (ROOT / "docs" / "operating.md").read_text()
    files = [*(ROOT / "portal").rglob("*.py"), ROOT / "gunicorn.conf.py"]
    names = {name for file in files for pair in READ.findall(file.read_text()) for name in pair if name} - OTHERS
    assert {"SECRET_KEY", "PORT", "PORTAL_LOG", "PORTAL_PROXIES", "PORTAL_REDIS_CA"} <= names
    assert sorted(name for name in names if f"`{name}`" not in told) == []
