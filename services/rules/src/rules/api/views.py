"""Rule sets as the API shows them."""

from __future__ import annotations

from fastapi import Response

from rules.adapters.rule_store import RuleSet
from rules.domain.rule import RuleMissingError, find
from shared.api import Rule, RuleList
from shared.http import not_found, with_etag


def rule_list(found: RuleSet, response: Response) -> RuleList:
    """The set with its ETag."""
    with_etag(response, found.version)
    return RuleList(items=all_rules(found), version=found.version)


def one_rule(found: RuleSet, rule_id: str, response: Response) -> Rule:
    """A rule with its set's ETag. Raises ProblemError 404."""
    try:
        position, _ = find(found.rules, rule_id)
    except RuleMissingError as error:
        raise not_found("rule", rule_id) from error
    with_etag(response, found.version)
    return _shown(found, position)


def all_rules(found: RuleSet) -> list[Rule]:
    """In order."""
    return [_shown(found, position) for position in range(1, len(found.rules) + 1)]


def _shown(found: RuleSet, position: int) -> Rule:
    rule = found.rules[position - 1]
    return Rule.model_validate({**rule.model_dump(), "scanner_id": found.scanner_id, "position": position, "version": found.version})
