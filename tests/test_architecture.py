"""The rules of the house, held by a test: who may import whom, and how long things may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [f for f in sorted((ROOT / "portal").rglob("*.py")) if "versions" not in f.parts]


def test_imports_go_downwards_only() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_modules_and_functions_are_short(file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") <= 300
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 50] == []


def test_the_script_of_all_pages_is_short() -> None:
    assert (ROOT / "static" / "app.js").read_text().count("\n") < 150


def test_no_template_has_inline_style_or_script() -> None:
    for file in (ROOT / "templates").rglob("*.html"):
        text = file.read_text()
        for forbidden in (" style=", "<style", "onclick", "hx-on", "js:", "|safe", "| safe"):
            assert forbidden not in text, f"{file.name} holds {forbidden}"
