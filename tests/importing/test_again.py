"""The same file a second time changes nothing, makes nobody and tells nothing."""

import pytest

from portal.importing.planning import Planner
from tests.importing.conftest import Wizard, facts, table

pytestmark = pytest.mark.both


@pytest.mark.parametrize("how", ["overwrite", "fill", "append"])
def test_tags_of_rows_and_tags_for_all_are_no_news_the_second_time(how: str, wizard: Wizard) -> None:
    wizard.add(email="a@x.example", tags="Old")
    data = table(("Email", "Tags"), ("a@x.example", "VIP, new"), ("b@x.example", "vip"))
    wizard.imported(data, **{"how-1": how}, tags="Spring, NEW")
    before, count = facts(wizard.contacts().values()), len(wizard.events())
    assert wizard.imported(data, **{"how-1": how}, tags="spring, New").counts == {"unchanged": 2}
    assert (facts(wizard.contacts().values()), len(wizard.events())) == (before, count)


def test_the_run_counts_what_really_changed(wizard: Wizard, monkeypatch: pytest.MonkeyPatch) -> None:
    wizard.add(email="a@x.example", city="Porto")
    made = wizard.planned(table(("Email", "City", "Notes"), ("a@x.example", "Porto", "x")))
    monkeypatch.setattr(Planner, "_changes", lambda *_: {"city": "Porto"})
    assert wizard.run(made).counts == {"unchanged": 1}


def test_rows_without_the_chosen_key_make_a_contact_once(wizard: Wizard) -> None:
    head = ("Contact ID", "Email", "Phone", "City")
    rows = [("7001", "a@x.example", "", "Porto"), ("", "b@x.example", "", "Faro"), ("", "", "600 112 233", "Braga"),
            ("", "B@x.example", "", "Beja"), ("", "a@x.example", "", "Beja")]  # fmt: skip
    by = {"match-0": "contactId", "match-1": "", "match-2": ""}
    first = wizard.imported(table(head, *rows[:4]), **by)
    assert (first.counts, wizard.refused(first)[5][:7]) == ({"new": 3, "refused": 1}, "Row 3 o")
    before, count = facts(wizard.contacts().values()), len(wizard.events())
    again = wizard.imported(table(head, *rows), **by)
    assert again.counts == {"unchanged": 1, "refused": 4}
    assert wizard.refused(again)[3] == (
        "A contact has this e-mail address already, and the row has no contact ID to find it by. "
        "Give that, or choose that contacts are known by Email, too."
    )
    assert "Phone number, too" in wizard.refused(again)[4]
    assert (facts(wizard.contacts().values()), len(wizard.events())) == (before, count)
    assert wizard.imported(table(head, *rows[:3]), **by | {"match-1": "email", "match-2": "phoneNumber"}).counts == {
        "unchanged": 3
    }
