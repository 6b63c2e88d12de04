"""Delivery status notifications (RFC 3464, 6533) and message disposition notifications (RFC 8098), as they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from shared.mail.charset import decode
from shared.mail.kinds.codes import is_vague, reply_in, status_in, words
from shared.mail.limits import MAX_ID
from shared.mail.model import RecipientReport
from shared.mail.text import clean
from shared.mail.words import no_bidi, one_line

MAX_RECIPIENTS: Final = 100
STATUS: Final = ("message/delivery-status", "message/global-delivery-status")
DISPOSITION: Final = ("message/disposition-notification", "message/global-disposition-notification")
_EMBEDDED: Final = "final-recipient:"
_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}+)[ \t]{0,8}:(.*)")
_MAX_LINES: Final = 10_000
_MAX_VALUE: Final = 4096

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded", "displayed", "deleted"]
# How the word of an Action begins; `deliverable` and `undeliverable` are Postfix's answers to a probe.
_ACTIONS: Final[tuple[tuple[str, Action], ...]] = (
    ("fail", "failed"), ("undeliver", "failed"), ("delay", "delayed"), ("deliver", "delivered"), ("relay", "relayed"),
    ("expand", "expanded"), ("success", "delivered"),
)  # fmt: skip
_BY_CLASS: Final[dict[str, Action]] = {"2": "delivered", "4": "delayed"}
# RFC 8098, 3.2.6.2, and types of its forerunners; whatever a reader did, the mail had come to him.
_DISPOSITIONS: Final[dict[str, Action]] = {"displayed": "displayed", "deleted": "deleted", "dispatched": "relayed"}

_Group = dict[str, str]


def delivery_status(text: str) -> tuple[list[RecipientReport], str]:
    """What the machine-readable part says of each recipient, at most 100, and the Reporting-MTA."""
    reporter = ""
    found: list[RecipientReport] = []
    for group in _groups(text):
        reporter = reporter or _typed(group.get("reporting-mta", ""))
        recipient = _recipient(group)
        if recipient and len(found) < MAX_RECIPIENTS:
            found.append(_report(recipient, group))
    return found, words(reporter)


def disposition(text: str) -> tuple[list[RecipientReport], str, str]:
    """The recipient and what he did with the mail, his mail program, and the mail's Message-ID as the notification writes it."""
    group: _Group = {}
    for part in _groups(text):
        group |= part
    kind = group.get("disposition", "").rpartition(";")[2].partition("/")[0].strip().lower()
    recipient = _recipient(group)
    action = _DISPOSITIONS.get(kind, "delivered")
    reports = [RecipientReport(recipient=recipient, action=action, reason=words(group.get("disposition", "")))] if recipient else []
    return reports, words(group.get("reporting-ua", "")), group.get("original-message-id", "")


def embedded(text: str) -> str:
    """The fields of a report that stands in a text; empty where there is none."""
    at = text.lower().find(_EMBEDDED)
    before = text.rfind("\n\n", 0, max(at, 0))
    return text[max(before, 0) :].strip() if at >= 0 else ""


def report_text(data: bytes) -> str:
    """The text of a machine-readable part: ASCII, or UTF-8 in the international form (RFC 6533)."""
    return clean(decode(data, "utf-8")[0])


def _groups(text: str) -> Iterator[_Group]:
    """Fields by name, lower case. A group ends at a blank line, or where the recipient's name comes a second time."""
    group: _Group = {}
    last = ""
    for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]:
        match = _FIELD.match(line[:_MAX_VALUE])
        if not line.strip():
            if group:
                yield group
            group, last = {}, ""
        elif match is None:
            if last and line[0] in " \t" and len(group[last]) < _MAX_VALUE:
                group[last] += " " + line.strip()[:_MAX_VALUE]
        else:
            last = match[1].lower()
            if last in group and last in {"final-recipient", "action"}:
                yield group
                group = {}
            group.setdefault(last, match[2].strip())
    if group:
        yield group


def _recipient(group: _Group) -> str:
    """The address the mail was sent to, before the servers rewrote it; the rewritten one where they do not say."""
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        written = _typed(group.get(name, "")).strip("<> ")
        if "@" in written:
            return _address(written)
    return _address(_typed(group.get("final-recipient", "")).strip("<> "))


def _address(written: str) -> str:
    return no_bidi(one_line(written))[:MAX_ID]


def _typed(value: str) -> str:
    """`rfc822; a@b` and `dns; host` without the type."""
    kind, semicolon, rest = value.partition(";")
    return (rest if semicolon and " " not in kind.strip() else value).strip()


def _report(recipient: str, group: _Group) -> RecipientReport:
    written, diagnostic = group.get("status", ""), group.get("diagnostic-code", "")
    status = status_in(written)
    said = status_in(diagnostic)
    if (not status or is_vague(status)) and said and (not status or said[0] == status[0]):
        status = said
    return RecipientReport(
        recipient=recipient,
        action=_action(group.get("action", ""), status),
        status=status,
        smtp_code=reply_in(diagnostic) or reply_in(written),
        reason=words(_typed(diagnostic)) or _comment(written),
    )


def _action(written: str, status: str) -> Action:
    word = written.strip().lower()
    return next((action for begin, action in _ACTIONS if word.startswith(begin)), _BY_CLASS.get(status[:1], "failed"))


def _comment(status: str) -> str:
    """`5.0.0 (over quota)` explains itself."""
    return words(status.partition("(")[2].rpartition(")")[0] or status) if " " in status.strip() else ""
