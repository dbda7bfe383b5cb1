"""`/health`: whether saving works, and whether somebody delivers."""

from datetime import timedelta
from typing import Any

import redis
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from . import jobs
from .accounts.permissions import public
from .extensions import db, db_now
from .webhooks.worker_models import WorkerBeat

blueprint = Blueprint("health", __name__)

FRESH = timedelta(seconds=30)
"""A worker process beats every 3 s; one silent for this long is dead."""


@blueprint.get("/health")
@public
def show() -> tuple[Response, int]:
    """200 and the state of each part; 503 when saving would fail. Redis away is no reason: saving goes on."""
    database = _database_works()
    parts: dict[str, Any] = {
        "database": "ok" if database else "down",
        "redis": "ok" if _redis_works() else "down",
        "workers": _living_workers() if database else 0,
    }
    parts["status"] = "ok" if database else "down"
    if database and not parts["workers"]:
        parts["warning"] = "No worker lives: events are recorded, and delivered when one starts."
    return jsonify(parts), 200 if database else 503


def _database_works() -> bool:
    try:
        db.session.execute(text("SELECT 1 FROM webhook WHERE 1 = 0"))
    except SQLAlchemyError:
        current_app.logger.exception("the database does not answer")
        return False
    return True


def _redis_works() -> bool:
    try:
        return bool(jobs.bells().redis.ping())
    except redis.RedisError:
        return False


def _living_workers() -> int:
    beats = select(func.count()).where(WorkerBeat.beaten_at > db_now(-FRESH.total_seconds()))
    return db.session.scalar(beats) or 0
