"""How much the browser loads for a page that it sees for the first time."""

from playwright.sync_api import Browser as Chromium

from tests.e2e import showcase
from tests.system.installation import Browser

LIMIT_KB = 150
PAGES = (
    "overview",
    "contacts",
    "contact",
    "contact-new",
    "apps",
    "webhooks",
    "webhook",
    "sandbox",
    "deliveries",
    "delivery",
)
LOADED = """
() => ["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind))
  .reduce((sum, entry) => sum + entry.transferSize, 0)
"""
MEANING = """\
Everything that crosses the wire, headers too, with an empty cache. Most of it is Tabler's style sheet, the portal's own
and htmx, which the browser then keeps.
"""


def measure(chromium: Chromium) -> str:
    """The main pages of a workspace with some data in it, as a table."""
    lines = [
        "## Weight of a page",
        f"Promise: at most {LIMIT_KB} KB cold.\n",
        "| page | cold | with the cache | |",
        "|---|---:|---:|---|",
    ]
    print("Weights", end="", flush=True)
    with showcase.shown() as (dana, screens):
        for name in PAGES:
            cold, warm = weigh(chromium, dana, screens[name])
            lines.append(f"| {name} | {cold:.0f} KB | {warm:.0f} KB | {'PASS' if cold <= LIMIT_KB else 'over'} |")
            print(".", end="", flush=True)
    return "\n".join([*lines, "", MEANING])


def weigh(chromium: Chromium, dana: Browser, address: str) -> tuple[float, float]:
    """Kilobytes of a page in a fresh browser, and when it is opened once more."""
    context = showcase.logged_in(chromium, dana)
    page = context.new_page()
    page.goto(address)
    cold = page.evaluate(LOADED)
    page.goto(address)
    warm = page.evaluate(LOADED)
    context.close()
    return cold / 1024, warm / 1024
