"""The pages of an import: choose a file, say what its columns mean, see what would happen, do it, mend the rest."""

import csv
import io
from collections.abc import Iterator
from uuid import UUID

from flask import Blueprint, Response, request, stream_with_context, url_for
from sqlalchemy import func, select
from werkzeug.wrappers import Response as BaseResponse

from .. import audit
from ..accounts.permissions import Permission, allowed, may_send_much
from ..accounts.service import own, own_or_404, person, workspace
from ..contacts.sheet import guarded, unguarded
from ..extensions import db, utcnow
from ..fields import came_back, shows_again
from ..web import go, page, say
from ..webhooks import live
from ..webhooks.batches import forecast
from ..webhooks.export import CsvResponse
from ..webhooks.live import Live
from ..webhooks.models import EventType
from . import mapping, sniffing, storing, work
from .mapping import Choice
from .matching import MATCHES
from .models import Import, ImportRefusal, Stage
from .reading import Unreadable
from .targets import targets

blueprint = Blueprint("imports", __name__)

FAILED = 422
MOST_BYTES = 64 * 1024 * 1024
"""What an upload may send: enough that a file that is too large is refused by a sentence at its field."""
SHOWN = 50
"""Refused rows a page, and imports of the list."""
PACE = "1s"
BATCH = 500


@blueprint.url_value_preprocessor
def allow_a_file(endpoint: str | None, _values: object) -> None:
    """Before anything looks at the form: files of those who may send some are larger than what other forms may send."""
    if endpoint == "imports.upload" and may_send_much(endpoint):
        request.max_content_length = MOST_BYTES


@blueprint.route("/contacts/import", methods=["GET", "POST"])
@allowed(Permission.IMPORT)
def upload() -> BaseResponse:
    """Choose a file; below, the imports of before."""
    file = request.files.get("file")
    if request.method == "GET":
        return _upload_page()
    if file is None or not file.filename:
        return _upload_page("Choose a file.")
    try:
        with file.stream:
            made = storing.keep(file.stream, file.filename, workspace().id, person().name)
        mapping.read(made)
    except Unreadable as problem:
        db.session.rollback()
        return _upload_page(str(problem))
    db.session.commit()
    return go(url_for("imports.columns", import_id=made.id))


@blueprint.get("/contacts/import/<uuid:import_id>/columns")
@allowed(Permission.IMPORT)
def columns(import_id: UUID) -> BaseResponse:
    """What the columns mean."""
    made = own_or_404(Import, import_id)
    if made.stage not in (Stage.MAPPING, Stage.CHECKED):
        return go(url_for("imports.show", import_id=made.id))
    return _columns_page(made, Choice(made.columns, made.match, made.tags))


@blueprint.post("/contacts/import/<uuid:import_id>/columns")
@allowed(Permission.IMPORT)
@shows_again
def check(import_id: UUID) -> BaseResponse:
    """Keep what was chosen and begin the dry run."""
    made = _locked(import_id)
    if made.stage in (Stage.MAPPING, Stage.CHECKED):
        choice = mapping.chosen(made, request.form)
        if choice.problems or came_back():
            return _columns_page(made, choice)
        mapping.save(made, choice)
        work.begin(made, Stage.CHECKING)
        db.session.commit()
    return go(url_for("imports.show", import_id=made.id))


@blueprint.post("/contacts/import/<uuid:import_id>/reading")
@allowed(Permission.IMPORT)
def read_again(import_id: UUID) -> BaseResponse:
    """Read the file by another encoding or delimiter, or with its first row as data; its columns are chosen anew."""
    made = _locked(import_id)
    encoding, delimiter = request.form.get("encoding", ""), request.form.get("delimiter", "")
    if made.stage in (Stage.MAPPING, Stage.CHECKED):
        made.encoding = encoding if encoding in sniffing.ENCODINGS else made.encoding
        made.delimiter = delimiter if delimiter in sniffing.DELIMITERS else made.delimiter
        try:
            mapping.read(made, has_header="is_data" not in request.form)
            work.start_over(made, Stage.MAPPING)
        except Unreadable as problem:
            db.session.rollback()
            say(str(problem))
        db.session.commit()
    return go(url_for("imports.columns", import_id=made.id))


@blueprint.get("/contacts/import/<uuid:import_id>")
@allowed(Permission.IMPORT)
def show(import_id: UUID) -> BaseResponse | tuple[str, int]:
    """How far it is, what would happen, and in the end what was done and what was refused and why."""
    made = own_or_404(Import, import_id)
    if made.stage == Stage.MAPPING:
        return go(url_for("imports.columns", import_id=made.id))
    version = live.version(made.stage, made.place, made.counts)
    if live.is_shown(version):
        return live.UNCHANGED
    address = url_for("imports.show", import_id=made.id, v=version)
    rows, reasons, following = _refusals(made)
    return page(
        "importing/show.html", "importing/_show.html",
        made=made, part=Live(address, PACE) if made.stage.is_work else None,
        rows=rows, reasons=reasons, following=following, told=_told(made), last_row=work.MOST_ROWS,
    )  # fmt: skip


@blueprint.post("/contacts/import/<uuid:import_id>/run")
@allowed(Permission.IMPORT)
def run(import_id: UUID) -> BaseResponse:
    """Do what the dry run said, in the background: nobody has to keep the page open."""
    made = _locked(import_id)
    if made.stage == Stage.CHECKED and not made.problem:
        work.begin(made, Stage.RUNNING)
        audit.note(person(), "imported contacts", made)
        db.session.commit()
    return go(url_for("imports.show", import_id=made.id))


@blueprint.post("/contacts/import/<uuid:import_id>/stop")
@allowed(Permission.IMPORT)
def stop(import_id: UUID) -> BaseResponse:
    """What is done stays done. Before the run nothing is: the file is thrown away."""
    made = own_or_404(Import, import_id)
    work.stop(made)
    db.session.commit()
    return go(url_for("imports.show", import_id=made.id))


@blueprint.get("/contacts/import/<uuid:import_id>/refused.csv")
@allowed(Permission.IMPORT)
def refused(import_id: UUID) -> Response:
    """The refused rows as they were, with a column that says why: to be mended and loaded again."""
    made = own_or_404(Import, import_id)
    audit.note_look(person(), "exported the refused rows of an import", made)
    db.session.refresh(made)  # what is streamed reads what was loaded since
    name = f"refused-{utcnow():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f"attachment; filename={name}"}
    return CsvResponse(stream_with_context(_refused_lines(made)), headers=headers)


def _locked(import_id: UUID) -> Import:
    """It is as it is until the commit: nobody runs what another one is choosing anew."""
    made = own_or_404(Import, import_id)
    db.session.refresh(made, with_for_update=True)
    return made


def _upload_page(problem: str = "") -> BaseResponse:
    last = db.session.scalars(own(Import).order_by(Import.created_at.desc()).limit(SHOWN)).all()
    status = FAILED if problem else 200
    return page("importing/upload.html", status=status, problem=problem, last=last, most_rows=work.MOST_ROWS)


def _columns_page(made: Import, choice: Choice) -> BaseResponse:
    return page(
        "importing/columns.html", status=FAILED if choice.problems else 200,
        made=made, choice=choice, targets=targets(made.workspace_id).values(), hows=mapping.HOWS, matches=MATCHES,
        any_match={"": "–", **MATCHES}, encodings=sniffing.ENCODINGS, delimiters=sniffing.DELIMITERS,
    )  # fmt: skip


def _refusals(made: Import) -> tuple[list[ImportRefusal], list[tuple[str, int]], int | None]:
    """A page of refused rows, how often each reason occurs, and after which row the next page begins."""
    mine = select(ImportRefusal).where(ImportRefusal.import_id == made.id)
    after = request.args.get("after", 0, int)
    query = mine.where(ImportRefusal.row > after).order_by(ImportRefusal.row).limit(SHOWN + 1)
    rows = list(db.session.scalars(query))
    count = func.count().label("count")
    why = select(ImportRefusal.reason, count).where(ImportRefusal.import_id == made.id).group_by(ImportRefusal.reason)
    reasons = [(reason, number) for reason, number in db.session.execute(why.order_by(count.desc()).limit(5))]
    return rows[:SHOWN], reasons, rows[SHOWN - 1].row if len(rows) > SHOWN else None


def _told(made: Import) -> list[tuple[EventType, int, list[tuple[object, int]]]]:
    """How many contacts each event would be about, and the webhooks that it goes to with how many requests."""
    counts = {EventType.CREATED: "new", EventType.UPDATED: "changed"}
    found = made.forecast or {}
    return [
        (kind, found[name], list(forecast(made.workspace_id, kind, found[name])))
        for kind, name in counts.items()
        if found.get(name)
    ]


def _refused_lines(made: Import) -> Iterator[str]:
    """With a header even if the file had none: its names are those of the fields, so that they are found again."""
    names, delimiter, key, after = _names(made), made.delimiter, made.id, 0
    yield "\ufeff" + _line([*names, mapping.REASON], delimiter)
    while rows := _batch(key, after):
        for _, reason, cells in rows:
            inside, beyond = (cells + [""] * len(names))[: len(names)], cells[len(names) :]
            yield _line([*inside, reason, *beyond], delimiter)
        after = rows[-1][0]


def _names(made: Import) -> list[str]:
    known = targets(made.workspace_id)
    fields = [known[key].column.label if key in known else "" for key, _ in made.columns]
    named = zip(made.headers, fields, strict=True)
    return [header or label or f"Column {number}" for number, (header, label) in enumerate(named, 1)]


def _batch(key: UUID, after: int) -> list[tuple[int, str, list[str]]]:
    columns = (ImportRefusal.row, ImportRefusal.reason, ImportRefusal.cells)
    query = select(*columns).where(ImportRefusal.import_id == key, ImportRefusal.row > after)
    found = db.session.execute(query.order_by(ImportRefusal.row).limit(BATCH)).all()
    db.session.rollback()  # nothing of the database is held, however slowly somebody reads
    return [(row, reason, cells) for row, reason, cells in found]


def _line(cells: list[str], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerow([guarded(unguarded(cell)) for cell in cells])
    return text.getvalue()
