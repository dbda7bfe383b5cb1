"""The bell: at most one rings per webhook, none is lost, none runs anything but ours."""

import time
import uuid

import pytest
import redis
from flask import Flask
from rq.exceptions import NoSuchJobError

from portal import jobs
from portal.extensions import db, db_now
from portal.webhooks import alarms, outbound, publisher, tasks
from portal.webhooks.models import Event
from tests.webhooks.driving import refusal
from tests.webhooks.making import delivery_of, make_event, make_webhook, make_workspace

pytestmark = pytest.mark.both


def waiting() -> list[str]:
    return [job.args[0] for job in jobs.bells().queue.jobs]


def test_a_commit_rings_once_and_a_second_one_while_it_rings_does_not(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    make_event(webhook.workspace_id)
    make_event(webhook.workspace_id)
    assert waiting() == [str(webhook.id)]


def test_once_answered_it_rings_again(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    make_event(webhook.workspace_id)
    jobs.bells().answered(webhook.id)
    make_event(webhook.workspace_id)
    assert len(waiting()) == 2


def test_a_retry_comes_when_it_is_due_and_not_when_the_sweepers_last_bell_is_forgotten(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "send", lambda *_, **__: refusal())
    webhook = make_webhook(make_workspace())
    delivery = delivery_of(make_event(webhook.workspace_id), webhook)
    jobs.bells().redis.flushall()
    tasks.sweep("worker")
    jobs.bells().queue.empty()
    tasks.drain(str(webhook.id))
    delivery.due_at = db_now()  # the time until the next attempt has passed
    db.session.commit()
    tasks.sweep("worker")
    assert waiting() == [str(webhook.id)]


def test_a_job_leaves_no_transaction_open_while_rq_speaks_with_redis(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "look", lambda _: db.session.scalar(db.select(db_now())))
    queue = jobs.bells().queue
    job = jobs.AllowedJob.create(jobs.ALARMS, ["any"], connection=queue.connection, serializer=queue.serializer)
    assert job.perform()
    assert not db.session().in_transaction()


def test_what_was_rolled_back_rings_not_and_leaves_nothing(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    for _ in range(100):
        make_event(webhook.workspace_id, commit=False)
        db.session.rollback()
    assert waiting() == []
    assert db.session.query(Event).count() == 0


def test_a_savepoint_is_no_commit(app: Flask) -> None:
    webhook = make_webhook(make_workspace())
    with db.session.begin_nested():
        make_event(webhook.workspace_id, commit=False)
    assert waiting() == []
    db.session.commit()
    assert waiting() == [str(webhook.id)]


def test_the_key_and_the_job_come_together_or_not_at_all(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    bells, webhook_id = jobs.bells(), uuid.uuid4()

    def fail(*_: object, **__: object) -> None:
        raise redis.ConnectionError("away in between")

    monkeypatch.setattr(bells.queue, "enqueue_call", fail)
    assert not bells.ring(webhook_id)
    assert not bells.redis.exists(f"bell:{webhook_id}")


def test_without_redis_saving_goes_on_and_it_is_left_alone_for_a_while(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    webhook = make_webhook(make_workspace())
    monkeypatch.setitem(app.extensions, "bells", jobs.Bells("redis://127.0.0.1:1/0"))
    event = make_event(webhook.workspace_id)
    assert db.session.get(Event, event.id)
    assert caplog.text.count("Redis does not answer") == 1
    for _ in range(20):
        make_event(webhook.workspace_id)
    assert caplog.text.count("Redis does not answer") == 1, "it must not be asked again at every save"


def test_a_silent_redis_costs_a_quarter_of_a_second_once(app: Flask) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        bells = jobs.Bells(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        begin = time.monotonic()
        assert not bells.ring(uuid.uuid4())
        once = time.monotonic() - begin
        begin = time.monotonic()
        assert not bells.ring(uuid.uuid4())
        assert time.monotonic() - begin < once / 5, "the second save must not wait for it again"
        bells.redis.close()


def test_a_foreign_function_is_never_run(app: Flask) -> None:
    job = jobs.bells().queue.enqueue_call("os.getcwd")
    fetched = jobs.AllowedJob.fetch(job.id, connection=jobs.bells().redis, serializer=jobs.JSONSerializer)
    with pytest.raises(NoSuchJobError):
        fetched.perform()


def test_publish_to_nobody_rings_nobody(app: Flask) -> None:
    event = make_event(make_workspace())
    assert event.id
    assert waiting() == []
    assert publisher.BELLS not in db.session().info
