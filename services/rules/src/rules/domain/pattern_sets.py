r"""Many regular expressions at once, by RE2's filter: one pass for the literal texts they cannot match without, then only those it names.

RE2's set alone looks for the patterns themselves, which is one pass too, but each `.*` doubles the states of its automaton: 1,000
everyday patterns, a fifth of them with `.*`, cost it 58 ms for 7.5 KB of text, the filter 0.3 ms. What the filter names is searched
anyway: for the captures. A pattern without any literal text (`\d{6}`) is searched in every mail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import re2

from rules.domain.patterns import Found, Pattern, compiled, options, pattern

FEW: Final = 4
"""So few are sooner searched one by one."""
MAX_TOGETHER: Final = 1_000
MAX_TOGETHER_CHARS: Final = 64 * 1024
"""Of one filter, whose own automaton has 8 MiB."""
MAX_FILTERED: Final = 100_000
"""Of one field: all that a set of 1,000 rules can have. Compiled ones stay in memory; those beyond are compiled whenever they are asked."""
PATTERN_MEMORY: Final = 8 * 1024
"""Bytes of a compiled one, about: 100,000 take 480 MB and 7 s."""

_SIGN: Final = "\x00\x01"
"""Added to every text and wanted by a pattern of each filter: without it an answer is none. No mail and no rule contains NUL."""


class PatternSet:
    """Distinct patterns; each is known by its place among them."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Raises PatternRefusedError."""
        self._patterns = tuple(patterns)
        self._filters: list[tuple[int, Filter]] = []
        alone: list[int] = []
        for start, end in _portions(self._patterns):
            made = None if end > MAX_FILTERED or end - start <= FEW else Filter.of(self._patterns[start:end])
            if made is None:
                alone += range(start, end)
            else:
                self._filters.append((start, made))
        for place in alone:
            pattern(self._patterns[place])
        self._alone = tuple(alone)
        self.too_many = len(alone) > FEW
        self.memory = PATTERN_MEMORY * len(patterns)
        """Bytes the compiled ones take, about."""

    def find(self, text: str) -> tuple[dict[int, Found], bool]:
        """The first match of each that has one, and whether RE2's memory was enough; where it was not, they were asked one by one."""
        found = {place: match for place in self._alone if (match := pattern(self._patterns[place]).find(text)) is not None}
        enough = True
        data = (text + _SIGN).encode("utf-8", "replace")
        for start, made in self._filters:
            named = made.named(data)
            enough = enough and named is not None
            for place in range(len(made)) if named is None else named:
                match = made.pattern(place).find(text)
                if match is not None:
                    found[start + place] = match
        return found, enough


class Filter:
    """RE2's filter over some patterns."""

    def __init__(self, made: Any, length: int) -> None:
        self._made = made
        self._length = length

    @classmethod
    def of(cls, patterns: Sequence[str]) -> Filter | None:
        """None where RE2's memory is not enough for their literal texts. Raises PatternRefusedError."""
        made = re2.Filter()
        for text in patterns:
            try:
                made.Add(text, options())
            except re2.error:
                compiled(text)  # says what is wrong
                raise
        made.Add(_SIGN, options())
        try:
            made.Compile()
        except re2.error:
            return None
        return cls(made, len(patterns))

    def __len__(self) -> int:
        return self._length

    def named(self, data: bytes) -> list[int] | None:
        """Patterns that may match; None where RE2 gave no answer."""
        found = self._made.Match(data, potential=True) or []
        return [place for place in found if place < self._length] if self._length in found else None

    def pattern(self, place: int) -> Pattern:
        """The compiled pattern."""
        return Pattern(self._made.re(place))


def _portions(patterns: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Ranges of patterns for one filter each."""
    start = chars = 0
    for place, text in enumerate(patterns):
        if place > start and (place - start == MAX_TOGETHER or chars + len(text) > MAX_TOGETHER_CHARS):
            yield start, place
            start, chars = place, 0
        chars += len(text)
    if patterns:
        yield start, len(patterns)
