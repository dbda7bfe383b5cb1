"""What imports that are over still hold of one person: samples of their columns, and rows that were refused."""

import uuid
from collections.abc import Collection

from sqlalchemy import delete, select

from ..extensions import db
from .models import Import, ImportRefusal


def forget(workspace_id: uuid.UUID, texts: Collection[str]) -> None:
    """Take away samples and refused rows in which one of these texts stands; they are in one case."""
    over = Import.workspace_id == workspace_id, Import.finished_at.is_not(None)
    for done in db.session.scalars(select(Import).where(*over)).all():
        if any(_names(sample, texts) for sample in done.samples):
            done.samples = [[] for _ in done.samples]
        rows = db.session.execute(
            select(ImportRefusal.row, ImportRefusal.cells).where(ImportRefusal.import_id == done.id)
        )
        gone = [row for row, cells in rows if _names(cells, texts)]
        db.session.execute(delete(ImportRefusal).where(ImportRefusal.import_id == done.id, ImportRefusal.row.in_(gone)))


def _names(cells: Collection[str], texts: Collection[str]) -> bool:
    return any(text in str(cell).casefold() for cell in cells for text in texts)
