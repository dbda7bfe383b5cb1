"""People at work: each with a session of their own, they create, edit and delete contacts by the portal's forms."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy

import requests

from portal.webhooks.models import EventType
from tests.contacts.conftest import Fields
from tests.system.installation import LIMIT_SECONDS, PASSWORD, Browser

EMAIL = "dana@example.com"
AWAY_SECONDS = 0.05
"""Between two tries while no web process answers."""


@dataclass(frozen=True, slots=True)
class Save:
    """One press of Save. Whether an unanswered one was committed, the database knows."""

    kind: EventType
    contact: str
    """Its id; blank when a new contact's answer never came."""
    word: str
    """Something that only this save's body contains."""
    began: float
    ended: float
    answered: bool


class Contacts:
    """The contacts that all people work on. They are few, so that lanes become long."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ids: list[str] = []
        self.lock = threading.Lock()

    def add(self, contact: str) -> None:
        with self.lock:
            self.ids.append(contact)

    def pick(self, chance: random.Random) -> tuple[EventType, str]:
        """What to do next, and to whom. Who is to be deleted is nobody else's any more."""
        with self.lock:
            if len(self.ids) < self.size:
                return EventType.CREATED, ""
            i = chance.randrange(len(self.ids))
            if chance.random() < 0.1:
                return EventType.DELETED, self.ids.pop(i)
            return EventType.UPDATED, self.ids[i]


class Person(threading.Thread):
    """Somebody who saves as often as allowed, and tries something else when a save was not answered."""

    def __init__(self, crowd: "People", name: str) -> None:
        super().__init__(daemon=True, name=name)
        self.crowd, self.chance, self.count = crowd, random.Random(f"{crowd.seed} {name}"), 0
        browser = Browser(crowd.url)
        browser.post("/login", {"email": EMAIL, "password": PASSWORD})
        self.token = Fields(browser.get("/contacts/new").text).values["csrf_token"]
        self.session = _remembering_nothing(browser.session)

    def run(self) -> None:
        while self.crowd.may_save():
            while not self.save() and not self.crowd.ended.wait(AWAY_SECONDS):
                pass

    def save(self) -> bool:
        """Press Save once. Whether the answer says that it is saved."""
        kind, contact = self.crowd.contacts.pick(self.chance)
        self.count += 1
        word, began = f"{self.name}-{self.count}.", time.monotonic()
        answer = self._post(kind, contact, word)
        saved = answer is not None and answer.status_code == 303
        if answer is not None and saved and kind == EventType.CREATED:
            contact = answer.headers["location"].rpartition("/")[2]
            self.crowd.contacts.add(contact)
        outcome = "no answer" if answer is None else str(answer.status_code)
        self.crowd.note(Save(kind, contact, word, began, time.monotonic(), saved), outcome)
        return saved

    def _post(self, kind: EventType, contact: str, word: str) -> requests.Response | None:
        path = {
            EventType.CREATED: "/new",
            EventType.UPDATED: f"/{contact}/edit",
            EventType.DELETED: f"/{contact}/delete",
        }
        form = {"csrf_token": self.token, "email": "allen@example.com", "notes": word}
        address = f"{self.crowd.url}/contacts{path[kind]}"
        try:
            return self.session.post(address, form, timeout=LIMIT_SECONDS, allow_redirects=False)
        except requests.RequestException:
            return None


class People:
    """All of them. They save as often as they are allowed to: faults shall meet work, and not the time after it."""

    def __init__(self, url: str, seed: int, count: int, contacts: int) -> None:
        self.url, self.seed = url, seed
        self.contacts = Contacts(contacts)
        self.saves: list[Save] = []
        self.outcomes: Counter[str] = Counter()
        """What came of saves: statuses, and answers that never came."""
        self.writing = threading.Lock()
        self.allowed = threading.Semaphore(0)
        self.ended = threading.Event()
        self.persons = [Person(self, f"person{i}") for i in range(count)]
        for person in self.persons:
            person.start()

    def allow(self, saves: int) -> None:
        """Let people save so many times more."""
        if saves:
            self.allowed.release(saves)

    def may_save(self) -> bool:
        """Wait until one more save is allowed. False when it is time to go home."""
        while not self.allowed.acquire(timeout=1):
            if self.ended.is_set():
                return False
        return not self.ended.is_set()

    def note(self, save: Save, outcome: str) -> None:
        """Remember a save."""
        with self.writing:
            self.saves.append(save)
            self.outcomes[outcome] += 1

    def answered(self, since: float = 0) -> int:
        """How many saves that began after this time were answered with success."""
        return sum(save.answered and save.began >= since for save in list(self.saves))

    def go_home(self) -> None:
        """Wait until nobody saves any more."""
        self.ended.set()
        for person in self.persons:
            person.join()


def _remembering_nothing(session: requests.Session) -> requests.Session:
    """The same person, always with the same cookie: toasts that nobody looks at would pile up in it."""
    same = requests.Session()
    same.trust_env = False
    same.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    same.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    return same
