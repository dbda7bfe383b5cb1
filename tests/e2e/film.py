"""The README's moving picture: a contact is saved, and the row of its delivery turns green by itself."""

import io
import re
import threading
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.e2e import showcase
from tests.receiving import Receiver, receiving
from tests.system.installation import Browser, until

SIZE: ViewportSize = {"width": 1100, "height": 600}
ARROW = [(0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12)]
STEPS, STEP_MS = 7, 45
"""Frames in which the pointer goes somewhere, and how long each is shown."""
LETTER_MS, GLANCE_MS, LOOK_MS, END_MS = 140, 500, 1300, 3200
TYPED = {"First name": "Allen", "Last name": "Ji", "Email": "allen@acme.example"}


class Film:
    """Frames of one page, with a pointer drawn where a person's would be."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.at = (SIZE["width"] * 0.6, SIZE["height"] * 0.7)
        self.frames: list[Image.Image] = []
        self.durations: list[int] = []

    def show(self, milliseconds: int) -> None:
        """The page as it is now, for so long."""
        self._add(self._picture(), milliseconds)

    def go(self, target: Locator) -> None:
        """The pointer goes to the middle of `target`."""
        box, start, picture = target.bounding_box(), self.at, self._picture()
        assert box
        end = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for step in range(1, STEPS + 1):
            share = step / STEPS
            share = share * share * (3 - 2 * share)  # slow, fast, slow: as a hand moves
            self.at = start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
            self._add(picture.copy(), STEP_MS)
        self.page.mouse.move(*end)
        self.show(GLANCE_MS)

    def type(self, target: Locator, text: str) -> None:
        """A few letters at a time."""
        target.focus()
        for piece in re.findall(".{1,4}", text):
            self.page.keyboard.insert_text(piece)
            self.show(LETTER_MS)

    def save(self, path: Path) -> None:
        first, *others = self.frames
        first.save(path, save_all=True, append_images=others, duration=self.durations, loop=0, lossless=True, method=6)

    def _picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")

    def _add(self, picture: Image.Image, milliseconds: int) -> None:
        outline = [(self.at[0] + x, self.at[1] + y) for x, y in ARROW]
        ImageDraw.Draw(picture).polygon(outline, fill="black", outline="white")
        self.frames.append(picture)
        self.durations.append(milliseconds)


def make(chromium: Chromium, path: Path) -> None:
    """Set the stage: one webhook, and some contacts that were delivered before."""
    with showcase.running() as portal, receiving() as receiver:
        dana = Browser(portal.url)
        dana.sign_up()
        dana.create_webhook(receiver.url)
        for person in showcase.PEOPLE[:5]:
            showcase.add_contact(dana, *person)
        until(lambda: dana.get("/deliveries").text.count("200 OK") == 5, "the deliveries")
        context = showcase.logged_in(chromium, dana, viewport=SIZE, color_scheme="light")
        film = Film(context.new_page())
        shoot(film, receiver)
        film.save(path)
        context.close()


def shoot(film: Film, receiver: Receiver) -> None:
    """Save a contact, go to Deliveries, and watch; the receiver answers once its row was seen waiting for it."""
    page, answer = film.page, threading.Event()
    receiver.answer = lambda _: 200 if answer.wait(60) else 500
    page.goto("/contacts/new")
    film.show(GLANCE_MS)
    for label, text in TYPED.items():
        film.type(page.get_by_label(label, exact=True), text)
    save = page.get_by_role("button", name="Save")
    save.scroll_into_view_if_needed()
    film.show(GLANCE_MS)
    film.go(save)
    save.click()
    page.get_by_role("heading", name="Allen Ji").wait_for()
    film.show(LOOK_MS)
    deliveries = page.get_by_role("link", name="Deliveries").first
    film.go(deliveries)
    deliveries.click()
    row = page.get_by_role("row").filter(has_text="Allen Ji")
    expect(row).to_contain_text("Sending")
    film.show(LOOK_MS)
    answer.set()
    expect(row).to_contain_text("200 OK")
    film.show(END_MS)
