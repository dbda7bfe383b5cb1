"""The Overview: for a newcomer three steps to the first delivery, afterwards what was sent and what is there."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, request, url_for
from sqlalchemy import func
from werkzeug.wrappers import Response

from .accounts.permissions import Permission, allowed
from .accounts.proof_views import local_path
from .accounts.service import own, person, workspace
from .contacts import service as contacts
from .contacts.models import Contact
from .extensions import db, utcnow
from .sandbox import service as sandbox
from .sandbox.models import SandboxRequest
from .web import go, page, say, wants_fragment
from .webhooks import charts, exact, live, problems, readings, samples, sentences
from .webhooks.live import Live
from .webhooks.models import Delivery, EventType, Status, Trigger

blueprint = Blueprint("overview", __name__)

DAY = timedelta(hours=24)
LATEST = 5
FACTS, CHART = "facts", "chart"
"""The live parts: the chart asks once a minute only, for it costs more."""
PACE = "5s"
SHOWN_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "x-cloudcx-event")
SAMPLE_HEADERS = tuple(zip(SHOWN_HEADERS, ("msg_…", "seconds since 1970", "v1,…", EventType.CREATED), strict=True))
SAMPLES = (
    ("Allen", "Ji", "allen@acme.example", "12345678", "Acme"),
    ("Maria", "Silva", "maria@lumen.example", "+351 21 555 0142", "Lumen Energy"),
    ("Kwame", "Mensah", "kwame@harbor.example", "+233 30 255 0117", "Harbor Foods"),
    ("Yuki", "Tanaka", "yuki@kite.example", "+81 3 5555 0188", "Kite Labs"),
)
"""People to try with, one after the other."""


@blueprint.get("/")
@allowed(Permission.PORTAL)
def index() -> Response | tuple[str, int]:
    """The steps until something was delivered, and while they are on the screen; else the facts."""
    part = request.args.get("of")
    if part == CHART and wants_fragment():
        return page("overview/_chart.html", chart=charts.all_attempts(workspace().id))
    if part == FACTS or (not wants_fragment() and _delivered()):
        return _overview()
    return _steps()


@blueprint.post("/sample")
@allowed(Permission.CONTACTS)
def add_sample() -> Response:
    """Make a contact to try with; it is a contact like any other."""
    so_far = db.session.scalar(own(Contact).with_only_columns(func.count()))
    first, last, email, phone, company = SAMPLES[(so_far or 0) % len(SAMPLES)]
    sample = {"first_name": first, "last_name": last, "email": email, "phone_number": phone, "company_name": company}
    contacts.create(workspace().id, sample, person().name)
    db.session.commit()
    say(f"{first} {last} is added. Change or delete the contact as you like: each sends an event.")
    return go(local_path(request.args.get("next")))


def _overview() -> Response | tuple[str, int]:
    version = live.version(*readings.pulse(workspace().id))
    if live.is_shown(version):
        return live.UNCHANGED
    part = Live(url_for("overview.index", of=FACTS, v=version), PACE)
    return page("overview/index.html", "overview/_facts.html", part=part, **_facts())


def _steps() -> Response | tuple[str, int]:
    """The three steps, each done or not yet; they ask for themselves until the last one is done."""
    webhooks, latest, delivered = readings.living(workspace().id), _latest(1), _delivered()
    contact = db.session.scalar(own(Contact).order_by(Contact.created_time).limit(1))
    arrived = next(iter(sandbox.latest(workspace().id, 1)), None)
    pace = live.pace(max((one.created_at for one in latest), default=None))
    facts = [(one.id, one.updated_at) for one in latest]
    version = live.version(pace, len(webhooks), contact and contact.id, arrived and arrived.id, facts)
    if live.is_shown(version):
        return live.UNCHANGED
    return page(
        "overview/new.html",
        "overview/_steps.html",
        name=person().name.split()[0],
        webhooks=webhooks,
        in_sandbox=bool(sandbox.webhooks_of(workspace())),
        contact=contact,
        latest=latest,
        delivered=delivered,
        part=None if delivered else Live(url_for("overview.index", v=version), pace),
        **_exact(arrived),
    )


def _exact(arrived: SandboxRequest | None) -> dict[str, Any]:
    """What the sandbox receiver got, or what a server will get."""
    headers = [pair for pair in arrived.headers if pair[0] in SHOWN_HEADERS] if arrived else SAMPLE_HEADERS
    body = arrived.body if arrived else samples.sample_bodies()[EventType.CREATED]
    return {"arrived": arrived, "headers": exact.headers(headers), "body": exact.pretty(body)}


def _delivered() -> bool:
    """Whether a change of a contact has ever reached a receiver."""
    return db.session.scalar(_changes().where(Delivery.status == Status.SUCCEEDED).limit(1)) is not None


def _latest(count: int) -> list[Delivery]:
    newest = _changes().order_by(Delivery.created_at.desc(), Delivery.id.desc())
    return list(db.session.scalars(newest.limit(count)))


def _facts() -> dict[str, Any]:
    """What was sent in the last 24 h, and what there is."""
    today = _changes().where(Delivery.created_at >= utcnow() - DAY)
    counts = db.session.execute(today.with_only_columns(Delivery.status, func.count()).group_by(Delivery.status))
    webhooks, found = readings.living(workspace().id), dict.fromkeys(Status, 0) | dict(counts.all())
    ended = found[Status.SUCCEEDED] + found[Status.FAILED]
    return {
        "counts": found,
        "success": found[Status.SUCCEEDED] / ended if ended else None,
        "waits": charts.save_to_answer(workspace().id),
        "chart": None if wants_fragment() else charts.all_attempts(workspace().id),
        "contacts": db.session.scalar(own(Contact).with_only_columns(func.count())),
        "webhooks": [(webhook, sentences.mood(webhook)) for webhook in webhooks],
        "figures": readings.read(webhooks),
        "latest": _latest(LATEST),
        "problems": problems.of(webhooks),
    }


def _changes() -> Any:
    """Deliveries of what happened to contacts; tests are none."""
    return own(Delivery).where(Delivery.trigger != Trigger.TEST)
