"""Assignee and tags as they are stored and compared: in lower case, without odd blanks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_TAGS: Final = 50
"""Of a ticket. What rules add beyond is left out."""


def assignee_key(assignee: str | None) -> str | None:
    """None for nobody."""
    return (assignee or "").strip().lower() or None


def tag_key(tag: str) -> str:
    """Empty for a tag of blanks alone."""
    return " ".join(tag.lower().split())


def with_tags(before: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, those there were first."""
    kept = dict.fromkeys([*before, *(tag_key(tag) for tag in added)])
    kept.pop("", None)
    return tuple(kept)[:MAX_TAGS]
