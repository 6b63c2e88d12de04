"""Rules as a file for another mailbox, and such a file's rules as those of a set. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rules.domain.options import without_refused
from rules.domain.rule import MAX_RULES, RuleRefusedError, Rules, StoredRule, same_builtin, stored
from shared.api import ExportedRule
from shared.events import derived_id


def exported(rules: Rules) -> list[ExportedRule]:
    """Without ids. The built-in rule is among them: its place counts, and whether it is on."""
    return [_exported(rule) for rule in rules]


def appended(rules: Rules, file: Sequence[ExportedRule], seed: str) -> Rules:
    """The file's rules come last, without its built-in one. Ids are a function of `seed`; done twice with one seed, it is done once."""
    new = tuple(_with_id(rule, derived_id(seed, number)) for number, rule in enumerate(file, 1) if not rule.builtin)
    known = {rule.id for rule in rules}
    if any(rule.id in known for rule in new):
        return rules
    return _bounded((*rules, *new))


def replaced(rules: Rules, file: Sequence[ExportedRule], seed: str) -> Rules:
    """The set becomes the file's; a rule keeps the id of today's rule of its name, and with it its statistics and examples.

    The built-in rule stays this set's own: it takes the file's place, switch and options, and is first where the file has none.
    Raises RuleRefusedError for a file with a second built-in rule or one with another action.
    """
    builtin = next(rule for rule in rules if rule.builtin)
    ids = _ids_by_name(rules)
    new = [_replaced(rule, number, builtin, ids, seed) for number, rule in enumerate(file, 1)]
    count = sum(rule.builtin for rule in new)
    if count > 1:
        raise RuleRefusedError("The file has more than one built-in rule. A mailbox has exactly one: remove the others from the file.")
    return _bounded(tuple(new) if count else (builtin, *new))


def _exported(rule: StoredRule) -> ExportedRule:
    known = {name: value for name, value in rule.model_dump().items() if name in ExportedRule.model_fields}
    return ExportedRule.model_validate({**known, "action": without_refused(rule.action)})


def _replaced(rule: ExportedRule, number: int, builtin: StoredRule, ids: dict[str, list[str]], seed: str) -> StoredRule:
    if not rule.builtin:
        kept = ids[rule.name]
        return _with_id(rule, kept.pop(0) if kept else derived_id(seed, number))
    if not same_builtin(builtin.action, rule.action):
        raise RuleRefusedError(f"Rule {number} of the file, '{rule.name}', is marked as built in, but its action is another one.")
    return _with_id(rule, builtin.id)


def _ids_by_name(rules: Rules) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for rule in rules:
        if not rule.builtin:
            ids[rule.name].append(rule.id)
    return ids


def _with_id(rule: ExportedRule, rule_id: str) -> StoredRule:
    return stored({**rule.model_dump(), "id": rule_id})


def _bounded(rules: Rules) -> Rules:
    if len(rules) > MAX_RULES:
        raise RuleRefusedError(f"A mailbox can have {MAX_RULES} rules; with the file's it would have {len(rules)}. Remove some first.")
    return rules
