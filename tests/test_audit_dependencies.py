"""A known vulnerability stops `make check`; being offline does not."""

from pathlib import Path

import pytest

from tests import audit_dependencies

FOUND = (
    '{"dependencies": [{"name": "good", "version": "1", "vulns": []}, {"name": "bad", "version": "2",'
    ' "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}]}'
)


@pytest.mark.parametrize(
    ("says", "words", "is_well"),
    [
        (FOUND, "bad 2: CVE-1, mended in 3", False),
        ('{"dependencies": [{"name": "good", "version": "1", "vulns": []}]}', "none in 1 packages", True),
        ("", "not asked", True),
    ],
)
def test_what_the_tool_says(tmp_path: Path, says: str, words: str, is_well: bool) -> None:
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\necho '{says}'\nexit 1\n")
    tool.chmod(0o755)
    told, well = audit_dependencies.ask(str(tool))
    assert (words in told, well) == (True, is_well)
