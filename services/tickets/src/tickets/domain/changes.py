"""What an entry of a ticket's history says of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHOWN: Final = (
    "title",
    "status",
    "priority",
    "category",
    "assignee",
    "tags",
    "watchers",
    "external_code",
    "contact_id",
    "linked_ticket_id",
    "merged_into",
    "attention",
    "personal",
    "answer",
)
"""Fields whose changes are told, in this order; the others follow from them."""

Shown = str | list[str] | None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`[{field, before, after}]` for the fields of `after` that differ."""
    pairs = [(name, _shown(before.get(name)), _shown(after[name])) for name in SHOWN if name in after]
    return [{"field": name, "before": old, "after": new} for name, old, new in pairs if old != new]


def _shown(value: object) -> Shown:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value)
