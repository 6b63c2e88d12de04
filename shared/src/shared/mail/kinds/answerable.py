"""Fields that forbid automatic answers, whatever kind of mail bears them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.mail.mark import OWN_HEADER

SHOWN: Final = 100
_FORBIDDING: Final = tuple(
    (name.lower(), re.compile(pattern))
    for name, pattern in (
        (OWN_HEADER, r""),
        ("Auto-Submitted", r"(?!no\b)."),
        ("Return-Path", r"<\s*>"),
        ("Precedence", r"list|bulk|junk|auto[-_]?reply"),
        ("X-Auto-Response-Suppress", r"(?:.*[,\s])?(?:all|autoreply)\b"),
    )
)
"""Name and how a value begins that forbids: RFC 3834, 2; Microsoft's [MS-OXCMAIL] for the last."""
_LISTS: Final = "list-"
"""RFC 2369 and 2919: what came by way of a list is answered by nobody's machine."""


def forbidding(headers: Iterable[tuple[str, str]]) -> str:
    """The first such field as it is written, cut to 100 characters; empty where an automatic answer may go out.

    The kind of a mail is told by stronger signs than these; a person's mail may bear one, and is no machine's for it.
    """
    return next((f"{name}: {' '.join(value.split())}"[:SHOWN] for name, value in headers if _forbids(name.lower(), value)), "")


def _forbids(name: str, value: str) -> bool:
    if name.startswith(_LISTS):
        return True
    return any(name == known and pattern.match(value.strip()[:SHOWN].lower()) for known, pattern in _FORBIDDING)
