"""Whom a notice names that is text alone, and what it says of each. Line by line, linear in its length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

from shared.mail.kinds.bounce_words import DELAYS, GIVEN_UP, HEADERS, ORIGINAL_LINES, ORIGINALS
from shared.mail.kinds.codes import addresses_in, is_vague, refusal_in, status_in, words
from shared.mail.kinds.reports import MAX_RECIPIENTS, Action
from shared.mail.model import RecipientReport

_MAX_LINES: Final = 5_000
_DECORATION: Final = " \t-=*_#:.>"
_SEPARATOR: Final = re.compile(r"[ \t]*[-=*_]{3}")
# `<a@b>:`, as qmail, Postfix and Courier begin what they say of a recipient.
_ENTRY: Final = re.compile(r"[ \t]{0,4}<[^<>\s]{1,320}>(?:[ \t]*\((?:expanded|generated) from[^\n]{1,400}?\))?[ \t]{0,4}:")
# The address alone, a bullet or brackets around it, and what some add to it.
_ALONE: Final = re.compile(
    r"[\s*>•·-]{0,24}<?[^\s<>()\[\]\",;:@]{1,256}@[^\s<>()\[\]\",;:@]{1,255}>?(?:<mailto:[^<>\s]{1,320}>)?"
    r"\s{0,8}(?:$|[:;,.]|\(|on [A-Z][a-z]{2}, )"
)
_NAMED: Final = re.compile(
    r"(?i)(?:recipients?|address(?:es)?|delivered|deliver|delivery|mail|message|sent|send|mailbox|attempts|user|to|for|an|à|a|para)"
    r"\b[^@\n]{0,40}$"
)

_Candidates = list[tuple[int, str]]
"""Numbers of lines, and the address each of them names."""


def notice_of(text: str) -> str:
    """The notice, without the mail that came back."""
    lines = text.split("\n", _MAX_LINES)[:_MAX_LINES]
    named, begun, previous = False, False, ""
    for number, line in enumerate(lines):
        lowered = line[:200].casefold()
        bare = lowered.strip(_DECORATION)
        if (begun and (bare in ORIGINAL_LINES or bare.startswith(ORIGINALS))) or (named and not previous and lowered.startswith(HEADERS)):
            return "\n".join(lines[:number])
        begun, named, previous = begun or bool(bare), named or "@" in line, bare
    return "\n".join(lines)


def is_delay(text: str) -> bool:
    """The server goes on trying."""
    lowered = text.casefold()
    return any(word in lowered for word in DELAYS) and not any(word in lowered for word in GIVEN_UP)


def read_notice(notice: str, failed: Iterable[str], involved: frozenset[str], *, delayed: bool) -> list[RecipientReport]:
    """What the notice says of each recipient, at most 100.

    `failed`: the recipients where the mail's fields name them. `involved`: addresses that are no recipients, folded.
    """
    lines = notice.split("\n")
    known = {one.casefold() for one in failed}
    found = _mentions(lines, known) if known else _search(lines, involved)
    action: Action = "delayed" if delayed else "failed"
    whole = notice if len(found) == 1 else ""
    reports = [
        _report(address, lines[number : max(end, number + 1)], whole, action)
        for (number, address), (end, _) in pairwise([*found, (len(lines), "")])
    ]
    named = {address.casefold() for _, address in found}
    unnamed = [one for one in failed if one.casefold() not in named]
    return [*reports, *(_report(one, [], notice, action) for one in unnamed)][:MAX_RECIPIENTS]


def completed(recipients: list[RecipientReport], notice: str) -> list[RecipientReport]:
    """The recipients of a report whose fields say nothing of why, with what its text says of them."""
    bare = [one.recipient for one in recipients if not one.reason and (not one.status or is_vague(one.status))]
    if not bare:
        return recipients
    said = {one.recipient.casefold(): one for one in read_notice(notice, bare, frozenset(), delayed=False) if one.smtp_code or one.status}
    return [_merged(one, said[one.recipient.casefold()]) if one.recipient.casefold() in said else one for one in recipients]


def _merged(one: RecipientReport, said: RecipientReport) -> RecipientReport:
    return one.model_copy(update={"status": said.status or one.status, "smtp_code": said.smtp_code, "reason": said.reason})


def _mentions(lines: list[str], known: set[str]) -> _Candidates:
    """The first line that names each of the known recipients."""
    return _once((number, address) for number, line in enumerate(lines) for address in addresses_in(line) if address.casefold() in known)


def _once(found: Iterable[tuple[int, str]]) -> _Candidates:
    """Each address where it is first named, at most 100."""
    first: dict[str, tuple[int, str]] = {}
    for number, address in found:
        first.setdefault(address.casefold(), (number, address))
        if len(first) >= MAX_RECIPIENTS:
            break
    return list(first.values())


def _search(lines: list[str], involved: frozenset[str]) -> _Candidates:
    """The lines that name recipients, by the surest form that there is."""
    ways: tuple[Callable[[str], list[str]], ...] = (_entry, _alone, _named, addresses_in)
    for way in ways:
        found = [(number, address) for number, line in enumerate(lines) if "@" in line for address in way(line[:1000])]
        others = [(number, address) for number, address in found if address.casefold() not in involved]
        if others or (found and way in ways[:2]):
            return _once(others or found)
    return []


def _entry(line: str) -> list[str]:
    return addresses_in(line)[:1] if _ENTRY.match(line) else []


def _alone(line: str) -> list[str]:
    return addresses_in(line)[:1] if _ALONE.match(line) else []


def _named(line: str) -> list[str]:
    """Addresses behind `could not be delivered to` and the like; not those of a quoted `To:` field."""
    found = addresses_in(line)
    before = line.partition(found[0])[0] if found else ""
    return found[:1] if before.strip().casefold() not in {"to:", "from:", "cc:"} and _NAMED.search(before[-60:]) else []


def _report(address: str, lines: list[str], notice: str, action: Action) -> RecipientReport:
    said = "\n".join(line for line in lines if not _SEPARATOR.match(line))[:4096]
    first, rest = said.partition("\n")[::2]
    said = f"{first.partition(address)[2].lstrip('>]:;,. ')}\n{rest}" if address in first else said
    code, at = refusal_in(said)
    status = status_in(said)
    if not code and not status and notice:
        code, at = refusal_in(notice)
        status = status_in(notice)
        said = notice if code or not said.strip() else said
    reason = said[at:].partition("\n\n")[0] if code else said
    return RecipientReport(recipient=address, action=action, status=status, smtp_code=code, reason=words(reason))
