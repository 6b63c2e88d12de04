"""Changes of a rule set, and what is refused."""

from __future__ import annotations

import pytest

from rules.domain import rule as rules
from rules.domain.rule import RuleMissingError, RuleRefusedError, builtin_rules
from shared.api import RuleIn, RulePatch
from shared.events import Action, ActionType, Lookup
from tests.unit.rules.builders import condition

SET = builtin_rules("s")
BUILTIN = SET[0].id
NEW = RuleIn(name="all", action=Action(type=ActionType.CREATE_TICKET))


def test_the_built_in_set_is_a_function_of_the_scanner() -> None:
    assert builtin_rules("s") == SET
    assert builtin_rules("t")[0].id != BUILTIN
    assert SET[0].builtin
    assert SET[0].action.lookup is Lookup.CONVERSATION


def test_a_new_rule_is_put_last_and_the_set_before_stays_as_it_was() -> None:
    after = rules.added(SET, "n", NEW)
    assert [one.id for one in after] == [BUILTIN, "n"]
    assert len(SET) == 1


def test_the_built_in_rule_moves_and_is_switched_off_but_never_deleted_or_turned_into_another() -> None:
    two = rules.added(SET, "n", NEW)
    assert [one.id for one in rules.reordered(two, ["n", BUILTIN])] == ["n", BUILTIN]
    assert not rules.changed(two, BUILTIN, RulePatch(enabled=False))[0].enabled
    longer = SET[0].action.model_copy(update={"reopen_days": 90})
    assert rules.changed(two, BUILTIN, RulePatch(action=longer))[0].action.reopen_days == 90
    with pytest.raises(RuleRefusedError, match="built in"):
        rules.removed(two, BUILTIN)
    with pytest.raises(RuleRefusedError, match="built in"):
        rules.changed(two, BUILTIN, RulePatch(action=Action(type=ActionType.IGNORE)))


def test_a_patch_changes_the_given_fields_only() -> None:
    before = rules.added(SET, "n", NEW)
    after = rules.changed(before, "n", RulePatch(name="every mail"))[1]
    assert (after.name, after.action, after.id) == ("every mail", NEW.action, "n")


@pytest.mark.parametrize("order", [[], ["n"], [BUILTIN, "n", "x"], [BUILTIN, BUILTIN], [BUILTIN, "n", "n"]])
def test_an_order_must_be_exactly_the_set(order: list[str]) -> None:
    with pytest.raises(RuleRefusedError, match="exactly once"):
        rules.reordered(rules.added(SET, "n", NEW), order)


def test_what_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(RuleMissingError):
        rules.removed(SET, "n")
    with pytest.raises(RuleMissingError):
        rules.changed(SET, "n", RulePatch(name="x"))


def test_a_set_is_bounded() -> None:
    full = SET * rules.MAX_RULES
    with pytest.raises(RuleRefusedError, match="1000"):
        rules.added(full, "n", NEW)


def test_nul_is_taken_out_of_every_text() -> None:
    nasty = RuleIn(
        name="a\x00b", conditions=[condition("subject", "contains", "c\x00d")], action=Action(type=ActionType.IGNORE, status="e\x00f")
    )
    assert "u0000" not in rules.added(SET, "n", nasty)[1].model_dump_json()
    assert rules.changed(SET, BUILTIN, RulePatch(name="x\x00y"))[0].name == "xy"
