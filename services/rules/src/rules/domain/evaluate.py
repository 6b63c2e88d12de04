"""A mail and the ordered rules give the candidates for tickets and a trace of how it came to them. Pure; nothing is compiled here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rules.domain.conditions import Check, Checked, is_blank, prepare
from rules.domain.evidence import Evidence
from rules.domain.fields import MailView
from rules.domain.patterns import MAX_KEY, Found
from rules.domain.rule import Rules, StoredRule
from shared.api import ConditionField, RuleTrace
from shared.events import ActionType, Candidate, Lookup
from shared.mail.model import ParsedMail

MAX_CAPTURES: Final = 20
"""Of one rule in a trace."""


@dataclass(frozen=True)
class PreparedRule:
    """A rule whose conditions are compiled; blank ones are left out."""

    rule: StoredRule
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class PreparedRules:
    """A version of a rule set, ready to be asked of many mails. `version` is None for rules that were never saved."""

    version: int | None
    rules: tuple[PreparedRule, ...]


@dataclass(frozen=True)
class Evaluation:
    """What tickets shall try, in order, and why. `evidence` is None where the mail's kind alone decides and no rule was asked."""

    candidates: list[Candidate]
    evidence: Evidence | None


def prepare_rules(rules: Rules, version: int | None) -> PreparedRules:
    """Raises PatternRefusedError; rules that were saved have been prepared before and do not."""
    prepared = [PreparedRule(rule, tuple(prepare(one) for one in rule.conditions if not is_blank(one))) for rule in rules]
    return PreparedRules(version, tuple(prepared))


def evaluate(mail: ParsedMail, rules: PreparedRules) -> Evaluation:
    """Ask the rules in order up to the first that matches and always takes; the rest is in the trace as not asked."""
    view = MailView(mail)
    candidates: list[Candidate] = []
    trace: list[RuleTrace] = []
    winner: StoredRule | None = None
    for prepared in rules.rules:
        rule = prepared.rule
        if winner is not None:
            trace.append(_untried(rule, f"not asked: rule {winner.name!r} takes every mail it matches"))
        elif not rule.enabled:
            trace.append(_untried(rule, "skipped: the rule is switched off"))
        else:
            candidate, entry = _ask(view, prepared)
            trace.append(entry)
            if candidate is not None:
                candidates.append(candidate)
                winner = rule if rule.always_takes else None
    return Evaluation(candidates, Evidence(trace=trace))


def _ask(view: MailView, prepared: PreparedRule) -> tuple[Candidate | None, RuleTrace]:
    """Every condition is asked, also those that no longer matter: the trace shows them all."""
    rule = prepared.rule
    answers = [check.ask(view) for check in prepared.checks]
    matched = _matches(rule, answers)
    found = [answer.found for answer in answers if answer.found is not None] if matched else []
    entry = RuleTrace(
        rule_id=rule.id,
        rule_name=rule.name,
        matched=matched,
        conditions=[answer.trace for answer in answers],
        captures=_captures(found),
        note=_note(rule, answers, matched=matched),
    )
    if not matched:
        return None, entry
    return Candidate(rule_id=rule.id, rule_name=rule.name, action=rule.action, key=_key(view, prepared, found)), entry


def _matches(rule: StoredRule, answers: Sequence[Checked]) -> bool:
    if not answers:
        return True
    return any(answer.holds for answer in answers) if rule.match == "any" else all(answer.holds for answer in answers)


def _key(view: MailView, prepared: PreparedRule, found: Sequence[Found]) -> str:
    """The first key a pattern caught. A rule without pattern that looks up by title means the mail's own subject."""
    has_pattern = any(check.pattern is not None for check in prepared.checks)
    if not has_pattern and prepared.rule.action.lookup is Lookup.TITLE:
        return view.values(ConditionField.SUBJECT)[0][:MAX_KEY]
    return next((one.key for one in found if one.key), "")


def _captures(found: Sequence[Found]) -> dict[str, str]:
    captures: dict[str, str] = {}
    for one in found:
        for name, value in one.captures.items():
            if len(captures) < MAX_CAPTURES:
                captures.setdefault(name, value)
    return captures


def _note(rule: StoredRule, answers: Sequence[Checked], *, matched: bool) -> str:
    """Why the next rule was reached, or why it was not."""
    if matched and rule.always_takes:
        return f"matched: {_words(rule)} always takes, no further rule is asked"
    if matched:
        return f"matched: the next rule is tried where {_words(rule)} does not take ({_passes(rule)})"
    if rule.match == "any":
        return "no condition holds, so the next rule is asked"
    failed = [str(number) for number, answer in enumerate(answers, 1) if not answer.holds]
    return f"condition {', '.join(failed[:10])} does not hold, so the next rule is asked"


def _words(rule: StoredRule) -> str:
    return rule.action.type.value.replace("_", " ")


def _passes(rule: StoredRule) -> str:
    if rule.action.type is not ActionType.UPDATE_TICKET:
        return "nobody has the address"
    if rule.action.lookup is Lookup.CONVERSATION:
        return "the mail belongs to no known conversation"
    return "the key is empty or names no ticket"


def _untried(rule: StoredRule, note: str) -> RuleTrace:
    return RuleTrace(rule_id=rule.id, rule_name=rule.name, matched=False, conditions=[], captures={}, note=note)
