"""The writer's new text apart from quoted history and signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shared.mail.folding.headers import says_forward
from shared.mail.folding.marks import Mark, Sort, is_quoted, marks, quotes_follow
from shared.mail.model import Fold, FoldKind

MAX_FOLDS: Final = 200
_MAX_EXACT_SIGNATURE: Final = 60
"""Lines of a signature behind `-- `. What is longer is the writer's text."""
_MAX_BARE_SIGNATURE: Final = 10
_MAX_BARE_CHARS: Final = 1_000
"""Behind a bare `--`, that people draw themselves too."""


def folds(text: str, subject: str = "") -> list[Fold]:
    """The passages of a mail's text that are quoted history or the signature: in order, not overlapping, each within the text.

    Pure, never raises; time grows with the length of the text; at most `MAX_FOLDS`, what would be beyond stays unfolded.

    The rules, in doubt for the writer, so that no word of theirs is folded away:
    - Lines with `>` are history, together with the attribution above them. What stands between them is the writer's answer.
    - Below an attribution or a header block without such marks everything to the end is history, if the writer's text is above it.
    - What is forwarded (`Forwarded message`) is what the mail is about: never folded. Nor is what stands below a header block, when the
      subject says that the mail is a forward (`Fwd:`): Outlook's look as its answers do. Nor is anything folded as a quote when no new
      text would be left, for then the mail passes something on.
    - A signature is what follows `-- `, up to the history, and what a device or a program adds. Greetings and a name at the end are
      the writer's own words and stay: where they begin could only be guessed.
    """
    lines = text.split("\n")
    return _placed(text, lines, _Reading(lines, says_forward(subject)).passages())


class _Passage(NamedTuple):
    first: int
    end: int
    kind: FoldKind


def _placed(text: str, lines: Sequence[str], passages: Sequence[_Passage]) -> list[Fold]:
    """Lines to characters. The line feed behind a passage belongs to it, and the blank lines there when blank lines are above it too."""
    placed: list[Fold] = []
    at = line = 0
    for number, passage in enumerate(passages):
        first, end = passage.first, passage.end
        start = at + sum(map(len, lines[line:first])) + first - line
        if first == 0 or (first > line and not lines[first - 1].strip()):
            limit = passages[number + 1].first if number + 1 < len(passages) else len(lines)
            while end < limit and not lines[end].strip():
                end += 1
        at = start + sum(map(len, lines[first:end])) + end - first
        line = end
        placed.append(Fold(start=start, end=min(at, len(text)), kind=passage.kind))
    return placed


@dataclass(slots=True)
class _Reading:
    """One walk through the marks of a text."""

    lines: Sequence[str]
    forward: bool
    """The subject says that the mail passes something on."""
    found: list[_Passage] = field(default_factory=list)
    own: bool = False
    """There is new text above."""
    dashes: int | None = None
    """The separator of a signature whose end is not yet known."""
    bare: int = 0
    """How many bare separators there were: two are dividers of the writer's own."""
    last_quoted: int | None = None
    """Looked up once, and only when it is asked."""

    @property
    def at(self) -> int:
        """Behind the last passage."""
        return self.found[-1].end if self.found else 0

    def passages(self) -> list[_Passage]:
        for mark in marks(self.lines):
            if len(self.found) >= MAX_FOLDS - 1 or not self._take(mark):
                break
        self._end_signature(len(self.lines))
        if self._has_own(len(self.lines)):
            return self.found
        signatures = self._signatures()
        return signatures if len(signatures) < len(self.found) else []

    def _take(self, mark: Mark) -> bool:
        """Whether to read on."""
        if mark.sort is Sort.DASHES:
            self._begin_signature(mark.first)
            return True
        if mark.sort is Sort.FOOTER:
            if self.dashes is None:
                self._fold(mark.first, mark.end, FoldKind.SIGNATURE)
            return True
        self._end_signature(mark.first)
        if mark.sort is Sort.FORWARD or (self.forward and mark.sort is Sort.HEADERS):
            return self._stop(mark.first)
        if mark.sort is Sort.QUOTED or quotes_follow(self.lines, mark.end):
            self._fold(mark.first, mark.end, FoldKind.QUOTE)
            return True
        return self._unmarked(mark)

    def _unmarked(self, mark: Mark) -> bool:
        """History without `>`. Where nothing is above an attribution the writer may have answered between it and the quoted lines."""
        if self._has_own(mark.first):
            self._fold(mark.first, len(self.lines), FoldKind.QUOTE)
            return False
        if mark.sort is Sort.ATTRIBUTION and mark.end < self._last_quoted():
            self._fold(mark.first, mark.end, FoldKind.QUOTE)
            return True
        return self._stop(mark.first)

    def _last_quoted(self) -> int:
        if self.last_quoted is None:
            self.last_quoted = next((at for at in range(len(self.lines) - 1, -1, -1) if is_quoted(self.lines[at])), -1)
        return self.last_quoted

    def _stop(self, before: int) -> bool:
        """All from here on is what the mail passes on."""
        if not self._has_own(before):
            self.found = self._signatures()
        return False

    def _signatures(self) -> list[_Passage]:
        return [passage for passage in self.found if passage.kind is FoldKind.SIGNATURE]

    def _has_own(self, before: int) -> bool:
        self.own = self.own or any(map(str.strip, self.lines[self.at : before]))
        return self.own

    def _begin_signature(self, first: int) -> None:
        exact = self.lines[first] == "-- "
        if self.dashes is None:
            if self._has_own(first) and (exact or self.bare == 0):
                self.dashes = first
        elif self.lines[self.dashes] != "-- ":
            self.dashes = first if exact else None
        self.bare += not exact

    def _end_signature(self, end: int) -> None:
        if self.dashes is None:
            return
        first, self.dashes = self.dashes, None
        size = sum(1 for line in self.lines[first + 1 : end] if line.strip())
        if self.lines[first] == "-- ":
            fits = size <= _MAX_EXACT_SIGNATURE
        else:
            follows = first + 1 < end and bool(self.lines[first + 1].strip())
            fits = follows and size <= _MAX_BARE_SIGNATURE and sum(map(len, self.lines[first:end])) <= _MAX_BARE_CHARS
        if fits:
            self._fold(first, end, FoldKind.SIGNATURE)

    def _fold(self, first: int, end: int, kind: FoldKind) -> None:
        """Joined with the passage above when only blank lines are between."""
        touches = self.found and self.found[-1].kind is kind and not any(map(str.strip, self.lines[self.at : first]))
        self._has_own(first)
        if touches:
            self.found[-1] = _Passage(self.found[-1].first, end, kind)
        else:
            self.found.append(_Passage(first, end, kind))
