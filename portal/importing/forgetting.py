"""What imports hold of one person: rows of files that are not imported yet, and rows that were refused."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Select, delete, select, update

from ..among import one_of
from ..extensions import db
from ..webhooks.naming import Person
from . import storing, work
from .models import Import, ImportRefusal
from .reading import Unreadable

BATCH = 500


@dataclass(frozen=True, slots=True)
class Found:
    """A row that is about the person; without cells a file that nobody can read, so that it may be about anybody."""

    import_id: uuid.UUID
    filename: str
    row: int
    cells: list[str]
    is_refused: bool


def find(workspace_id: uuid.UUID, person: Person) -> Iterator[Found]:
    """All such rows. It reads whole files: to be asked while nothing is locked."""
    for made in db.session.scalars(_waiting(workspace_id)).all():
        yield from _in_file(made, person)
    columns = ImportRefusal.import_id, Import.filename, ImportRefusal.row, ImportRefusal.cells
    refused = select(*columns).join(Import, Import.id == ImportRefusal.import_id)
    mine = refused.where(Import.workspace_id == workspace_id).execution_options(yield_per=BATCH)
    for import_id, filename, row, cells in db.session.execute(mine):
        if person.is_told_by(cells):
            yield Found(import_id, filename, row, cells, is_refused=True)


def forget(workspace_id: uuid.UUID, found: Collection[Found]) -> None:
    """Stop the imports whose files have such rows, and take away those that were refused,
    and what is shown of files that are gone."""
    files = {one.import_id for one in found if not one.is_refused}
    for made in db.session.scalars(_waiting(workspace_id).where(Import.id.in_(files))).all():
        work.stop(made)
    over = update(Import).where(Import.workspace_id == workspace_id, Import.finished_at.is_not(None))
    db.session.execute(over.values(samples=[]).execution_options(synchronize_session=False))
    for import_id in {one.import_id for one in found}:
        rows = [one.row for one in found if one.import_id == import_id]
        gone = delete(ImportRefusal).where(ImportRefusal.import_id == import_id, one_of(ImportRefusal.row, rows))
        db.session.execute(gone.execution_options(synchronize_session=False))


def _waiting(workspace_id: uuid.UUID) -> Select[Import]:
    return select(Import).where(Import.workspace_id == workspace_id, Import.finished_at.is_(None)).order_by(Import.id)


def _in_file(made: Import, person: Person) -> Iterator[Found]:
    try:
        for record in storing.all_rows(made):
            if person.is_told_by(record.cells):
                yield Found(made.id, made.filename, record.row, record.cells, is_refused=False)
    except Unreadable:
        yield Found(made.id, made.filename, 0, [], is_refused=False)
