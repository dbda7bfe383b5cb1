"""The records of a file, from any place in it on. A place is a count of bytes; each record knows where it ends."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

LONGEST_LINE = 1024 * 1024
"""Bytes. A file without line ends would else be held in memory as a whole."""
MOST_BROKEN = 100
"""Records whose quotation marks don't match: with more of them nobody knows what is a record."""
LONGEST_CELL = csv.field_size_limit()

UNCLOSED = "A quotation mark is opened and never closed."
UNDOUBLED = 'A quotation mark stands inside a quoted cell. Write it twice there: "".'
TOO_LONG = f"A cell holds more than {LONGEST_CELL:,} characters. Perhaps a quotation mark is opened and never closed."


class Unreadable(Exception):  # noqa: N818  a fact to be told, not an error of the program
    """Why the whole file can't be read, as a sentence."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its number as a spreadsheet counts, its cells, where it ends, and what is wrong with its form."""

    row: int
    cells: list[str]
    end: int
    problem: str = ""

    @property
    def is_blank(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


@dataclass
class Lines:
    """Decoded lines with their ends. They can be given back, all but the first since `begin`."""

    blocks: Iterator[bytes]
    encoding: str
    place: int = 0
    """Behind the last line that was taken."""
    waiting: deque[bytes] = field(default_factory=deque)
    taken: list[bytes] = field(default_factory=list)
    rest: bytes = b""
    """The beginning of a line whose end is in the next block."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while not self.waiting:
            self._fill()
        line = self.waiting.popleft()
        self.taken.append(line)
        self.place += len(line)
        return line.decode(self.encoding, "replace")

    def begin(self) -> None:
        """A record begins."""
        self.taken = []

    def give_back(self) -> str:
        """Take back all but the first line since `begin`, which is returned."""
        first, *others = self.taken
        self.waiting.extendleft(reversed(others))
        self.place -= sum(map(len, others))
        return first.decode(self.encoding, "replace")

    def _fill(self) -> None:
        """Cut the next block into lines. What may go on in the one after it waits, a line end of two bytes as well."""
        block = next(self.blocks, b"")
        if not block and not self.rest:
            raise StopIteration
        lines = (self.rest + block).splitlines(keepends=True)
        self.rest = lines.pop() if block and not lines[-1].endswith(b"\n") else b""
        if len(self.rest) > LONGEST_LINE:
            raise Unreadable("This is not a table: a line has more than a million characters.")
        self.waiting.extend(lines)


def records(lines: Lines, delimiter: str, row: int = 0) -> Iterator[Record]:
    """The records that follow `row` earlier ones. One with broken quotation marks costs its first line only.

    Raises Unreadable.
    """
    reader, broken = _reader(lines, delimiter), 0
    while True:
        row += 1
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            broken += 1
            if broken > MOST_BROKEN:
                raise Unreadable("This is no well-formed CSV: too many quotation marks are not closed.") from None
            first = lines.give_back()
            yield Record(row, [first.rstrip("\r\n")], lines.place, _reason(str(error)))
            reader = _reader(lines, delimiter)
        else:
            yield Record(row, cells, lines.place)


def _reader(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _reason(error: str) -> str:
    if "limit" in error:
        return TOO_LONG
    return UNCLOSED if "end of data" in error else UNDOUBLED
