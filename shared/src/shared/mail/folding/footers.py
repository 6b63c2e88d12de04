"""Footers that a device or a program puts below a mail: "Sent from my iPhone", "Get Outlook for Android"."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.folding.words import APOLOGIES, DEVICES, SENT_AROUND, SENT_FROM

_MAX_LINE: Final = 300
_MAX_SHOWN: Final = 130
_MAX_WORDS: Final = 10
_LINK: Final = re.compile(r"<?\(?https?:[^\s>)]{1,250}[>)]{0,2}")
_DIRECTIONS: Final = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_BLANKS: Final = frozenset(" \t\u00a0")
_OPENING: Final = _BLANKS | set("<([*\u200e\u200f\u202a\u202b")
_DECORATION: Final = " \t\u00a0<>()[]*_-\u2013\u2014"
_SENTENCE: Final = re.compile(r"[.,;!?:]\s")
_BEGINNINGS: Final = (*SENT_FROM, "from my", *(begin for begins, _ in SENT_AROUND for begin in begins))
FOOTER_KEYS: Final = frozenset([words[:3] for words in _BEGINNINGS] + [words[:2] for words in _BEGINNINGS if not words.isascii()])
"""With what a footer begins, in lower case: the first look at a line."""
_SHORT: Final = re.compile(r"from my (?:\S{1,20} )?\S{1,20}")
_WEAK: Final = re.compile(r"sent (?:from|via|with|by) (?:my )?\S{1,20}(?: \S{1,20})?|\S{1,20}(?: \S{1,20})? from mobile")
"""A footer only between other footers; else it may be the writer's sentence."""


def is_footer(line: str) -> bool:
    """The line names the device or program it was sent from, and says nothing besides but an apology for typing errors."""
    if not line or not (line[:3].lower() in FOOTER_KEYS or line[:2] in FOOTER_KEYS or line[0] in _OPENING):
        return False
    text = None if _is_within_sentence(line) else _shown(line)
    if text is None:
        return False
    head, tail = text, ""
    if (ends := _SENTENCE.search(text)) is not None:
        head, tail = text[: ends.start()], text[ends.end() :]
    if len(head.split()) > _MAX_WORDS or (tail and not any(word in tail for word in APOLOGIES)):
        return False
    return _is_sent_from(head) and any(device in head for device in DEVICES)


def _is_sent_from(head: str) -> bool:
    if head.startswith(SENT_FROM) or _SHORT.fullmatch(head):
        return True
    return any(head.startswith(begins) and head.endswith(ends) for begins, ends in SENT_AROUND)


def is_weak_footer(line: str) -> bool:
    text = _shown(line)
    return text is not None and _WEAK.fullmatch(text) is not None


def _is_within_sentence(line: str) -> bool:
    """It goes on in small letters from the line above: no footer begins so, but with the name of a device."""
    return line[0].islower() and line[:3].lower() not in {"iph", "ipa", "ipo", "ios"}


def _shown(line: str) -> str | None:
    """Without its link and what stands around the words; None when it is too long for a footer."""
    if len(line) > _MAX_LINE:
        return None
    text = _LINK.sub("", line) if "http" in line else line
    if not text.isascii():
        text = text.translate(_DIRECTIONS)
    text = " ".join(text.replace("[", "").replace("]", "").strip(_DECORATION).split()).casefold().rstrip(".! ")
    return text if 0 < len(text) <= _MAX_SHOWN else None
