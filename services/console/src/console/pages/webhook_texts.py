"""How webhooks and what they were told are put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from console.pages.texts import Badge, badge

CHANGES: dict[str, str] = {
    "created": "Ticket opened",
    "updated": "Ticket changed, or a mail added",
    "commented": "Comment or note written",
    "linked": "Another ticket points at it",
    "spammed": "Marked as spam",
    "restored": "Brought back",
    "deleted": "Deleted",
    "delivery": "State of an answer's mail",
    "merged": "Merged with another ticket",
    "split": "Split into two tickets",
}
"""Type of change → words."""

STATES: dict[str, tuple[str, str]] = {"waiting": ("Waiting", "info"), "delivered": ("Told", "good"), "failed": ("Given up", "bad")}


def changes(types: Sequence[str]) -> str:
    """Which changes a webhook is told of."""
    return ", ".join(CHANGES.get(kind, kind) for kind in types) or "Every change"


def change(kind: str) -> str:
    """What one call is about, by the `type` of its body."""
    return "Test" if kind == "webhook.test" else CHANGES.get(kind.removeprefix("ticket."), kind)


def state(webhook: Mapping[str, Any]) -> Badge:
    """Whether it is told anything."""
    if webhook["enabled"]:
        return Badge("Failing", "warn") if webhook["failing_since"] else Badge("On", "good")
    return Badge("Switched off by itself", "bad") if webhook["disabled_reason"] else Badge("Off", "calm")


def call_state(value: str) -> Badge:
    """How far one call came."""
    return badge(value, STATES)


def choices() -> list[tuple[str, str]]:
    """The states to choose from."""
    return [(value, words) for value, (words, _) in STATES.items()]
