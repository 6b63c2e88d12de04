"""A scanner's rules as a versioned set, and every change of it. A set is never altered: each change gives the next version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from shared.api import NAME_LENGTH, Condition, RuleIn, RulePatch
from shared.events import Action, ActionType, Lookup, derived_id

MAX_RULES: Final = 1_000
"""Of one scanner. Every decision keeps a trace of each rule."""
FIRST_VERSION: Final = 1
BUILTIN_NAME: Final = "Reply to a known conversation"
COPY: Final = " (copy)"


class RuleRefusedError(Exception):
    """The change would break the set; the text says why."""


class RuleMissingError(Exception):
    """The set has no such rule."""


class StoredRule(BaseModel):
    """A rule as a version of a set holds it. Its position is its place in the set."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    enabled: bool = True
    builtin: bool = False
    match: Literal["all", "any"] = "all"
    conditions: tuple[Condition, ...] = ()
    action: Action

    @property
    def always_takes(self) -> bool:
        """True where no later rule can be reached once this one matched; only tickets knows of the other actions."""
        kind = self.action.type
        if kind is ActionType.UPDATE_TICKET:
            return self.action.create_when_missing
        return kind in {ActionType.CREATE_TICKET, ActionType.ARCHIVE, ActionType.IGNORE}

    def matches(self, answers: Sequence[bool]) -> bool:
        """Whether it matches a mail, given what each of its conditions says. A rule without conditions matches every mail."""
        if not answers:
            return True
        return any(answers) if self.match == "any" else all(answers)


Rules = tuple[StoredRule, ...]


def builtin_rules(scanner_id: str) -> Rules:
    """Version 1 of every set, a function of the scanner's id: whoever needs it first may make it."""
    action = Action(type=ActionType.UPDATE_TICKET, lookup=Lookup.CONVERSATION)
    return (StoredRule(id=derived_id(scanner_id, "builtin", "conversation"), name=BUILTIN_NAME, builtin=True, action=action),)


def find(rules: Rules, rule_id: str) -> tuple[int, StoredRule]:
    """Position from 1, and the rule. Raises RuleMissingError."""
    for position, rule in enumerate(rules, 1):
        if rule.id == rule_id:
            return position, rule
    raise RuleMissingError(rule_id)


def added(rules: Rules, rule_id: str, new: RuleIn) -> Rules:
    """With the rule put last. Raises RuleRefusedError when the set is full."""
    _refuse_full(rules)
    return (*rules, stored({**new.model_dump(), "id": rule_id}))


def duplicated(rules: Rules, rule_id: str, copy_id: str) -> Rules:
    """With an ordinary copy right after the rule, switched off. Raises RuleMissingError, and RuleRefusedError when the set is full."""
    _refuse_full(rules)
    position, rule = find(rules, rule_id)
    name = rule.name[: NAME_LENGTH - len(COPY)] + COPY
    copy = rule.model_copy(update={"id": copy_id, "name": name, "enabled": False, "builtin": False})
    return (*rules[:position], copy, *rules[position:])


def changed(rules: Rules, rule_id: str, patch: RulePatch) -> Rules:
    """With the given fields replaced. Raises RuleMissingError, and RuleRefusedError where a built-in rule would become another."""
    position, rule = find(rules, rule_id)
    given = patch.model_dump(exclude_unset=True, exclude_none=True)
    if patch.action is not None:
        given["action"] = patch.action.model_dump()
    after = stored({**rule.model_dump(), **given})
    if rule.builtin and not same_builtin(rule.action, after.action):
        raise RuleRefusedError("This rule is built in: its action stays as it is. Switch it off and add a rule of your own.")
    return (*rules[: position - 1], after, *rules[position:])


def removed(rules: Rules, rule_id: str) -> Rules:
    """Without the rule. Raises RuleMissingError, and RuleRefusedError for a built-in one."""
    position, rule = find(rules, rule_id)
    if rule.builtin:
        raise RuleRefusedError("This rule is built in and cannot be deleted. Switch it off instead.")
    return (*rules[: position - 1], *rules[position:])


def reordered(rules: Rules, rule_ids: Sequence[str]) -> Rules:
    """In the order of the ids, which must be exactly the set's. Raises RuleRefusedError that names what differs."""
    by_id = {rule.id: rule for rule in rules}
    missing, unknown = by_id.keys() - set(rule_ids), set(rule_ids) - by_id.keys()
    if missing or unknown or len(rule_ids) != len(by_id):
        detail = f"missing: {sorted(missing)}; unknown: {sorted(unknown)}" if missing or unknown else "an id is there twice"
        raise RuleRefusedError(f"The order must name each rule of the mailbox exactly once ({detail[:500]}). Read the rules again.")
    return tuple(by_id[rule_id] for rule_id in rule_ids)


def same_builtin(before: Action, after: Action) -> bool:
    """Whether a built-in rule with the other action is still the same one: its options may change."""
    return (before.type, before.lookup) == (after.type, after.lookup)


def stored(values: dict[str, Any]) -> StoredRule:
    """A rule from its JSON, as a set holds it."""
    return StoredRule.model_validate(without_nul(values))


def _refuse_full(rules: Rules) -> None:
    if len(rules) >= MAX_RULES:
        raise RuleRefusedError(f"A mailbox can have {MAX_RULES} rules; remove one first.")


def without_nul(value: Any) -> Any:
    """Postgres keeps no NUL in a text."""
    if isinstance(value, str):
        return value.replace("\x00", "") if "\x00" in value else value
    if isinstance(value, dict):
        return {name: without_nul(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(one) for one in value]
    return value
