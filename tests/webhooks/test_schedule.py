"""The numbers of the design, as arithmetic."""

import itertools

from portal.webhooks import schedule


def test_ten_attempts_over_75_hours() -> None:
    assert len(schedule.SCHEDULE) == 10
    assert 75 * 3600 <= sum(schedule.SCHEDULE) <= 79 * 3600
    assert schedule.retry_delay(10) is None


def test_delays_vary_by_a_tenth_and_no_more() -> None:
    for step, nominal in enumerate(schedule.SCHEDULE):
        delays = [schedule.retry_delay(step) or 0 for _ in range(200)]
        assert all(0.9 * nominal <= delay <= 1.1 * nominal for delay in delays)
        assert nominal == 0 or len(set(delays)) > 100


def test_probes_double_from_5_seconds_to_5_minutes() -> None:
    delays = [schedule.probe_delay(probe) for probe in range(1, 10)]
    assert delays[:3] == [5, 10, 20]
    assert delays[-1] == 300
    assert all(a <= b for a, b in itertools.pairwise(delays))


def test_the_ramp_goes_1_2_4_8_16_and_stays() -> None:
    widths = list(itertools.accumulate(range(5), lambda width, _: schedule.wider(width), initial=1))
    assert widths == [1, 2, 4, 8, 16, 16]
