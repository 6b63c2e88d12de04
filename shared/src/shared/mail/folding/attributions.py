"""Attribution lines: who wrote what is quoted below, and when ("On 23 Nov 2026, Anna wrote:").

Told by their shape (date, time, address, verb, colon) rather than by one pattern per language, so that most of a language not listed
in `words` is recognised too. An attribution wraps over four lines at most.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from shared.mail.folding.words import BEFORE_THE_NAME, PRONOUNS, QUOTING, VERBS, WITHOUT_SPACES

_MAX_LINES: Final = 4
_MAX_CHARS: Final = 500
_MAX_TOKENS_BEFORE_DATE: Final = 3
_MAX_TOKENS: Final = 14
_MAX_TOKENS_BEHIND: Final = 20
_MAX_TOKENS_BEFORE_ADDRESS: Final = 8
_MAX_NAME: Final = 5
_MAX_TOKENS_OF_NAME: Final = 6
_CLOSING: Final = frozenset(">)]")
_COLONS: Final = (":", "\uff1a")
_DECORATION: Final = " \t\u00a0*_-\u2013\u2014#|\"'"
_PLAIN: Final = {
    **dict.fromkeys([0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]),
    **{digit: str(digit & 0xF) for digit in (*range(0x0660, 0x066A), *range(0x06F0, 0x06FA))},
    0x00A0: " ",
    0x202F: " ",
}
"""Marks of direction go, Arabic digits become European ones."""
_TOKEN: Final = re.compile(r"\w+")
_DIGIT: Final = re.compile(r"\d")
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20|25)\d\d(?!\d)|(?<!\d)\d{1,2}[./-]\d{1,2}[./-]\d\d(?!\d)")
_TIME: Final = re.compile(r"(?<![\d.])\d{1,2}(?::\d\d|\.\d\d(?![.\d]|\s?[.]?\s?\d{4})|\s?h\s?\d\d|\s?[時时點点시])")
_VERB_AT_END: Final = re.compile(rf"(?:{WITHOUT_SPACES}).{{0,2}}$")


class Certainty(IntEnum):
    """How sure it is."""

    NONE = 0
    BEFORE_QUOTES = 1
    """An attribution only if quoted lines follow; else it may be a sentence of the writer's."""
    ALONE = 2
    """By its date and address, without a verb that is known: an attribution if blank lines stand above it, or quoted lines follow."""
    SURE = 3


def may_end_attribution(line: str) -> bool:
    """A cheap look at a line."""
    tail = line[-6:]
    return ":" in tail[-3:] or "@" in line or tail[-3:] == "---" or (not tail.isascii() and (":" in tail or "\uff1a" in tail))


def attribution(lines: Sequence[str], last: int, floor: int) -> tuple[int, Certainty]:
    """The first line of the attribution that ends at `last`, none of its lines before `floor`, and how sure it is one."""
    best = (last, Certainty.NONE)
    text = ""
    for first in range(last, max(floor, last - _MAX_LINES + 1) - 1, -1):
        line = lines[first].strip()
        if not line or (first < last and line[0] == ">") or len(text) + len(line) > _MAX_CHARS:
            break
        text = f"{line} {text}" if text else line
        certainty = certainty_of(text)
        if certainty > best[1] or certainty is Certainty.SURE:
            best = (first, certainty)
        if certainty is Certainty.SURE and not (first > floor and _name_is_above(lines[first - 1], text)):
            break
    return best


def _name_is_above(above: str, text: str) -> bool:
    """The text is the rest of `Name <address>` + `wrote on ...:`, or of `Name` + `<address> wrote on ...:`."""
    above = above.strip()
    if text[0] in "<(":
        return 0 < len(_TOKEN.findall(above)) <= _MAX_NAME and above[-1] not in ".!?:;,"
    if "@" not in above:
        return False
    if above[-1] in "\u4e8e\u65bc" or text[0] in "\u4e8e\u65bc":
        return True
    return above[-1] in ">)," and (text.rstrip(": ").endswith("yazdı") or not VERBS.isdisjoint(_TOKEN.findall(text.casefold())[:2]))


@dataclass(slots=True)
class _Features:
    """What an attribution has, as found in a text without its colon."""

    tokens: list[str]
    verb: int | None
    """Index of the last verb among the tokens."""
    dated_at: int
    """How many words stand before the first digit."""
    year: bool
    time: bool
    address: bool
    behind_address: int
    """How many words stand behind the address."""
    early_address: bool
    address_follows: bool
    """The address stands behind the verb."""
    closed: bool
    """It ends with the address, in brackets, and a word at most."""

    @property
    def full_date(self) -> bool:
        return self.year and self.time

    @property
    def date_first(self) -> bool:
        return self.dated_at <= _MAX_TOKENS_BEFORE_DATE

    @property
    def verbal(self) -> bool:
        """The verb stands where clients put it: at the end, before the name, or before the date."""
        if self.verb is None:
            return False
        verb, behind = self.tokens[self.verb], self.tokens[self.verb + 1 :]
        if verb in BEFORE_THE_NAME:
            return len(behind) <= _MAX_TOKENS_OF_NAME or self.behind_address <= 1
        if self.address_follows and self.verb > 0:
            return False
        return len(behind) <= 2 or (len(behind) <= _MAX_TOKENS_BEHIND and sum(token[0].isdigit() for token in behind) >= 2)

    @property
    def personal(self) -> bool:
        """`I wrote`, `schrieb ich`: a sentence, unless what was written stands below."""
        if not self.verb or self.address:
            return False
        around = self.tokens[self.verb - 1], *self.tokens[self.verb + 1 : self.verb + 2]
        return not PRONOUNS.isdisjoint(around)


def certainty_of(text: str) -> Certainty:
    """Of one line, or several joined by blanks."""
    if not ("@" in text or _DIGIT.search(text)) or text.count("<") != text.count(">"):
        return Certainty.NONE
    plain = (text if text.isascii() else text.translate(_PLAIN)).casefold().strip(_DECORATION)
    found = _features(plain.rstrip(":\uff1a *_"))
    if not plain.endswith(_COLONS):
        ends = found.verb is not None and found.verb == len(found.tokens) - 1
        return Certainty.SURE if ends and found.full_date and found.date_first and found.address else Certainty.NONE
    if _is_sure(found):
        return Certainty.SURE
    if found.verb is None and found.full_date and found.date_first and found.closed:
        return Certainty.ALONE
    return Certainty.BEFORE_QUOTES if _is_likely(found) else Certainty.NONE


def _features(body: str) -> _Features:
    digit = _DIGIT.search(body)
    tokens = _TOKEN.findall(body)
    at = body.find("@")
    verb = _last_verb(tokens, body)
    return _Features(
        tokens=tokens,
        verb=verb,
        dated_at=body.count(" ", 0, digit.start()) if digit else len(tokens),
        year=_YEAR.search(body) is not None,
        time=_TIME.search(body) is not None,
        address=at > 0,
        behind_address=body.count(" ", at) if at > 0 else len(tokens),
        early_address=at > 0 and body.count(" ", 0, at) <= _MAX_TOKENS_BEFORE_ADDRESS,
        address_follows=verb is not None and body.rfind(tokens[verb]) < at,
        closed=at > 0 and body.count(" ", at) <= 1 and not _CLOSING.isdisjoint(body[at:]),
    )


def _last_verb(tokens: Sequence[str], body: str) -> int | None:
    if not VERBS.isdisjoint(tokens):
        return max(index for index, token in enumerate(tokens) if token in VERBS)
    return len(tokens) - 1 if not body.isascii() and _VERB_AT_END.search(body) else None


def _is_sure(found: _Features) -> bool:
    if not found.full_date or not found.verbal or found.personal:
        return False
    if found.address:
        return found.date_first or found.early_address
    return found.date_first and found.verb is not None and found.verb >= found.dated_at


def _is_likely(found: _Features) -> bool:
    if found.verbal and (found.address or found.full_date or found.date_first):
        return True
    if found.full_date and (found.address or (found.date_first and len(found.tokens) <= _MAX_TOKENS)):
        return True
    return found.address and not QUOTING.isdisjoint(found.tokens[:1])
