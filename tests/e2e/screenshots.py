"""Pictures of the key screens of the real product, and the README's moving one. `make screenshots` runs it."""

import sys
from pathlib import Path

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright

from tests.browser import find
from tests.e2e import film, showcase
from tests.e2e.conftest import FLAGS
from tests.system.installation import Browser

FOLDER = Path("test-results/screenshots")
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
MOVING = Path("docs/delivered.webp")


def take(chromium: Chromium, dana: Browser, screens: dict[str, str]) -> None:
    """One picture per screen, theme and size."""
    for size, viewport in SIZES.items():
        for theme in ("light", "dark"):
            context = showcase.logged_in(chromium, dana, viewport=viewport, color_scheme=theme)
            page = context.new_page()
            for name, address in screens.items():
                page.goto(address)
                page.screenshot(path=str(FOLDER / f"{name}-{size}-{theme}.png"), full_page=True)
                print(".", end="", flush=True)
            context.close()


def main() -> None:
    path = find()
    if not path:
        sys.exit("No Chromium on this machine.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        with showcase.shown() as (dana, screens):
            take(chromium, dana, screens)
        film.make(chromium, MOVING)
        chromium.close()
    print(f"\nPictures are in {FOLDER}/ and {MOVING}")


if __name__ == "__main__":
    main()
