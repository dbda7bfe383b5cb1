"""How long the delivery log takes to answer when it holds a million deliveries, beside ten thousand."""

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from playwright.sync_api import Browser as Chromium

from portal import create_app
from portal.accounts.models import Workspace
from portal.extensions import db, limiter
from portal.webhooks import live
from tests.conftest import PASSWORD, serving_postgres, serving_valkey, settings
from tests.filling import fill_log
from tests.webhooks.making import make_webhook

SMALL, LARGE = 10_000, 1_000_000
ROUNDS = 15
LIMIT = 2.0
WEBHOOKS = 10
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}
ASKED = {
    "first page": "",
    "succeeded": "status=succeeded",
    "failed": "status=failed",
    "waiting": "status=pending",
    "event, rare": "event=ContactDeleted",
    "event, common": "event=ContactUpdated",
    "webhook": "webhook={webhook}",
    "contact": "contact=cccccccc-cccc-cccc-cccc-cccc00000077",
    "code 404": "result=404",
    "class 4xx": "result=4xx",
    "class 2xx": "result=2xx",
    "named failure": "result=tls_expired",
    "trigger manual": "trigger=manual",
    "retried": "attempt=retried",
    "first attempt": "attempt=first",
    "slower than 5 s": "slower=5",
    "held": "next=held",
    "last hour": "since=1h",
    "failed at a webhook, retried": "status=failed&webhook={webhook}&attempt=retried",
    "nothing fits": "event=ContactDeleted&trigger=manual&slower=5",
    "search a name": "q=person77",
    "search two words": "q=person77+family27",
    "search an e-mail": "q=person77@mail.example",
    "search 20 contacts": "q=family7",
    "search all contacts": "q=person",
    "search nobody": "q=nobody",
    "search a webhook-id": "q=msg_log_4711",
}
MEANING = """\
Whole answers of the web process without the network: queries, counts of the tabs, the page. Each figure is the fastest
of {rounds} rounds, in which the two sizes take turns. In 1 of 100 deliveries the receiver failed; what is rare (an
expired certificate, a 404, a slow answer, `ContactDeleted`, a contact's own) is there 100 times, however long the log.
The deep page is the one after 90 % of the log. Promise: at most {limit:.0f} times.
"""


def measure(_chromium: Chromium) -> str:
    """Every filter on both databases, as a table."""
    lines = ["## The delivery log", MEANING.format(rounds=ROUNDS, limit=LIMIT)]
    lines += [f"| database | asked | {SMALL:,} | {LARGE:,} | ratio | |", "|---|---|---:|---:|---:|---|"]
    with (
        serving_valkey() as (_, redis_url),
        serving_postgres() as postgres_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name, urls in (("SQLite", sqlite_urls(folder)), ("PostgreSQL", postgres_urls(postgres_url))):
            print(f"\n{name}: filling", end="", flush=True)
            with log_of(urls[0], redis_url, folder, SMALL) as small, log_of(urls[1], redis_url, folder, LARGE) as large:
                lines += [row(name, asked, *times) for asked, times in compare(small, large).items()]
    return "\n".join([*lines, ""])


def sqlite_urls(folder: str) -> list[str]:
    return [f"sqlite:///{folder}/{size}.db" for size in (SMALL, LARGE)]


def postgres_urls(url: str) -> list[str]:
    names = [f"log_{size}" for size in (SMALL, LARGE)]
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"CREATE DATABASE {name}")
    return [url.replace("/postgres?", f"/{name}?") for name in names]


class Reader:
    """Somebody who looks at a log of some length."""

    def __init__(self, app: Flask, size: int) -> None:
        self.app, self.client = app, app.test_client()
        form = {"workspace": "Harbour Support", "name": "Dana", "email": "dana@example.com", "password": PASSWORD}
        assert self.client.post("/signup", data=form).status_code == 303
        with app.app_context():
            space = db.session.scalars(db.select(Workspace.id)).one()
            webhooks = [make_webhook(space, f"https://hooks{n}.example/in") for n in range(WEBHOOKS)]
            webhook = webhooks[7].id  # the one that fails
            fill_log(webhooks, size)
        self.asked = {name: f"/deliveries?{query.format(webhook=webhook)}" for name, query in ASKED.items()}
        deep = (int(time.time()) - size * 9 // 10) * 10**6
        self.asked["deep page"] = f"/deliveries?before={deep}_{'f' * 32}"

    def poll(self) -> str:
        """The address that an open log asks, as long as nothing changes."""
        page = self.client.get("/deliveries").text
        found = re.search(r'id="log" hx-get="([^"]+)"', page)
        assert found
        return found[1].replace("&amp;", "&")

    def time(self, address: str, status: int = 200, **how: Any) -> float:
        """Milliseconds until the answer is there."""
        begin = time.perf_counter()
        answer = self.client.get(address, **how)
        taken = time.perf_counter() - begin
        assert answer.status_code == status, address
        return taken * 1000


@contextmanager
def log_of(url: str, redis_url: str, folder: str, size: int) -> Iterator[Reader]:
    """A portal on that database, and somebody who looks at its log."""
    app = create_app(settings(url, redis_url, Path(folder)))
    limiter.enabled = False
    with app.app_context():
        db.create_all()
    yield Reader(app, size)
    with app.app_context():
        db.engine.dispose()
    limiter.enabled = True


def compare(small: Reader, large: Reader) -> dict[str, tuple[float, float]]:
    """The fastest answers of both to each question."""
    found = {}
    for name in small.asked:
        print(".", end="", flush=True)
        found[name] = fastest(lambda reader, name=name: reader.time(reader.asked[name]), small, large)
    live.STALE_SECONDS = 10**9  # nothing is sent again only because time has passed
    addresses = {id(reader): reader.poll() for reader in (small, large)}
    found["unchanged poll"] = fastest(
        lambda reader: reader.time(addresses[id(reader)], 204, headers=HTMX), small, large
    )
    return found


def fastest(ask: Callable[[Reader], float], small: Reader, large: Reader) -> tuple[float, float]:
    rounds = [(ask(small), ask(large)) for _ in range(ROUNDS)]
    return min(a for a, _ in rounds), min(b for _, b in rounds)


def row(database: str, asked: str, small: float, large: float) -> str:
    verdict = "PASS" if large <= small * LIMIT else "over"
    return f"| {database} | {asked} | {small:.1f} ms | {large:.1f} ms | {large / small:.2f} | {verdict} |"
