"""Regular expressions by RE2: linear time whatever the pattern, checked when a rule is saved.

Caseless by simple folding (À/à, ς/Σ match; straße/STRASSE do not). `^` and `$` are for the whole text unless `(?m)`, `.` stops at a line
end unless `(?s)`. No look-around and no back-references.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2

MAX_MEMORY: Final = 8 * 1024 * 1024
"""Bytes RE2 may use for one compiled pattern and its states; beyond it, it goes on more slowly, never wrongly."""
MAX_CAPTURE: Final = 200
"""Characters of a capture in a trace."""
MAX_KEY: Final = 1_000
"""Characters of a ticket key: a title is one too."""
KEY_GROUP: Final = "ticket"

_HINTS: Final = {
    "invalid perl operator": "look-ahead and look-behind are not available, and (?…) must be a known flag or group",
    "missing )": "a bracket ( is never closed",
    "unexpected )": "a bracket ) closes nothing",
    "missing ]": "a bracket [ is never closed",
    "invalid escape sequence": "this escape is not known; back-references such as \\1 are not available",
    "no argument for repetition operator": "there is nothing before it to repeat",
    "bad repetition operator": "a repetition cannot be repeated",
    "invalid repetition size": "a repetition may go up to 1000, nested ones together too, and not backwards",
    "invalid character class range": "this range or class is not known",
    "trailing \\": "a backslash at the end escapes nothing; write \\\\ for one",
    "invalid named capture group": "a named group is written (?P<name>…)",
    "pattern too large": "the pattern is too large",
}


class PatternRefusedError(Exception):
    """RE2 does not take the pattern. `position` counts characters from 0, `reason` is for a person."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"at character {position + 1}: {reason}")
        self.position = position
        self.reason = reason


@dataclass(frozen=True)
class Found:
    """A match: the ticket key, empty where the pattern's group took no part, and the captures for the trace."""

    key: str
    captures: dict[str, str]


class Pattern:
    """A compiled pattern."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._names: dict[int, str] = {number: name for name, number in self._compiled.groupindex.items()}

    def find(self, text: str) -> Found | None:
        """The first match anywhere in the text."""
        match = self._compiled.search(text)
        return None if match is None else Found(self._key(match)[:MAX_KEY].strip(), self._captures(match))

    def _key(self, match: Any) -> str:
        """The group `ticket`, else the last group that took part, else, in a pattern without groups, the whole match."""
        if KEY_GROUP in self._compiled.groupindex:
            return match.group(self._compiled.groupindex[KEY_GROUP]) or ""
        if self._compiled.groups == 0:
            return str(match.group(0))
        return match.group(match.lastindex) if match.lastindex else ""

    def _captures(self, match: Any) -> dict[str, str]:
        named = {self._names.get(number, str(number)): value for number, value in enumerate(match.groups(), 1) if value is not None}
        return {name[:MAX_CAPTURE]: value[:MAX_CAPTURE] for name, value in {"match": match.group(0), **named}.items()}


def options() -> Any:
    """How every pattern is compiled."""
    wanted = re2.Options()
    wanted.case_sensitive = False
    wanted.log_errors = False  # else RE2 writes to standard error
    wanted.max_mem = MAX_MEMORY
    return wanted


def compiled(text: str) -> Pattern:
    """The pattern, compiled. Raises PatternRefusedError."""
    try:
        return Pattern(re2.compile(text, options()))
    except re2.error as error:
        raise _refusal(text, error) from error


def _refusal(text: str, error: Exception) -> PatternRefusedError:
    """RE2 gives a message with a fragment of the pattern, but no position: it is found from the fragment."""
    raw = error.args[0] if error.args else b""
    message = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    kind, _, fragment = message.partition(": ")
    hint = next((hint for start, hint in _HINTS.items() if kind.startswith(start)), "")
    where = f"{fragment[:MAX_CAPTURE]}: " if fragment and fragment != text else ""
    return PatternRefusedError(_position(text, kind, fragment), where + (hint or message[:MAX_CAPTURE]))


def _position(text: str, kind: str, fragment: str) -> int:
    if kind == "missing )" or kind.startswith("unexpected )"):
        return _bracket(text, opening=kind == "missing )")
    if kind.startswith("trailing"):
        return max(0, len(text) - 1)
    return max(0, text.rfind(fragment) if kind == "missing ]" else text.find(fragment))


def _bracket(text: str, *, opening: bool) -> int:
    """Place of the first bracket without partner: RE2 quotes the whole pattern for these two errors."""
    opened: list[int] = []
    position, in_class = 0, False
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif in_class:
            in_class = character != "]" or text[position - 1] == "[" or text[position - 2 : position] == "[^"
        elif character == "[":
            in_class = True
        elif character == "(":
            opened.append(position)
        elif character == ")" and not opened:
            return position
        elif character == ")":
            opened.pop()
        position += 1
    return opened[-1] if opening and opened else 0


@lru_cache(maxsize=2048)
def pattern(text: str) -> Pattern:
    """The compiled pattern, kept for the next who asks for it. Raises PatternRefusedError."""
    return compiled(text)
