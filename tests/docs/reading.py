"""docs/receiving.md, taken apart: its tables and code blocks by the heading that they stand under."""

import re

from portal.docs.rendering import SOURCE

_SECTION = re.compile(r"^#{2,3} (.+)\n((?:(?!^#{2,3} ).*\n)*)", re.MULTILINE)
_CODE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A heading is no line of code: comments in samples begin with "# " at most.
SECTIONS = dict(_SECTION.findall(SOURCE.read_text("utf-8")))


def code(heading: str) -> str:
    """The code block of a section."""
    ((_, text),) = _CODE.findall(SECTIONS[heading])
    return str(text)


def table(heading: str) -> list[list[str]]:
    """The rows of a section's table without its head, cell by cell, as written."""
    lines = [line for line in SECTIONS[heading].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
