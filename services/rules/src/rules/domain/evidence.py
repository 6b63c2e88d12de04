"""What the rules answered about one mail: small enough to be kept for every mail, enough to tell the whole trace.

Kept is only what the version's rules do not say themselves. A condition that is not in `yes` says what it says of a mail that has
nothing of it: a positive one does not hold, a negated one does. So a mail that no condition fits costs the values that were compared,
however many rules were asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from rules.domain.conditions import Question, is_blank, is_negated, question
from rules.domain.fields import FieldKey
from rules.domain.rule import Rules, StoredRule
from shared.api import Condition, ConditionTrace, RuleTrace
from shared.events import ActionType, Lookup

SHOWN_CHARS: Final = 200
"""Of a compared value."""
SHOWN_FAILED: Final = 10
"""Conditions named in a note."""


class Evidence(BaseModel):
    """As kept with a decision. Rules and conditions are named by their places in the version, from 0."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    compared: dict[str, str] = {}
    """Field → the mail's value, cut; an empty field is left out."""
    yes: list[tuple[int, int]] = []
    """Rule and condition whose question the mail says yes to; of several that ask the same, the first."""
    captures: dict[int, dict[str, str]] = {}
    """Rule → what its patterns caught, of rules that matched."""
    stopped: int | None = None
    """The rule that matched and always takes; later ones were not asked."""
    trace: list[RuleTrace] = []
    """Of decisions made before evidence was kept: the trace itself."""


def traces(evidence: Evidence, rules: Rules) -> list[RuleTrace]:
    """The trace: each rule of the version that decided, each condition with the compared value, why the next rule was reached."""
    if evidence.trace:
        return evidence.trace
    yes = {question(found) for rule, number in evidence.yes if (found := _condition(rules, rule, number)) is not None}
    return [_told(evidence, yes, rules, place) for place in range(len(rules))]


def _condition(rules: Rules, rule: int, number: int) -> Condition | None:
    """None where these are not the rules that were asked: a trace is shown as far as it can be told."""
    return rules[rule].conditions[number] if rule < len(rules) and number < len(rules[rule].conditions) else None


def _told(evidence: Evidence, yes: set[Question], rules: Rules, place: int) -> RuleTrace:
    rule, stopped = rules[place], evidence.stopped
    if stopped is not None and place > stopped:
        return _untried(rule, f"not asked: rule {rules[stopped].name!r} takes every mail it matches")
    if not rule.enabled:
        return _untried(rule, "skipped: the rule is switched off")
    conditions = [_answer(evidence, yes, one) for one in rule.conditions if not is_blank(one)]
    answers = [one.matched for one in conditions]
    matched = rule.matches(answers)
    return RuleTrace(
        rule_id=rule.id,
        rule_name=rule.name,
        matched=matched,
        match=rule.match,
        conditions=conditions,
        captures=evidence.captures.get(place, {}),
        note=_note(rule, answers, matched=matched),
    )


def _answer(evidence: Evidence, yes: set[Question], condition: Condition) -> ConditionTrace:
    return ConditionTrace(
        field=condition.field.value,
        header=condition.header,
        operator=condition.operator.value,
        value=condition.value[:SHOWN_CHARS],
        compared=evidence.compared.get(str(FieldKey.of(condition)), ""),
        matched=(question(condition) in yes) is not is_negated(condition),
    )


def _note(rule: StoredRule, answers: Sequence[bool], *, matched: bool) -> str:
    """Why the next rule was reached, or why it was not."""
    if matched and rule.always_takes:
        return f"matched: {_words(rule)} always takes, no further rule is asked"
    if matched:
        return f"matched: the next rule is tried where {_words(rule)} does not take ({_passes(rule)})"
    if rule.match == "any":
        return "no condition holds, so the next rule is asked"
    failed = [str(number) for number, holds in enumerate(answers, 1) if not holds]
    return f"condition {', '.join(failed[:SHOWN_FAILED])} does not hold, so the next rule is asked"


def _words(rule: StoredRule) -> str:
    return rule.action.type.value.replace("_", " ")


def _passes(rule: StoredRule) -> str:
    if rule.action.type is not ActionType.UPDATE_TICKET:
        return "nobody has the address"
    if rule.action.lookup is Lookup.CONVERSATION:
        return "the mail belongs to no known conversation"
    return "the key is empty or names no ticket"


def _untried(rule: StoredRule, note: str) -> RuleTrace:
    return RuleTrace(rule_id=rule.id, rule_name=rule.name, matched=False, match=rule.match, note=note)
