"""Automatic replies (RFC 3834) and machines' other mails."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.kinds.marks import AUTO_REPLIES, AUTOMATIC, mailing, marked
from shared.mail.kinds.out_of_office import is_fixed, is_prefixed, sounds_away
from shared.mail.kinds.signs import Sender, Signs
from shared.mail.kinds.told import Told
from shared.mail.model import Kind

_BESIDE: Final = tuple(
    (field, re.compile(pattern))
    for field, pattern in (
        ("X-Auto-Response-Suppress", r"all\b|.*autoreply"),
        ("Auto-Submitted", r"auto-"),
        ("Precedence", r"bulk|junk"),
        ("X-Precedence", r"bulk|junk"),
        ("X-MS-Exchange-Generated-Message-Source", r"mailbox rules agent"),
    )
)
"""Fields that prove nothing alone: applications, list servers and forwarding rules write them too."""

BESIDE_FIELDS: Final = frozenset(field.lower() for field, _ in _BESIDE)
_REPORTS: Final = {"message/feedback-report": "an abuse report (RFC 5965)", "application/tlsrpt+gzip": "a report about TLS (RFC 8460)",
                   "application/tlsrpt+json": "a report about TLS (RFC 8460)"}  # fmt: skip


def auto_reply(signs: Signs) -> Told | None:
    """A machine's answer to a mail: by its mark, or by its subject together with something that a person's mail does not have."""
    told = marked(signs.fields, AUTO_REPLIES)
    if told is not None:
        return told
    if is_prefixed(signs.subject):
        beside = _beside(signs) or ("In-Reply-To" if signs.answers and is_fixed(signs.subject) else "")
    elif sounds_away(signs.subject):  # as those of a leave-management program do, which answers nothing
        beside = _beside(signs) if signs.answers else _null_path(signs)
    else:
        beside = ""
    return Told(Kind.AUTO_REPLY, f"{beside}, and its subject begins as automatic replies do") if beside else None


def _beside(signs: Signs) -> str:
    found = (field for field, pattern in _BESIDE if pattern.match(signs.fields.first(field).strip()[:200].lower()))
    return next(found, _null_path(signs))


def _null_path(signs: Signs) -> str:
    return "a null return path" if signs.null_path else ""


def feedback(signs: Signs) -> Told | None:
    """A report of complaints: a report of its own type (RFC 6522), not a delivery's."""
    found = signs.first_type(*_REPORTS)
    if found and (signs.structure.root.type == "multipart/report" or signs.machine):
        return Told(Kind.AUTOMATIC, f"{found}, {_REPORTS[found]}")
    return None


def automatic(signs: Signs) -> Told | None:
    """A machine's own mail, which the rules are asked about, but which is never answered automatically."""
    told = marked(signs.fields, AUTOMATIC)
    if told is not None:
        return told
    if signs.sender is Sender.DAEMON:
        return Told(Kind.AUTOMATIC, "its sender is a mail server")
    return None


def mailing_list(signs: Signs) -> Told | None:
    return mailing(signs.fields)


def unanswerable(signs: Signs) -> Told | None:
    """Asked last: nothing says what it is, but answering it is forbidden or in vain."""
    if signs.null_path:
        return Told(Kind.AUTOMATIC, "a null return path: nothing may be sent back (RFC 3834)")
    if signs.sender is Sender.SILENT and not signs.fields.first("Reply-To"):
        return Told(Kind.AUTOMATIC, "its sender takes no answers")
    return None
