"""Many literal texts looked for at once, by RE2's set: one pass over the mail's text, however many rules want something in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import re2

from shared.api import Operator

Literal = tuple[Operator, str]
"""Contains, begins with or ends with, and the folded text."""

FEW: Final = 4
"""So few are sooner looked for one by one."""
BASE_MEMORY: Final = 8 * 1024 * 1024
MEMORY_PER_BYTE: Final = 128
MAX_MEMORY: Final = 256 * 1024 * 1024
"""Bytes RE2 may use for one set and its states, however large; it takes about 2 MB of literals."""

STATE_MEMORY: Final = 1024

_AROUND: Final = {Operator.CONTAINS: ("", ""), Operator.BEGINS_WITH: (r"\A", ""), Operator.ENDS_WITH: ("", r"\z")}
_COMPARE: Final[dict[Operator, Callable[[str, str], bool]]] = {
    Operator.CONTAINS: str.__contains__,
    Operator.BEGINS_WITH: str.startswith,
    Operator.ENDS_WITH: str.endswith,
}
_ALWAYS: Final = r"\A"
"""A pattern every text has, last in each set: without it an answer is none. RE2 says nothing when its memory was not enough."""


class Literals:
    """Distinct literals; each is known by its place among them."""

    def __init__(self, wanted: Sequence[Literal], max_memory: int = MAX_MEMORY) -> None:
        self._wanted = tuple(wanted)
        size = sum(len(text.encode()) for _, text in wanted)
        limit = min(max_memory, BASE_MEMORY + MEMORY_PER_BYTE * size)
        self._set = _compiled(self._wanted, limit) if len(wanted) > FEW else None
        self.memory = min(limit, STATE_MEMORY * size)
        """Bytes it may come to take: a state of RE2's automaton for each of theirs."""
        self.too_many = len(wanted) > FEW and self._set is None
        """RE2 refused so large a set: they are looked for one by one."""

    def find(self, text: str) -> tuple[list[int], bool]:
        """Those that hold for the folded text, and whether RE2's memory was enough; where it was not, they were asked one by one."""
        if self._set is None:
            return self._one_by_one(text), True
        found = self._set.Match(text.encode("utf-8", "replace")) or []
        always = len(self._wanted)
        return ([one for one in found if one != always], True) if always in found else (self._one_by_one(text), False)

    def _one_by_one(self, text: str) -> list[int]:
        return [place for place, (operator, wanted) in enumerate(self._wanted) if _COMPARE[operator](text, wanted)]


def _compiled(wanted: Sequence[Literal], memory: int) -> Any | None:
    """None where it would take more memory."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = memory
    found = re2.Set.SearchSet(options)
    for operator, text in wanted:
        before, after = _AROUND[operator]
        found.Add(before + re2.escape(text) + after)
    found.Add(_ALWAYS)
    try:
        found.Compile()
    except re2.error:
        return None
    return found
