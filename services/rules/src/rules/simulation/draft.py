"""The rules of a draft as a set would hold them: whatever is tried can be applied. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rules.domain.rule import MAX_RULES, RuleRefusedError, Rules, StoredRule, same_builtin, stored
from shared.api import DraftRule
from shared.events import derived_id


def drafted(today: Rules, draft: Sequence[DraftRule], seed: str) -> Rules:
    """The draft's rules; one with an id is that rule of today's set, another gets an id that is a function of `seed`.

    No set is without its built-in rule: where the draft leaves it out, it is first, as it is today. Raises RuleRefusedError for an
    id that is there twice or not in the set, for another action of the built-in rule, and for too many rules.
    """
    known = {rule.id: rule for rule in today}
    _refuse_ids([one.id for one in draft if one.id], known)
    rules = [_rule(one, known.get(one.id or ""), derived_id(seed, number)) for number, one in enumerate(draft, 1)]
    kept = {rule.id for rule in rules}
    rules = [*(rule for rule in today if rule.builtin and rule.id not in kept), *rules]
    if len(rules) > MAX_RULES:
        raise RuleRefusedError(f"A mailbox can have {MAX_RULES} rules; the draft has {len(rules)}. Remove some first.")
    return tuple(rules)


def shown(rules: Rules) -> list[DraftRule]:
    """As they are given back."""
    return [DraftRule.model_validate({name: getattr(rule, name) for name in DraftRule.model_fields}) for rule in rules]


def _refuse_ids(ids: Sequence[str], known: dict[str, StoredRule]) -> None:
    for rule_id, count in Counter(ids).items():
        if count > 1:
            raise RuleRefusedError(f"The draft holds the rule {rule_id} twice. Leave the id out of the new one.")
        if rule_id not in known:
            raise RuleRefusedError(
                f"The mailbox has no rule {rule_id}; it may have been deleted. Read the rules again, or leave the id out for a new rule."
            )


def _rule(one: DraftRule, today: StoredRule | None, new_id: str) -> StoredRule:
    builtin = today is not None and today.builtin
    if today is not None and builtin and not same_builtin(today.action, one.action):
        raise RuleRefusedError(f"The rule '{today.name}' is built in: its action stays as it is. Switch it off and add a rule of your own.")
    return stored({**one.model_dump(), "id": one.id or new_id, "builtin": builtin})
