"""The numbers of the design, as arithmetic; and each as a documented setting."""

import itertools
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from portal.config import ConfigError, load
from portal.pace import Pace, variable

OPERATING = Path(__file__).parent.parent / "docs" / "operating.md"
DEVELOPMENT = {"PORTAL_ENV": "development"}


def test_ten_attempts_over_75_hours() -> None:
    assert Pace().attempts == 10
    assert 75 * 3600 <= Pace().whole_schedule.total_seconds() <= 79 * 3600
    assert Pace().retry_delay(10) is None


def test_delays_vary_by_a_tenth_and_no_more() -> None:
    for step, nominal in enumerate(Pace().retry_schedule):
        delays = [Pace().retry_delay(step) or 0 for _ in range(200)]
        assert all(0.9 * nominal <= delay <= 1.1 * nominal for delay in delays)
        assert nominal == 0 or len(set(delays)) > 100


def test_probes_double_from_5_seconds_to_5_minutes() -> None:
    delays = [Pace().probe_delay(probe) for probe in range(1, 10)]
    assert delays[:3] == [5, 10, 20]
    assert delays[-1] == 300
    assert all(a <= b for a, b in itertools.pairwise(delays))


def test_the_ramp_goes_1_2_4_8_16_and_stays() -> None:
    widths = list(itertools.accumulate(range(5), lambda width, _: Pace().wider(width), initial=1))
    assert widths == [1, 2, 4, 8, 16, 16]


def test_a_killed_worker_is_replaced_within_45_seconds() -> None:
    pace = Pace()
    assert pace.lease + pace.sweep + pace.first_probe < 45, "its lease ends, then the next sweep rings"


def test_each_number_can_be_set(tmp_path: Path) -> None:
    environ = DEVELOPMENT | {
        "PORTAL_DATA": str(tmp_path),
        "PORTAL_RETRY_SCHEDULE": "0, 1.5 60",
        "PORTAL_MAX_WIDTH": "4",
    }
    pace = load(environ)["PACE"]
    assert pace.retry_schedule == (0, 1.5, 60)
    assert pace.max_width == 4
    assert pace.lease == Pace().lease


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("PORTAL_LEASE", "half a minute", "PORTAL_LEASE is not a number"),
        ("PORTAL_LEASE", "20", "PORTAL_LEASE must be longer than PORTAL_SEND_TIMEOUT"),
        ("PORTAL_MAX_WIDTH", "0", "PORTAL_MAX_WIDTH can't be '0'"),
        ("PORTAL_MAX_WIDTH", "1.5", "PORTAL_MAX_WIDTH is not a number"),
        ("PORTAL_SWEEP", "nan", "PORTAL_SWEEP can't be 'nan'"),
        ("PORTAL_SWEEP", "0", "PORTAL_SWEEP can't be '0'"),
        ("PORTAL_SLICE", "1 2", "PORTAL_SLICE can't be '1 2'"),
        ("PORTAL_RETRY_SCHEDULE", "0 -5", "PORTAL_RETRY_SCHEDULE can't be '0 -5'"),
        ("PORTAL_RETRY_SCHEDULE", ",", "PORTAL_RETRY_SCHEDULE can't be ','"),
        ("PORTAL_RETRY_JITTER", "2", "PORTAL_RETRY_JITTER can't be '2'"),
    ],
)
def test_a_number_that_can_not_work_stops_the_start_with_one_line(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(DEVELOPMENT | {"PORTAL_DATA": str(tmp_path), name: text})


def test_the_table_of_settings_is_that_of_the_code() -> None:
    rows = []
    for one in fields(Pace):
        assert one.default is not MISSING
        numbers = one.default if isinstance(one.default, tuple) else (one.default,)
        default = " ".join(f"{number:g}" for number in numbers)
        rows.append(f"| `{variable(one.name)}` | {default} | {one.metadata['meaning']} |")
    assert "\n".join(rows) in OPERATING.read_text()
