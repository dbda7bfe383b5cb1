"""Ids that sort by when they were made."""

import time
import uuid

import pytest

from portal.ids import new_id


def test_ids_sort_by_when_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    made = []
    for _ in range(3000):
        now += 300  # nanoseconds: twelve bits tell 244 of them apart
        made.append(new_id())
    assert made == sorted(made)
    assert sorted(one.hex for one in made) == [one.hex for one in made], "as SQLite keeps them"
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert made[0].int >> 80 == (now - 2999 * 300) // 1_000_000, "the first 48 bits are the milliseconds"


def test_two_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    assert len({new_id() for _ in range(1000)}) == 1000
