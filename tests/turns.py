"""`make test` takes turns where `make thorough` does everything."""

import os
from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")
IS_THOROUGH = bool(os.environ.get("THOROUGH"))


def share(many: Sequence[Thing], number: int, of: int = 2) -> Sequence[Thing]:
    """Every one of so many, from that number on: the shares together are all. If thorough, all of them each time."""
    return many if IS_THOROUGH else many[number % of :: of]
