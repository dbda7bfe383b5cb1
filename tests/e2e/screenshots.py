"""Pictures of the key screens of the real product: light and dark, wide and on a phone. `make screenshots` runs it."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright

from tests.browser import find
from tests.conftest import serving_valkey
from tests.e2e.conftest import FLAGS
from tests.receiving import Got, receiving
from tests.system.conftest import free_port
from tests.system.installation import Browser, installed, until

FOLDER = Path("test-results/screenshots")
SIZES = {"wide": (1280, 900), "phone": (390, 844)}
PEOPLE = [
    ("Priya", "Raman", "Lumenworks", "VIP"),
    ("Tomás", "Herrera", "Northwind Traders", "VIP, Renewal"),
    ("Ingrid", "Solberg", "Fjordline AS", "VIP"),
    ("Kwame", "Mensah", "Brightside Energy", "VIP, Beta"),
    ("Beatriz", "Lopes", "Mar e Terra", ""),
    ("Hannah", "Vogel", "Steinbach GmbH", "Renewal"),
    ("Oluwaseun", "Adeyemi", "Kolaboard", "Beta"),
    ("Yuki", "Tanabe", "Tanabe Studio", "Renewal"),
]


def refuse_some(got: Got) -> int:
    """The second receiver is in maintenance for one of the contacts."""
    return 503 if b"Solberg" in got.body else 204


def fill(dana: Browser, urls: list[str]) -> dict[str, str]:
    """Webhooks, contacts and deliveries to look at; returns the addresses of the screens."""
    for url in urls:
        dana.create_webhook(url)
    contacts = [
        dana.create_contact(
            first_name=first,
            last_name=last,
            company_name=company,
            tags=tags,
            email=f"{first.lower()}@{company.split()[0].lower()}.example".replace("á", "a"),
        )
        for first, last, company, tags in PEOPLE
    ]
    form = {
        "first_name": "Tomás",
        "last_name": "Herrera",
        "email": "tomas@northwind.example",
        "company_name": "Northwind",
    }
    dana.post(f"/contacts/{contacts[1]}/edit", form)
    until(lambda: dana.get("/deliveries").text.count("204") >= len(PEOPLE), "the deliveries")
    webhooks = dana.get("/apps/webhooks").text
    failing = first_match(r"/apps/webhooks/[0-9a-f-]{36}", webhooks)
    failed = first_match(r"/deliveries/[0-9a-f-]{36}", dana.get("/deliveries?q=Solberg").text)
    return {
        "overview": "/",
        "contacts": "/contacts",
        "contact": f"/contacts/{contacts[1]}",
        "contact-new": "/contacts/new",
        "apps": "/apps",
        "webhooks": "/apps/webhooks",
        "webhook-new": "/apps/webhooks/new",
        "webhook": failing,
        "deliveries": "/deliveries",
        "delivery": failed,
        "settings": "/settings",
        "tags": "/settings/tags",
        "missing": "/contacts/nothing",
    }


def first_match(pattern: str, text: str) -> str:
    import re

    found = re.search(pattern, text)
    assert found, pattern
    return found.group()


def take(chromium: Chromium, dana: Browser, screens: dict[str, str]) -> None:
    """One picture per screen, theme and size."""
    for size, (width, height) in SIZES.items():
        for theme in ("light", "dark"):
            context = chromium.new_context(
                base_url=dana.url,
                viewport={"width": width, "height": height},
                color_scheme=theme,
                device_scale_factor=1,
            )
            cookies = [{"name": c.name, "value": c.value or "", "url": dana.url} for c in dana.session.cookies]
            context.add_cookies(cookies)  # type: ignore[arg-type]
            page = context.new_page()
            for name, address in screens.items():
                page.goto(address)
                page.wait_for_load_state("load")
                page.screenshot(path=str(FOLDER / f"{name}-{size}-{theme}.png"), full_page=True)
                print(".", end="", flush=True)
            context.close()


def main() -> None:
    path = find()
    if not path:
        sys.exit("No Chromium on this machine.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp())
    with (
        serving_valkey() as (_, redis_url),
        receiving(204) as healthy,
        receiving(refuse_some) as busy,
        installed(f"sqlite:///{folder}/p.db", redis_url, folder / "data", free_port()) as made,
        sync_playwright() as playwright,
    ):
        made.web()
        made.worker()
        dana = Browser(made.url)
        dana.sign_up()
        screens = fill(dana, [healthy.url, busy.url])
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        take(chromium, dana, screens)
        chromium.close()
    print(f"\nPictures are in {FOLDER}/")


if __name__ == "__main__":
    main()
