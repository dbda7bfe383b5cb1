"""What kind of file it is: text or not, in which encoding, with which delimiter, with or without a header."""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO

from charset_normalizer import from_bytes

from .reading import Lines, Record, Unreadable, records

BLOCK = 128 * 1024
HEAD = 64 * 1024
"""Bytes by which delimiter and header are found."""
LOOKED_AT = 100
"""Records."""
SAMPLE = 32 * 1024
"""Bytes with letters beyond ASCII by which an old encoding is guessed."""
DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Pipe"}
ENCODINGS = {
    "utf-8": "UTF-8", "cp1252": "Western European (Windows-1252, Latin-1)", "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)", "cp1253": "Greek (Windows-1253)", "cp1254": "Turkish (Windows-1254)",
    "mac_roman": "Western European (Macintosh)", "cp932": "Japanese (Shift-JIS)", "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)", "cp949": "Korean (EUC-KR)",
}  # fmt: skip
"""What stored bytes can be read as. In all of them line ends, quotation marks and delimiters are single ASCII bytes."""
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32-le", codecs.BOM_UTF32_BE: "utf-32-be",
         codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}  # fmt: skip
"""Byte order marks; the longer ones first, for one begins like another."""
OTHERS = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive", b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document", b"\x1f\x8b": "a gzip archive", b"{\\rtf": "an RTF document", b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture", b"GIF8": "a picture", b"7z\xbc\xaf": "a 7z archive", b"SQLite": "a database",
}  # fmt: skip
"""How files begin that some people call .csv."""
SEPARATOR = re.compile(rb"sep=(.)\r?\n", re.IGNORECASE)
"""The first line by which a file tells Excel its delimiter."""
BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
VALUE = re.compile(r"\S+@\S+\.\S+|https?://.*|[+(\d][\d\s()./-]{3,}")
"""What stands in rows and never in a header."""


def refuse_others(head: bytes) -> None:
    """Raises Unreadable when the beginning is that of something else than a table of text."""
    if not head.strip():
        raise Unreadable("The file is empty.")
    for magic, name in OTHERS.items():
        if head.startswith(magic):
            raise Unreadable(f"This is {name}, not CSV. Open it and save it as CSV (UTF-8), then choose that file.")


def mark(head: bytes) -> bytes:
    """The byte order mark that the file begins with, if any."""
    return next((mark for mark in MARKS if head.startswith(mark)), b"")


def encoding_of(file: IO[bytes], head: bytes) -> str:
    """The encoding of the file from where it stands on. Raises Unreadable when it is no text at all."""
    if known := MARKS.get(mark(head)):
        return known
    if wide := _wide(head):
        return wide
    if len(BINARY.findall(head)) > len(head) // 20:
        raise Unreadable("This is not a table of text. Save it as CSV (UTF-8), then choose that file.")
    right, wrong, sample = _utf8(blocks(file))
    # A few broken letters in a file that is UTF-8 everywhere else cost their rows, not the letters of all others.
    return "utf-8" if right >= 10 * wrong else _old(sample)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The rest of the file, a piece at a time."""
    return iter(lambda: file.read(BLOCK), b"")


def delimiter_of(head: bytes, encoding: str) -> str:
    """The one by which most records have as many cells as the first; the more cells the better."""
    if told := SEPARATOR.match(head):
        return told[1].decode("latin-1") if told[1].decode("latin-1") in DELIMITERS else ","
    return max(DELIMITERS, key=lambda one: _fit(list(beginning(head, encoding, one))))


def beginning(head: bytes, encoding: str, delimiter: str) -> Iterator[Record]:
    """The first whole records."""
    whole = head if len(head) < HEAD else head[: head.rfind(b"\n") + 1] or head
    try:
        yield from islice(records(Lines(iter([whole]), encoding), delimiter), LOOKED_AT)
    except Unreadable:
        return


def is_header(cells: Sequence[str], is_known: Callable[[str], bool]) -> bool:
    """Whether the first row names the columns; `is_known` tells names of fields."""
    if any(is_known(cell) for cell in cells):
        return True
    return not any(VALUE.fullmatch(cell.strip()) for cell in cells)


def _fit(found: Sequence[Record]) -> tuple[float, int]:
    widths = [len(record.cells) for record in found if not record.is_blank]
    if not widths or widths[0] < 2:
        return 0, 0
    return round(Counter(widths)[widths[0]] / len(widths), 1), widths[0]


def _wide(head: bytes) -> str:
    """UTF-16 without its mark: of text in any alphabet, every other byte of spaces, commas and line ends is zero."""
    pairs = head[: len(head) // 2 * 2]
    little, big = (sum(pairs.count(sign) for sign in signs) for signs in ((b",\x00", b"\n\x00"), (b"\x00,", b"\x00\n")))
    zeros = head.count(0)
    if zeros < len(head) // 20 or not (little or big):
        return ""
    return "utf-16-le" if pairs[1::2].count(0) >= pairs[::2].count(0) else "utf-16-be"


def _utf8(pieces: Iterable[bytes]) -> tuple[int, int, bytes]:
    """How many letters beyond ASCII are right UTF-8 and how many are not, and some lines with such letters."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    right, wrong, sample = 0, 0, bytearray()
    for piece in pieces:
        text = decoder.decode(piece)
        if not text.isascii():
            wrong += (broken := text.count("\ufffd"))
            right += len(re.findall(r"[^\x00-\x7f]", text)) - broken
        if len(sample) < SAMPLE and not piece.isascii():
            sample += b"".join(line for line in piece.splitlines(True) if not line.isascii())
    wrong += len(decoder.decode(b"", True))
    return right, wrong, bytes(sample[:SAMPLE])


def _old(sample: bytes) -> str:
    """Of the encodings from before Unicode; Western Europe's unless another clearly reads better."""
    found = from_bytes(sample, cp_isolation=[one for one in ENCODINGS if one != "utf-8"])
    best = found.best()
    if best is None:
        return "cp1252"
    western = next((one for one in found if "cp1252" in (one.encoding, *one.could_be_from_charset)), None)
    is_close = western is not None and western.chaos <= best.chaos + 0.1 and western.coherence >= best.coherence - 0.1
    return "cp1252" if is_close else best.encoding
