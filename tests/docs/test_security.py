"""docs/security.md counts every point of the standard once, counts right, and names tests that there are."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "security.md").read_text()
LEVEL_2 = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "4.1": 3, "4.2": 1,
    "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5,
    "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2, "8.2": 3, "8.3": 1,
    "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1,
    "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1,
    "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2, "3.2": 2, "3.3": 4, "3.4": 6,
    "3.5": 5, "3.7": 2,
}  # fmt: skip
"""Sections of ASVS 5.0.0 and how many points each has at the levels 1 and 2: they come first."""
ROW = re.compile(r"^\| (\d+\.\d+\.\d+)(?: to \d+\.\d+\.(\d+))? \| (\**\w+\**) \|", re.M)


def points() -> list[tuple[str, str]]:
    """Each point of the tables with its state."""
    found: list[tuple[str, str]] = []
    for first, last, state in ROW.findall(TEXT):
        section, _, number = first.rpartition(".")
        numbers = range(int(number), int(last or number) + 1)
        found += [(f"{section}.{n}", state.strip("*")) for n in numbers]
    return found


def test_every_point_of_level_2_is_there_once() -> None:
    asked = [f"{section}.{number}" for section, count in LEVEL_2.items() for number in range(1, count + 1)]
    assert len(asked) == 253
    assert sorted(point for point, _ in points()) == sorted(asked)


def test_the_sums_are_right() -> None:
    states = Counter(state for _, state in points())
    assert set(states) <= {"met", "none", "operator", "gap"}
    sums = re.search(r"\| \*\*all\*\* \|(.+)\|", TEXT)
    assert sums
    numbers = [int(cell.strip(" *")) for cell in sums[1].split("|")]
    assert numbers == [253, *(states[name] for name in ("met", "none", "operator", "gap"))]


def test_what_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:[\w/]+/)?\w+\.py)`", TEXT))
    assert len(named) > 30
    assert [name for name in named if not any((ROOT / place / name).exists() for place in ("", "tests"))] == []
