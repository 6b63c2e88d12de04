"""A draft's rules as a set would hold them."""

from __future__ import annotations

from typing import Any

import pytest

from rules.domain.rule import MAX_RULES, RuleRefusedError, builtin_rules, stored
from rules.simulation.draft import drafted, shown
from shared.api import DraftRule

BUILTIN = builtin_rules("s")[0]
KNOWN = stored({"id": "known", "name": "known", "action": {"type": "archive"}})
TODAY = (BUILTIN, KNOWN)


def rule(name: str, rule_id: str | None = None, **more: Any) -> DraftRule:
    return DraftRule.model_validate({"id": rule_id, "name": name, "action": {"type": "create_ticket"}, **more})


def test_a_rule_keeps_its_identity_and_a_new_one_gets_its_own() -> None:
    draft = [rule("changed", "known"), *shown((BUILTIN,)), rule("new"), rule("new")]
    changed, builtin, *new = drafted(TODAY, draft, "seed")
    assert (changed.id, changed.name, changed.action.type) == ("known", "changed", "create_ticket")
    assert builtin == BUILTIN
    assert len({one.id for one in new} | {changed.id, builtin.id}) == 4
    assert drafted(TODAY, draft, "seed") == (changed, builtin, *new)


def test_a_draft_without_the_built_in_rule_is_tried_with_it_first() -> None:
    assert [one.name for one in drafted(TODAY, [rule("new")], "seed")] == [BUILTIN.name, "new"]


def test_the_built_in_rule_may_be_switched_off_but_not_become_another() -> None:
    (off,) = drafted(TODAY, [shown((BUILTIN,))[0].model_copy(update={"enabled": False})], "seed")
    assert (off.builtin, off.enabled) == (True, False)
    with pytest.raises(RuleRefusedError, match="built in"):
        drafted(TODAY, [rule("mine", BUILTIN.id)], "seed")


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        ([rule("a", "elsewhere")], "has no rule elsewhere"),
        ([rule("a", "known"), rule("b", "known")], "twice"),
        ([rule("a")] * MAX_RULES, f"{MAX_RULES} rules; the draft has {MAX_RULES + 1}"),
    ],
)
def test_what_no_set_could_be_is_refused(draft: list[DraftRule], reason: str) -> None:
    with pytest.raises(RuleRefusedError, match=reason):
        drafted(TODAY, draft, "seed")
