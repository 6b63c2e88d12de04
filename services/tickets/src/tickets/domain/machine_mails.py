"""Mails of machines, for which no rule is asked: their outcomes, in plain words."""

from __future__ import annotations

from typing import Final

from shared.events import CommandKind, OutcomeType, TicketCommand
from shared.mail.model import RecipientReport

OUTCOMES: Final = {
    CommandKind.BOUNCE: OutcomeType.BOUNCE,
    CommandKind.RECEIPT: OutcomeType.RECEIPT,
    CommandKind.AUTO_REPLY: OutcomeType.AUTO_REPLY,
}
NAMED_RECIPIENTS: Final = 3
REASON_CHARS: Final = 2000
_WITHOUT_REPORT: Final = {
    CommandKind.BOUNCE: "a delivery failed or is delayed; the mail does not say to whom",
    CommandKind.RECEIPT: "a receipt that does not say for whom",
    CommandKind.AUTO_REPLY: "a machine's answer",
}
# What each action means: RFC 3464, 2.3.3, and RFC 8098, 3.2.6.2. A mail that was displayed was not necessarily read.
_ACTIONS: Final = {
    "failed": "delivery to {} failed",
    "delayed": "delivery to {} is delayed",
    "delivered": "delivered to {}",
    "relayed": "passed on for {} to a server that sends no receipts",
    "expanded": "delivered to the list {}",
    "displayed": "displayed to {}",
    "deleted": "deleted by {}",
}
_EXPLAINED: Final = frozenset({"failed", "delayed"})


def reason_of(command: TicketCommand) -> str:
    """Who did not get which mail and why, or what told the kind; at most 2,000 characters."""
    recipients = command.report.recipients if command.report else []
    said = [sentence(one) for one in recipients[:NAMED_RECIPIENTS]]
    if len(recipients) > NAMED_RECIPIENTS:
        said.append(f"and {len(recipients) - NAMED_RECIPIENTS} more")
    reported, told = "; ".join(said), _one_line(command.kind_reason)
    if reported and told:
        return f"{reported[: REASON_CHARS - len(told) - 3]} ({told})"
    return (reported or told or _WITHOUT_REPORT[command.kind])[:REASON_CHARS]


def sentence(one: RecipientReport) -> str:
    """What became of the mail for that recipient."""
    said = _ACTIONS[one.action].format(_one_line(one.recipient) or "an unnamed recipient")
    if one.action not in _EXPLAINED:
        return said
    return f"{said}: {told}" if (told := why(one)) else said


def why(one: RecipientReport) -> str:
    """The server's code and words; empty where the report gives none."""
    code, words = one.status or one.smtp_code, _one_line(one.reason)
    return words if code in words else f"{code} {words}".strip()


def _one_line(text: str) -> str:
    return " ".join(text.split())
