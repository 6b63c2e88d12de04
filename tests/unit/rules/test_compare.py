"""What differs between two versions of a set, and how a version's note says it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.domain.compare import changes, note_of
from rules.domain.rule import Rules, StoredRule
from shared.events import Action, ActionType
from tests.unit.rules.builders import condition, rule


def named(*names: str) -> Rules:
    return tuple(rule(name, ActionType.IGNORE) for name in names)


def told(before: Rules, after: Rules) -> list[tuple[str, str]]:
    return [(change.rule_name, change.what) for change in changes(before, after)]


def note(before: Rules, after: Rules) -> str:
    return note_of(changes(before, after))


def with_first(rules: Rules, **values: object) -> Rules:
    return (rules[0].model_copy(update=values), *rules[1:])


def test_equal_sets_do_not_differ() -> None:
    assert changes(named("a", "b"), named("a", "b")) == []


def test_moving_one_rule_moves_no_other() -> None:
    (change,) = changes(named("a", "b", "c", "d"), named("d", "a", "b", "c"))
    assert (change.rule_name, change.what) == ("d", "moved")
    assert [(field.field, field.before, field.after) for field in change.fields] == [("position", 4, 1)]


def test_rules_behind_an_added_or_removed_one_have_not_moved() -> None:
    assert told(named("a", "b", "c"), named("n", "a", "c")) == [("n", "added"), ("b", "removed")]


def test_a_changed_rule_shows_each_part_that_differs_as_its_json() -> None:
    before = named("a", "b")
    action = Action(type=ActionType.CREATE_TICKET, priority="high")
    after = with_first(before, name="x", action=action, conditions=(condition("subject", "contains", "y"),))
    (change,) = changes(before, after)
    assert (change.rule_id, change.rule_name, change.what) == ("a", "x", "changed")
    fields = {field.field: field for field in change.fields}
    assert set(fields) == {"name", "conditions", "action"}
    assert fields["conditions"].before == []
    assert fields["conditions"].after == [{"field": "subject", "header": None, "operator": "contains", "value": "y"}]
    assert fields["action"].after == action.model_dump(mode="json")


def test_a_rule_that_was_changed_and_moved_is_changed_with_its_places() -> None:
    before = named("a", "b", "c")
    after = (before[1], before[2], before[0].model_copy(update={"enabled": False}))
    (change,) = changes(before, after)
    assert change.what == "changed"
    assert [(field.field, field.before, field.after) for field in change.fields] == [("enabled", True, False), ("position", 1, 3)]


@given(st.permutations(range(7)))
def test_as_few_rules_as_possible_are_moved(order: list[int]) -> None:
    before = named(*map(str, range(7)))
    after = tuple(before[number] for number in order)
    moved = {change.rule_id for change in changes(before, after)}
    assert [one for one in before if one.id not in moved] == [one for one in after if one.id not in moved]
    assert len(before) - len(moved) == longest_rising(order)


def longest_rising(numbers: list[int]) -> int:
    """The obvious way, in quadratic time."""
    best: list[int] = []
    for position, number in enumerate(numbers):
        best.append(1 + max((best[other] for other in range(position) if numbers[other] < number), default=0))
    return max(best)


def test_notes_are_plain_words() -> None:
    before = named("Invoices", "Spam", "Rest")
    assert note(before, with_first(before, enabled=False)) == "Rule 'Invoices' switched off"
    assert note(with_first(before, enabled=False), before) == "Rule 'Invoices' switched on"
    assert note(before, with_first(before, name="Bills")) == "Rule 'Invoices' renamed to 'Bills'"
    assert note(before, with_first(before, match="any", enabled=False)) == "Rule 'Invoices' changed: enabled, match"
    assert note(before, before[:2]) == "Rule 'Rest' deleted"
    assert note(before[:1], before) == "Rules 'Spam', 'Rest' added"
    assert note(before, (before[2], *before[:2])) == "Order changed: 'Rest' from 3 to 1"
    assert note(before, named("Rest", "Invoices", "Spam", "New")) == "Rule 'New' added; Order changed: 'Rest' from 3 to 1"


def test_a_note_of_many_changes_gives_their_number_and_stays_short() -> None:
    many: Rules = named(*(f"{number}-{'x' * 190}" for number in range(300)))
    assert note((), many) == "300 rules added"
    changed: Rules = tuple(StoredRule.model_validate({**one.model_dump(), "enabled": False}) for one in many[:3])
    assert len(note(many, (*changed, *many[3:]))) <= 500
