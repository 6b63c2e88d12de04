"""What an example's mail must become, and whether it does. Pure."""

from __future__ import annotations

from rules.domain.rule import Rules
from shared.api import ExampleExpectation, ResultSide


def holds(expected: ExampleExpectation, after: ResultSide) -> bool:
    """Whether the mail becomes what it must, by the rule it must where one is named."""
    return after.outcome is expected.outcome and expected.rule_id in {None, after.rule_id}


def difference(expected: ExampleExpectation, after: ResultSide, rules: Rules, before: Rules) -> str:
    """`ignored by rule 'Spam' instead of ticket by rule 'All'`; `before` names rules that `rules` has no more."""
    names = {rule.id: rule.name for rule in (*before, *rules)}
    instead = f"{_told(after.outcome, after.rule_id, names)} instead of {_told(expected.outcome, expected.rule_id, names)}"
    if expected.rule_id is None or any(rule.id == expected.rule_id for rule in rules):
        return instead
    return f"{instead}, a rule that is not in the set any more"


def same_effect(before: Rules, after: Rules) -> bool:
    """Whether no mail can become something else: the rules that are switched on ask and do the same, in the same order."""
    return _effect(before) == _effect(after)


def _effect(rules: Rules) -> list[object]:
    return [(rule.id, rule.match, rule.conditions, rule.action) for rule in rules if rule.enabled]


def _told(outcome: str, rule_id: str | None, names: dict[str, str]) -> str:
    by = f" by rule '{names.get(rule_id, rule_id)}'" if rule_id else ""
    return outcome.replace("_", " ") + by
