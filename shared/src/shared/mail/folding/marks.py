"""The lines of a text at which history or a signature may begin, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from shared.mail.folding.attributions import Certainty, attribution, may_end_attribution
from shared.mail.folding.footers import FOOTER_KEYS, is_footer, is_weak_footer
from shared.mail.folding.headers import header_block, is_forward, is_original, is_rule, role

_MAX_LINE: Final = 600
"""A longer line is a paragraph: it marks nothing."""
_MAX_LOOKS: Final = 2_000
"""Lines looked at closely. A text with more (a log, a list) keeps what comes after them unfolded."""
_MAX_INDENT: Final = 4
_MAX_ABOVE: Final = 6
_DASHES: Final = frozenset({"-- ", "--", "--\u00a0", "\u2014", "\u2014 "})
_STARTS: Final = frozenset("> \t\u00a0<([\u2014\u2500\u202b\u200f\u200e\u202a")
_PAIRS: Final = frozenset({"--", "__", "==", "**"})
"""With what lines begin that are worth a look, besides the footers, and those with a colon or an address."""


class Sort(Enum):
    QUOTED = auto()
    """Lines with `>`."""
    ATTRIBUTION = auto()
    HEADERS = auto()
    """A header block, or a line that says that the original message follows."""
    FORWARD = auto()
    DASHES = auto()
    """The separator of a signature (RFC 3676, 4.3), exact (`-- `) or bare (`--`)."""
    FOOTER = auto()


class Mark(NamedTuple):
    sort: Sort
    first: int
    end: int
    """Index behind its last line."""


def marks(lines: Sequence[str]) -> Iterator[Mark]:
    """In order, not overlapping. What a mark means for the lines below it is for the caller to say."""
    starts, pairs, keys = _STARTS, _PAIRS, FOOTER_KEYS
    candidates = [
        index
        for index, line in enumerate(lines)
        if line
        and (
            line[0] in starts
            or ":" in line
            or "@" in line
            or line[:3].lower() in keys
            or line[:2] in pairs
            or (not line.isascii() and ("\uff1a" in line or line[:2] in keys))
        )
    ]
    floor = looks = 0
    for index in candidates:
        if index < floor:
            continue
        if is_quoted(lines[index]):
            mark = _quoted(lines, index, floor)
        elif looks < _MAX_LOOKS and len(lines[index]) <= _MAX_LINE:
            looks += 1
            mark = _mark(lines, index, floor)
        else:
            continue
        if mark is not None:
            yield mark
            floor = mark.end


def is_quoted(line: str) -> bool:
    return line[:1] == ">" or (line[:1] in {" ", "\t", "\u00a0"} and line[: _MAX_INDENT + 1].lstrip()[:1] == ">")


def quotes_follow(lines: Sequence[str], index: int) -> bool:
    """The next line that is not blank is quoted."""
    while index < len(lines) and not lines[index].strip():
        index += 1
    return index < len(lines) and is_quoted(lines[index])


def _quoted(lines: Sequence[str], first: int, floor: int) -> Mark | None:
    """The quoted lines from here, with the blank ones between them."""
    if _ends_address(lines, first, floor) and (mark := _attribution(lines, first, floor)) is not None:
        return mark
    end = first + 1
    for at in range(end, len(lines)):
        line = lines[at]
        if line[:1] == ">" or is_quoted(line):
            end = at + 1
        elif line and line.strip():
            break
    escaped = end == first + 1 and lines[first].startswith(">From ") and not (first and is_quoted(lines[first - 1]))
    return None if escaped else Mark(Sort.QUOTED, first, end)


def _ends_address(lines: Sequence[str], index: int, floor: int) -> bool:
    """`>:` of an attribution that was wrapped within its address."""
    if index <= floor or ":" not in lines[index][:_MAX_LINE][-4:]:
        return False
    above = lines[index - 1]
    return not is_quoted(above) and above.rfind("<") > above.rfind(">")


def _mark(lines: Sequence[str], index: int, floor: int) -> Mark | None:
    line = lines[index]
    if line in _DASHES:
        return Mark(Sort.DASHES, index, index + 1)
    if is_forward(line):
        return Mark(Sort.FORWARD, index, index + 1)
    if is_original(line):
        return Mark(Sort.HEADERS, index, index + 1)
    if role(line) is not None and (end := header_block(lines, index)) is not None:
        return Mark(Sort.HEADERS, _below_rules(lines, index, floor), end)
    if may_end_attribution(line) and (mark := _attribution(lines, index, floor)) is not None:
        return mark
    return Mark(Sort.FOOTER, index, _behind_footers(lines, index)) if is_footer(line) else None


def _attribution(lines: Sequence[str], last: int, floor: int) -> Mark | None:
    first, certainty = attribution(lines, last, floor)
    if (
        certainty is Certainty.SURE
        or (certainty is Certainty.ALONE and not (first and lines[first - 1].strip()))
        or (certainty is not Certainty.NONE and quotes_follow(lines, last + 1))
    ):
        return Mark(Sort.ATTRIBUTION, first, last + 1)
    return None


def _below_rules(lines: Sequence[str], first: int, floor: int) -> int:
    """Where a header block begins: with the rules drawn above it."""
    begin = first
    for index in range(first - 1, max(floor, first - _MAX_ABOVE) - 1, -1):
        if is_rule(lines[index]):
            begin = index
        elif lines[index].strip():
            break
    return begin


def _behind_footers(lines: Sequence[str], first: int) -> int:
    """Footers in a row are one; among them are lines that would be none alone."""
    end = first + 1
    while end < len(lines):
        weak = end + (not lines[end].strip())
        if is_footer(lines[end]):
            end += 1
        elif weak + 1 < len(lines) and is_weak_footer(lines[weak]) and is_footer(lines[weak + 1]):
            end = weak + 2
        else:
            break
    return end
