"""`make chaos` in short: on each database 6 kills and each other fault once, then every promise."""

import pytest

from tests.chaos.checks import judge
from tests.chaos.facts import gather
from tests.chaos.faults import SHORT
from tests.chaos.site import DATABASES, built
from tests.chaos.storm import Storm

pytestmark = pytest.mark.both

SEED = 1


@pytest.mark.parametrize("name", DATABASES)
def test_nothing_is_lost_and_order_is_kept_whatever_is_killed_emptied_or_set_back(name: str) -> None:
    with built(name, SEED, SHORT) as site:
        storm = Storm(site, SEED, SHORT)
        storm.run()
        facts = gather(storm)
    assert [verdict for verdict in judge(facts) if not verdict.held] == []
