"""What forbids automatic answers to a mail, whatever its kind: a field of its head, who sent it, or a subject as machines write it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.mail.addresses import addresses, without_tag
from shared.mail.kinds.out_of_office import is_prefixed, sounds_away
from shared.mail.kinds.signs import Sender, sender
from shared.mail.mark import OWN_HEADER

SHOWN: Final = 100
_FORBIDDING: Final = tuple(
    (name.lower(), re.compile(pattern))
    for name, pattern in (
        (OWN_HEADER, r""),
        ("Auto-Submitted", r"(?!no\b)."),
        ("Return-Path", r"<\s*>"),
        ("Precedence", r"list|bulk|junk|auto[-_]?reply"),
        ("X-Auto-Response-Suppress", r"(?:.*[,\s])?(?:all|autoreply)\b"),
        ("X-Loop", r""),
        ("X-OTRS-Loop", r"(?!no\b|false\b)"),
        ("X-RT-Loop-Prevention", r""),
    )
)
"""Name and how a value begins that forbids: RFC 3834, 2; Microsoft's [MS-OXCMAIL]; the marks of procmail and of other desks, which
hold that their own mails come back to them."""
_LISTS: Final = "list-"
"""RFC 2369 and 2919: what came by way of a list is answered by nobody's machine."""
_NOBODY: Final = re.compile(r"postmaster|mailer-daemon|root|listserv|majordomo|owner-.+|.+-(?:owner|request)")
"""Local parts behind which no person waits for an answer (RFC 3834, 2; RFC 5230, 4.6)."""
_SENT_BY: Final = ("Sender", "Resent-From")
_SENT_BY_FOLDED: Final = frozenset(name.lower() for name in _SENT_BY)


def forbidding(headers: Iterable[tuple[str, str]], own: str = "") -> str:
    """The first such field as `Name: value`, cut to 100 characters; empty where an automatic answer may go out.

    `own`: the address of the mailbox the mail came to; what that itself sent on is answered by no machine.
    The kind of a mail is told by stronger signs than these; a person's mail may bear one, and is no machine's for it.
    """
    return next((f"{_named(name)}: {' '.join(value.split())}"[:SHOWN] for name, value in headers if _forbids(name.lower(), value, own)), "")


def _forbids(name: str, value: str, own: str) -> bool:
    if name.startswith(_LISTS):
        return True
    if name == "from":
        return sender(value) in {Sender.SILENT, Sender.DAEMON} or _NOBODY.fullmatch(_address(value).rpartition("@")[0]) is not None
    if name == "subject":
        return is_prefixed(value.strip().casefold()) or sounds_away(value.strip().casefold())
    if name in _SENT_BY_FOLDED:
        return bool(own) and without_tag(_address(value)) == without_tag(own.strip().casefold())
    return any(name == known and pattern.match(value.strip()[:SHOWN].lower()) for known, pattern in _FORBIDDING)


def _address(written: str) -> str:
    """The first address of the field, without case; empty for none."""
    first = next(iter(addresses(written)), None)
    return first.address.casefold() if first else ""


def _named(name: str) -> str:
    """The fields that are told in words of their own, by one spelling; the others as they are written."""
    return next((known for known in ("From", "Subject", *_SENT_BY) if known.lower() == name.lower()), name)
