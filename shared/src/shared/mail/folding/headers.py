"""What stands above history that bears no marks: header blocks ("From: Sent: To: Subject:") and lines as "-----Original Message-----"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from shared.mail.folding.words import FORWARD_PREFIXES, FORWARDED, LABELS, LONGEST_LABEL, ORIGINAL, Role

_RULE: Final = " \t\u00a0\u200e\u200f\u202a\u202b-_=*~#\u2013\u2014\u2500"
_OPENS_RULE: Final = frozenset(" \t\u00a0\u200e\u200f\u202a\u202b-_=*\u2014\u2500")
_LABEL_BLANKS: Final = " \t\u00a0*_>\u200e\u200f\u202a\u202b\u202c"
_BEGINS: Final = frozenset({Role.FROM, Role.DATE, Role.TO, Role.SUBJECT})
_MAX_CONTINUATIONS: Final = 8
_MAX_LINES: Final = 60
_MAX_WORDS: Final = 70
_SHORTEST_RULE: Final = 3
_MAX_PREFIX: Final = 20


def role(line: str) -> Role | None:
    """What the line gives when it is one of a header block; by its label alone."""
    colon = line.find(":", 0, LONGEST_LABEL)
    if colon < 0 and not line.isascii():
        colon = line.find("\uff1a", 0, LONGEST_LABEL)
    return LABELS.get(line[:colon].strip(_LABEL_BLANKS).casefold()) if colon > 0 else None


def header_block(lines: Sequence[str], first: int) -> int | None:
    """The index behind the header block that begins at `first`. None when it is none.

    A writer's own list ("From: Rome, To: Milan, Date: 3 May") is none: a block has a sender, and besides a subject with a date or
    recipient, or else an address, a date and a recipient.
    """
    if role(lines[first]) not in _BEGINS:
        return None
    found: set[Role] = set()
    address, end, blank, continuations = False, first, False, 0
    for index in range(first, min(len(lines), first + _MAX_LINES)):
        line = lines[index]
        if not line.strip():
            if blank:
                break
            blank = True
            continue
        is_field = role(line)
        if is_field is not None:
            found.add(is_field)
            end, blank, continuations = index + 1, False, 0
        elif blank or continuations >= _MAX_CONTINUATIONS:
            break
        else:
            continuations += 1
        address = address or "@" in line
    return end if _is_complete(found, address) else None


def _is_complete(found: set[Role], address: bool) -> bool:
    if Role.FROM not in found:
        return False
    if Role.SUBJECT in found:
        return Role.DATE in found or Role.TO in found
    return address and Role.DATE in found and Role.TO in found


def is_rule(line: str) -> bool:
    """A line drawn of dashes, underscores or the like."""
    return len(line) >= _SHORTEST_RULE and not line.strip(_RULE) and len(line.strip()) >= _SHORTEST_RULE


def is_original(line: str) -> bool:
    """`-----Original Message-----`, in whatever language is listed."""
    return _between_rules(line) in ORIGINAL


def says_forward(subject: str) -> bool:
    """The first prefix of a subject is that of a forward: `Fwd: Re: Order`, but not `Re: Fwd: Order`."""
    prefix, colon, _ = subject[:_MAX_PREFIX].replace("\uff1a", ":").partition(":")
    return bool(colon) and prefix.strip().casefold() in FORWARD_PREFIXES


def is_forward(line: str) -> bool:
    """`---------- Forwarded message ---------`, `Begin forwarded message:`."""
    if len(line) > _MAX_WORDS:
        return False
    if line.rstrip()[-1:] in {":", "\uff1a"}:
        return line.strip(" \t\u00a0*_:\uff1a").casefold() in FORWARDED
    return _between_rules(line) in FORWARDED


def _between_rules(line: str) -> str:
    """The words of a line that is drawn on either side of them; empty when it is none."""
    if len(line) > _MAX_WORDS or line[0] not in _OPENS_RULE:
        return ""
    text = line.strip(" \t\u00a0\u200e\u200f\u202a\u202b\u202c")
    if not (text.startswith(("--", "__", "==", "**", "\u2014", "\u2500")) and text[-1] in _RULE):
        return ""
    return " ".join(text.strip(_RULE).rstrip(":").split()).casefold()
