"""Uploaded files, kept in the database in pieces: machines share no disk, and nobody holds a whole file in memory."""

import codecs
import uuid
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import IO

from sqlalchemy import delete, insert, select

from ..extensions import db
from . import sniffing
from .models import Import, ImportChunk, ImportKey
from .reading import Lines, Record, Unreadable, records

LARGEST = 20 * 1024 * 1024
"""Bytes of a file."""
PIECE = 128 * 1024
MOST_COLUMNS = 300


def keep(file: IO[bytes], filename: str, workspace_id: uuid.UUID, actor: str) -> Import:
    """Store an uploaded file and how it is to be read, as far as that can be told. Raises Unreadable."""
    size = file.seek(0, 2)
    if size > LARGEST:
        raise Unreadable(f"The file has {size / 1024 / 1024:.1f} MB; at most 20 MB can be imported at once. Split it.")
    file.seek(0)
    head = file.read(sniffing.HEAD)
    sniffing.refuse_others(head)
    file.seek(0)
    encoding = sniffing.encoding_of(file, head)
    file.seek(len(sniffing.mark(head)))
    made = Import(workspace_id=workspace_id, actor=actor, filename=PurePath(filename or "contacts.csv").name[-200:])
    made.encoding = encoding if encoding in sniffing.ENCODINGS else "utf-8"
    made.size, made.delimiter, made.header_row = 0, ",", 0
    made.headers, made.samples, made.columns, made.match, made.tags = [], [], [], [], []
    db.session.add(made)
    db.session.flush()
    _store(made, file if made.encoding == encoding else _Recoded(file, encoding))
    made.delimiter = sniffing.delimiter_of(_head(made), made.encoding)
    return made


def begin_reading(made: Import) -> list[Record]:
    """Its first records, by its encoding and delimiter. Raises Unreadable when they are no table."""
    head = _head(made)
    if separator := sniffing.SEPARATOR.match(head):
        head = head[separator.end() :]
    found = [one for one in sniffing.beginning(head, made.encoding, made.delimiter) if not one.is_blank]
    if not found:
        raise Unreadable("The file is empty.")
    if max(len(one.cells) for one in found) > MOST_COLUMNS:
        raise Unreadable(f"The table has more than {MOST_COLUMNS} columns.")
    return found


def rows(made: Import) -> Iterator[Record]:
    """The records behind the import's cursor, the header among them."""
    return _rows(made, made.place, made.row)


def all_rows(made: Import) -> Iterator[Record]:
    """All records of the file, wherever the cursor is. Raises Unreadable when they are no table."""
    return _rows(made, 0, 0)


def _rows(made: Import, place: int, row: int) -> Iterator[Record]:
    if place == 0 and (separator := sniffing.SEPARATOR.match(_head(made))):
        place = separator.end()
    lines = Lines(_pieces(made.id, place), made.encoding, place)
    return records(lines, made.delimiter, row)


def forget(made: Import) -> None:
    """Take the file away, and what is shown of it; what was refused stays."""
    made.samples = []
    db.session.execute(delete(ImportChunk).where(ImportChunk.import_id == made.id))
    forget_keys(made)


def forget_keys(made: Import) -> None:
    """Nothing was told about anybody yet."""
    db.session.execute(delete(ImportKey).where(ImportKey.import_id == made.id))


def _head(made: Import) -> bytes:
    return next(_pieces(made.id, 0), b"")[: sniffing.HEAD]


def _pieces(key: uuid.UUID, place: int) -> Iterator[bytes]:
    """The stored bytes from that place on, a piece at a time."""
    position, inside = divmod(place, PIECE)
    query = select(ImportChunk.data).where(ImportChunk.import_id == key)
    while data := db.session.scalar(query.where(ImportChunk.position == position)):
        yield data[inside:]
        position, inside = position + 1, 0


def _store(made: Import, file: "IO[bytes] | _Recoded") -> None:
    """Each piece is a statement of its own, so that none waits in memory for the others."""
    position = 0
    while data := file.read(PIECE):
        db.session.execute(insert(ImportChunk), [{"import_id": made.id, "position": position, "data": data}])
        made.size += len(data)
        position += 1


class _Recoded:
    """Reads a file of another encoding as UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.texts: Iterable[str] = codecs.iterdecode(sniffing.blocks(file), encoding, "replace")
        self.left = b""

    def read(self, size: int) -> bytes:
        for text in self.texts:
            self.left += text.encode("utf-8", "replace")
            if len(self.left) >= size:
                break
        data, self.left = self.left[:size], self.left[size:]
        return data
