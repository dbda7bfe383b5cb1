"""Letters reach a real mail server, once, and wait for it while it is away."""

import email
import email.policy
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from sqlalchemy import select, update

from portal import jobs, mail
from portal.extensions import db, db_now
from portal.mail import Letter
from portal.webhooks import tasks
from tests.system.conftest import free_port


class Postbox:
    """A mail server that keeps what it gets, or is out of order."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.works = True

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if not self.works:
            return "451 Not now"
        self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@pytest.fixture
def postbox(app: Flask) -> Iterator[Postbox]:
    box, port = Postbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}?from=portal@example.com"
    yield box
    controller.stop()


def write() -> str:
    mail.write("dana@example.com", "crm.example:\nFailing", "Zażółć gęślą jaźń.\n\nLook there.")
    db.session.commit()
    [key] = mail.waiting()
    return str(key)


def let_time_pass() -> None:
    db.session.execute(update(Letter).values(tried_at=db_now(-2 * mail.AGAIN_SECONDS)))
    db.session.commit()


def test_a_letter_arrives_once_however_often_its_bell_rings(postbox: Postbox) -> None:
    key = write()
    mail.post(key)
    let_time_pass()
    mail.post(key)
    [letter] = postbox.got
    assert (letter["To"], letter["From"], letter["Subject"]) == (
        "dana@example.com", "portal@example.com", "crm.example: Failing",
    )  # fmt: skip
    assert letter.get_content().splitlines() == ["Zażółć gęślą jaźń.", "", "Look there."]
    assert mail.waiting() == []


def test_two_workers_do_not_send_it_twice(postbox: Postbox) -> None:
    key = write()
    postbox.works = False
    mail.post(key)
    postbox.works = True
    mail.post(key)
    assert postbox.got == [], "it is tried again in a minute, and not at once"


def test_what_the_server_did_not_take_is_tried_again(postbox: Postbox) -> None:
    key = write()
    postbox.works = False
    mail.post(key)
    let_time_pass()
    assert [str(one) for one in mail.waiting()] == [key]
    postbox.works = True
    mail.post(key)
    assert len(postbox.got) == 1


def test_a_server_that_is_away_is_no_error(app: Flask) -> None:
    app.config["SMTP_URL"] = f"smtp://127.0.0.1:{free_port()}"
    mail.post(write())
    assert db.session.scalars(select(Letter.sent_at)).all() == [None]


def test_old_news_are_given_up(postbox: Postbox) -> None:
    key = write()
    db.session.execute(update(Letter).values(created_at=db_now(-mail.GIVE_UP_SECONDS - 1)))
    db.session.commit()
    assert mail.waiting() == []
    mail.post(key)
    assert postbox.got == []


def test_one_of_another_portal_is_none(postbox: Postbox) -> None:
    mail.post(str(uuid.uuid4()))
    assert postbox.got == []


def test_the_sweeper_rings_for_what_waits(postbox: Postbox) -> None:
    key = write()
    tasks.sweep("one")
    assert [job.args for job in jobs.bells().queue.jobs if job.func_name == jobs.MAIL] == [[key]]


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("smtp://mail.example", "portal@mail.example"),
        ("smtps://dana%40example.com:pw@mail.example", "dana@example.com"),
        ("smtp://key:pw@mail.example?from=cx@example.com", "cx@example.com"),
    ],
)
def test_the_sender_is_named_or_whom_the_server_knows(app: Flask, url: str, sender: str) -> None:
    app.config["SMTP_URL"] = url
    assert mail._sender() == sender
