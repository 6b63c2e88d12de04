"""Two versions of a rule set: what was added, removed, changed and moved, and a version's note from it. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from rules.domain.rule import Rules, StoredRule
from shared.api import RuleChange, RuleFieldChange

COMPARED: Final = ("name", "enabled", "match", "conditions", "action")
"""Parts of a rule that a person changes; `position` is compared by its neighbours."""
MAX_NOTE: Final = 500
TOLD: Final = 3
"""Rules a note names of one kind of change; of more it gives the number."""


def changes(before: Rules, after: Rules) -> list[RuleChange]:
    """In the order of the later version, then what was removed. A rule that others were moved past has not moved itself."""
    old = {rule.id: (position, rule) for position, rule in enumerate(before, 1)}
    new_ids = {rule.id for rule in after}
    moved = _moved([rule.id for rule in before if rule.id in new_ids], [rule.id for rule in after if rule.id in old])
    found = [_change(old.get(rule.id), position, rule, moved=rule.id in moved) for position, rule in enumerate(after, 1)]
    removed = [RuleChange(rule_id=rule.id, rule_name=rule.name, what="removed") for rule in before if rule.id not in new_ids]
    return [change for change in found if change is not None] + removed


def note_of(found: Sequence[RuleChange]) -> str:
    """The changes in plain words: `Rule 'Invoices' switched off`, `Order changed: 'A' from 3 to 1`."""
    added = [change.rule_name for change in found if change.what == "added"]
    removed = [change.rule_name for change in found if change.what == "removed"]
    parts = [_some(added, "added"), _some(removed, "deleted"), *_alterations(found), _order(found)]
    return "; ".join(part for part in parts if part)[:MAX_NOTE]


def _change(old: tuple[int, StoredRule] | None, position: int, rule: StoredRule, *, moved: bool) -> RuleChange | None:
    if old is None:
        return RuleChange(rule_id=rule.id, rule_name=rule.name, what="added")
    was_at, was = old
    fields = [] if was == rule else _altered(was, rule)
    place = [RuleFieldChange(field="position", before=was_at, after=position)] if moved else []
    if not fields and not place:
        return None
    return RuleChange(rule_id=rule.id, rule_name=rule.name, what="changed" if fields else "moved", fields=[*fields, *place])


def _altered(was: StoredRule, rule: StoredRule) -> list[RuleFieldChange]:
    old, new = was.model_dump(mode="json"), rule.model_dump(mode="json")
    return [RuleFieldChange(field=name, before=old[name], after=new[name]) for name in COMPARED if old[name] != new[name]]


def _moved(before: Sequence[str], after: Sequence[str]) -> set[str]:
    """The fewest rules whose move explains the new order: those outside the longest common subsequence of both orders."""
    place = {rule_id: position for position, rule_id in enumerate(before)}
    return set(after) - {before[position] for position in _longest_rising([place[rule_id] for rule_id in after])}


def _longest_rising(numbers: Sequence[int]) -> list[int]:
    """The longest rising subsequence of distinct numbers, by patience sorting: O(n log n)."""
    tops: list[int] = []
    under: dict[int, int | None] = {}
    for number in numbers:
        pile = bisect_left(tops, number)
        under[number] = tops[pile - 1] if pile else None
        tops[pile : pile + 1] = [number]
    found: list[int] = []
    number_or_none = tops[-1] if tops else None
    while number_or_none is not None:
        found.append(number_or_none)
        number_or_none = under[number_or_none]
    return found[::-1]


def _some(names: Sequence[str], done: str) -> str:
    if not names:
        return ""
    if len(names) > TOLD:
        return f"{len(names)} rules {done}"
    return f"Rule{'s' if len(names) > 1 else ''} {', '.join(_quoted(name) for name in names)} {done}"


def _alterations(found: Sequence[RuleChange]) -> list[str]:
    changed = [change for change in found if change.what == "changed"]
    if len(changed) > TOLD:
        return [f"{len(changed)} rules changed"]
    return [_alteration(change) for change in changed]


def _alteration(change: RuleChange) -> str:
    fields = {one.field: one for one in change.fields if one.field != "position"}
    name = _quoted(change.rule_name)
    if list(fields) == ["enabled"]:
        return f"Rule {name} switched {'on' if fields['enabled'].after else 'off'}"
    if list(fields) == ["name"]:
        return f"Rule {_quoted(str(fields['name'].before))} renamed to {name}"
    return f"Rule {name} changed: {', '.join(fields)}"


def _order(found: Sequence[RuleChange]) -> str:
    moves = [(change.rule_name, field) for change in found for field in change.fields if field.field == "position"]
    if not moves:
        return ""
    if len(moves) > TOLD:
        return f"Order changed: {len(moves)} rules moved"
    return "Order changed: " + ", ".join(f"{_quoted(name)} from {field.before} to {field.after}" for name, field in moves)


def _quoted(name: str) -> str:
    return f"'{name}'"
