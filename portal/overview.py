"""The Overview: for a newcomer three steps to the first delivery, afterwards what was sent and what is there."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, url_for
from sqlalchemy import func
from werkzeug.wrappers import Response

from .accounts.service import own, person, workspace
from .contacts import service as contacts
from .contacts.models import Contact
from .extensions import db, utcnow
from .web import go, page, say, wants_fragment
from .webhooks import exact, live, readings, samples, sentences
from .webhooks.live import Live
from .webhooks.models import Delivery, EventType, Status, Trigger

blueprint = Blueprint("overview", __name__)

DAY = timedelta(hours=24)
LATEST = 5
SAMPLE = {
    "first_name": "Allen",
    "last_name": "Ji",
    "email": "allen@acme.example",
    "phone_number": "12345678",
    "company_name": "Acme",
}


@blueprint.get("/")
def index() -> Response | tuple[str, int]:
    """The steps until something was delivered, and while they are on the screen; else the facts."""
    if wants_fragment() or not _delivered():
        return _steps()
    return page("overview/index.html", **_facts())


@blueprint.post("/sample")
def add_sample() -> Response:
    """Make a contact to try with; it is a contact like any other."""
    contacts.create(workspace().id, SAMPLE, person().name)
    db.session.commit()
    say("Allen Ji is added. Change or delete him as you like: each sends an event.")
    return go(url_for("overview.index"))


def _steps() -> Response | tuple[str, int]:
    """The three steps, each done or not yet; they ask for themselves until the last one is done."""
    webhooks = readings.living(workspace().id)
    contact = db.session.scalar(own(Contact).order_by(Contact.created_time).limit(1))
    latest = _latest(1)
    delivered = _delivered()
    pace = live.pace(max((one.created_at for one in latest), default=None))
    version = live.version(pace, len(webhooks), contact and contact.id, *((one.id, one.updated_at) for one in latest))
    if live.is_shown(version):
        return live.UNCHANGED
    return page(
        "overview/new.html",
        "overview/_steps.html",
        name=person().name.split()[0],
        webhooks=webhooks,
        contact=contact,
        latest=latest,
        delivered=delivered,
        part=None if delivered else Live(url_for("overview.index", v=version), pace),
        sample=exact.pretty(samples.sample_bodies()[EventType.CREATED]),
    )


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
    webhooks = readings.living(workspace().id)
    return {
        "counts": dict.fromkeys(Status, 0) | dict(counts.all()),
        "contacts": db.session.scalar(own(Contact).with_only_columns(func.count())),
        "webhooks": [(webhook, sentences.mood(webhook)) for webhook in webhooks],
        "figures": readings.read(webhooks),
        "latest": _latest(LATEST),
    }


def _changes() -> Any:
    """Deliveries of what happened to contacts; tests are none."""
    return own(Delivery).where(Delivery.trigger != Trigger.TEST)
