"""What an SMTP server means by a reply. The code decides (RFC 5321, 4.2.1); its words are read only where the code says too little."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from notifier.domain.headers import message_ids, one_line
from notifier.domain.schedule import Result, Verdict

DETAIL_CHARS: Final = 500
_BAD_SEQUENCE: Final = 503
_BAD_SENDER: Final = frozenset({"5.1.7", "5.1.8"})
LONGEST_TOLD: Final = timedelta(hours=1)

_TOO_MANY_CODES: Final = frozenset({452, 552})
"""RFC 5321, 4.5.3.1.10: a client treats 552 to a recipient as 452, one recipient too many."""
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_GREYLISTING: Final = re.compile(
    r"gr[ea]y[ -]?list|(?:try|come back|retry)(?: your mail)? (?:again )?later|please (?:re)?try (?:again )?(?:later|in)", re.IGNORECASE
)
_CLOCK: Final = re.compile(r"\b(?:in|for|after)\s+(\d{1,2}):(\d{2}):(\d{2})\b", re.IGNORECASE)
_SPAN: Final = re.compile(r"\b(?:in|for|after)\s+(\d{1,5})\s*(s|m)(?:ec(?:ond)?|in(?:ute)?)?s?\b", re.IGNORECASE)
_SES_HOST: Final = re.compile(r"email-smtp(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com", re.IGNORECASE)
_SES_ID: Final = re.compile(r"Ok (?P<id>[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}-\d{6})", re.IGNORECASE)
_EXCHANGE_ID: Final = re.compile(r"2\.6\.0 (?P<id><[^<>\s]+@[^<>\s]+>) \[InternalId=\d+\b")


@dataclass(frozen=True)
class Reply:
    """A whole reply; the lines of a longer one are joined by line feeds."""

    code: int
    text: str

    @property
    def taken(self) -> bool:
        return 200 <= self.code < 300

    @property
    def words(self) -> str:
        """For people: in one line, and not too long."""
        return one_line(f"{self.code} {self.text}")[:DETAIL_CHARS]

    @property
    def status(self) -> str | None:
        """The enhanced status code (RFC 3463), where there is one."""
        found = _STATUS.match(self.text)
        return found.group() if found else None


def verdict(reply: Reply) -> Verdict:
    """For whom a command or a whole mail was refused, or taken."""
    if reply.taken:
        return Verdict(Result.SENT, reply.words)
    if 500 <= reply.code < 600:
        return Verdict(Result.PERMANENT, reply.words)
    if is_greylisting(reply):
        return Verdict(Result.GREYLISTED, reply.words, told_wait(reply))
    return Verdict(Result.TEMPORARY, reply.words)


def recipient_verdict(reply: Reply, taken_before: int) -> Verdict:
    """For one recipient of a dialogue in which `taken_before` others were taken."""
    if taken_before and is_one_too_many(reply):
        return Verdict(Result.NEXT, reply.words)
    if reply.code == 552:
        return Verdict(Result.TEMPORARY, reply.words)
    return verdict(reply)


def refuses_sender(mail: Reply, people: Sequence[Reply]) -> bool:
    """Whether the mail was refused for good because of its reverse-path: to MAIL, or later, to each recipient.

    Amazon SES and others take no empty one (501 to MAIL); some take it for no MAIL at all (503 to RCPT), or speak of it there (RFC 3463).
    """
    if not mail.taken:
        return 500 <= mail.code < 600
    return bool(people) and all(one.code == _BAD_SEQUENCE or one.status in _BAD_SENDER for one in people)


def is_one_too_many(reply: Reply) -> bool:
    """The server takes so many recipients a mail (RFC 3463: X.5.3). 452 is also a full disk or mailbox, which its status tells."""
    if reply.status is not None:
        return reply.status.endswith(".5.3") and reply.code // 100 in {4, 5}
    return reply.code in _TOO_MANY_CODES


def is_greylisting(reply: Reply) -> bool:
    """A stranger is asked to come again (RFC 6647), which no code of its own says."""
    return reply.code in {450, 451} and bool(_GREYLISTING.search(reply.text))


def told_wait(reply: Reply) -> timedelta | None:
    """How long the server asks to wait: `in 300 seconds`, `for 5 minutes`, `in 00:05:00`; never longer than an hour."""
    if found := _CLOCK.search(reply.text):
        hours, minutes, seconds = map(int, found.groups())
        return min(timedelta(hours=hours, minutes=minutes, seconds=seconds), LONGEST_TOLD)
    if found := _SPAN.search(reply.text):
        count = int(found[1])
        return min(timedelta(seconds=count) if found[2].lower() == "s" else timedelta(minutes=count), LONGEST_TOLD)
    return None


def alias(reply: Reply, host: str, own: str) -> str | None:
    """The Message-ID the server gave a mail in place of `own`, where its 250 surely names one: the text of a reply is free (RFC 5321, 4.2).

    Amazon SES replaces every Message-ID ("SES header fields" of its guide); the reply holds the new one's left part, the right one is the
    region's domain, `email.amazonses.com` in us-east-1. Exchange names the Message-ID the mail has there as `2.6.0 <id> [InternalId=…`;
    Outlook.com's submission replaces it.
    """
    if not reply.taken:
        return None
    ses = _SES_HOST.fullmatch(host.rstrip("."))
    found = (_SES_ID.fullmatch(reply.text.strip()) if ses else None) or _EXCHANGE_ID.match(reply.text)
    if found is None:
        return None
    given = f"<{found['id']}@{_ses_domain(ses['region'])}>" if ses else found["id"]
    return next((one for one in message_ids([given]) if one != own), None)


def _ses_domain(region: str) -> str:
    return "email.amazonses.com" if region.lower() == "us-east-1" else f"{region.lower()}.amazonses.com"
