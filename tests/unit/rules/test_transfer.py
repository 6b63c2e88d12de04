"""Rules as a file, and a file's rules in a set."""

from __future__ import annotations

import pytest

from rules.domain.rule import BUILTIN_NAME, MAX_RULES, RuleRefusedError, Rules, builtin_rules
from rules.domain.transfer import appended, exported, replaced
from shared.api import ExportedRule
from shared.events import Action, ActionType, Lookup
from tests.unit.rules.builders import condition, rule

FROM: Rules = (
    rule("Invoices", Action(type=ActionType.CREATE_TICKET, priority="high", tags=["bill"]), condition("subject", "contains", "invoice")),
    builtin_rules("a")[0].model_copy(update={"enabled": False}),
    rule("Rest", ActionType.IGNORE, enabled=False, match="any"),
)
TO: Rules = (*builtin_rules("b"), rule("Old", ActionType.ARCHIVE), rule("Rest", ActionType.ARCHIVE))


def test_an_export_imported_elsewhere_is_the_same_export_again() -> None:
    file = exported(FROM)
    after = replaced(TO, file, "seed")
    assert exported(after) == file
    assert [one.builtin for one in after] == [False, True, False]
    assert after[1].id == builtin_rules("b")[0].id
    assert after[0].id != FROM[0].id


def test_a_replaced_rule_keeps_the_id_of_the_rule_of_its_name() -> None:
    after = replaced(TO, exported(FROM), "seed")
    assert after[2].id == "Rest"
    assert replaced(FROM, exported(FROM), "other seed") == FROM


def test_rules_of_one_name_keep_one_id_each() -> None:
    file = [ExportedRule(name="Rest", action=Action(type=ActionType.IGNORE)) for _ in range(2)]
    ids = [one.id for one in replaced(TO, file, "seed")]
    assert len(set(ids)) == 3
    assert ids.count("Rest") == 1


def test_a_file_without_the_built_in_rule_leaves_it_as_it_is_and_first() -> None:
    file = [one for one in exported(FROM) if not one.builtin]
    assert [one.name for one in replaced(TO, file, "seed")] == [BUILTIN_NAME, "Invoices", "Rest"]


def test_a_file_has_one_built_in_rule_at_most_and_it_is_the_built_in_one() -> None:
    (builtin,) = exported(builtin_rules("a"))
    with pytest.raises(RuleRefusedError, match="exactly one"):
        replaced(TO, [builtin, builtin], "seed")
    other = builtin.model_copy(update={"action": Action(type=ActionType.UPDATE_TICKET, lookup=Lookup.TITLE)})
    with pytest.raises(RuleRefusedError, match="its action is another one"):
        replaced(TO, [other], "seed")


def test_appended_rules_come_last_without_the_built_in_one_and_once_per_seed() -> None:
    after = appended(TO, exported(FROM), "seed")
    assert [one.name for one in after] == [BUILTIN_NAME, "Old", "Rest", "Invoices", "Rest"]
    assert len({one.id for one in after}) == 5
    assert appended(after, exported(FROM), "seed") == after
    assert len(appended(after, exported(FROM), "again")) == 7


def test_a_set_stays_bounded() -> None:
    file = exported(FROM[:1]) * MAX_RULES
    with pytest.raises(RuleRefusedError, match="1001"):
        replaced(TO, file, "seed")
    with pytest.raises(RuleRefusedError, match="1003"):
        appended(TO, file, "seed")


def test_options_that_were_never_carried_out_are_left_out_of_the_file() -> None:
    saved_before = rule("x", Action(type=ActionType.IGNORE, status="open", acknowledge=True))
    assert exported((saved_before,))[0].action == Action(type=ActionType.IGNORE)
