"""What a body's model cannot say of a rule: patterns that RE2 takes, and options that are carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rules.domain.conditions import prepare
from rules.domain.options import refused_options
from rules.domain.patterns import PatternRefusedError
from shared.api import Condition, RuleIn, RulePatch
from shared.http import ProblemError

MAX_DETAIL = 2_000


def check_rule(rule: RuleIn | RulePatch) -> None:
    """Raise ProblemError 422 that names every pattern RE2 refuses (where, and why) and every option nobody would carry out."""
    _refuse(list(_errors(rule)))


def check_rules(rules: Sequence[RuleIn], place: str) -> None:
    """As `check_rule`, of a list at `place` in the body: each error names the rule by number and name."""
    _refuse([error for number, rule in enumerate(rules) for error in _within(place, number, rule)])


def _within(place: str, number: int, rule: RuleIn) -> Iterator[dict[str, Any]]:
    for error in _errors(rule):
        message = f"rule {number + 1}, '{rule.name}': {error['message']}"
        yield error | {"field": f"{place}.{number}.{error['field']}", "message": message}


def _errors(rule: RuleIn | RulePatch) -> Iterator[dict[str, Any]]:
    if rule.name is not None and not rule.name.replace("\x00", ""):
        yield {"field": "name", "message": "must not be empty"}
    yield from _pattern_errors(rule.conditions or [])
    for option, reason in refused_options(rule.action).items() if rule.action else ():
        yield {"field": f"action.{option}", "message": reason}


def _pattern_errors(conditions: Sequence[Condition]) -> Iterator[dict[str, Any]]:
    for number, condition in enumerate(conditions):
        try:
            prepare(condition)
        except PatternRefusedError as error:
            place = f"conditions.{number}.value"
            yield {"field": place, "message": str(error), "position": error.position, "reason": error.reason}


def _refuse(errors: Sequence[dict[str, Any]]) -> None:
    if not errors:
        return
    title = "The regular expression is not valid" if all("position" in error for error in errors) else "The rule is not valid"
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    raise ProblemError(422, title, detail[:MAX_DETAIL], errors=errors)
