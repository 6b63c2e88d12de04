"""Mails that come back about a mail of ours: bounces, notices of delay, receipts, automatic replies (RFC 3464, 8098, 3834). Pure.

Anybody can send a bounce, and real ones are seldom authenticated, so a forged one is taken for real where it names a Message-ID of
ours. That has 128 random bits: only whom the mail went to and the servers on its way know it. All that a forger can do is to change
the states of that mail's own recipients and to set a flag, which an operator takes off: no ticket's status changes, nothing is sent but
one notice per answer to its assignee, within limits. Losing the news that an answer did not arrive would be worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.events import CommandKind, CommandMail, DeliveryState, TicketCommand
from shared.mail.model import Kind, RecipientReport, unfolded
from tickets.domain.keys import address_key, reported_ids
from tickets.domain.machine_mails import sentence, why
from tickets.domain.state import OURS_ORIGIN, Desk, KnownId

ReportKind = Literal["bounce", "delayed", "delivered", "read", "auto_reply"]
EXCERPT_CHARS: Final = 500
DETAIL_CHARS: Final = 1000
MAX_RECIPIENT: Final = 320
FINAL: Final = frozenset({DeliveryState.BOUNCED, DeliveryState.DELIVERED, DeliveryState.READ})
"""States that only what came back can tell: the notifier's news, which is older, does not change them."""
_ON_THE_WAY: Final = frozenset(
    {DeliveryState.QUEUED, DeliveryState.ACCEPTED, DeliveryState.SENT, DeliveryState.DELAYED, DeliveryState.TOO_LATE}
)
_FROM: Final[Mapping[DeliveryState, frozenset[DeliveryState]]] = {
    DeliveryState.DELAYED: _ON_THE_WAY,
    DeliveryState.DELIVERED: _ON_THE_WAY | {DeliveryState.FAILED},
    DeliveryState.READ: _ON_THE_WAY | {DeliveryState.FAILED, DeliveryState.DELIVERED},
    DeliveryState.BOUNCED: _ON_THE_WAY | {DeliveryState.DELIVERED},
}
"""From which states each can be reached, whatever order the mails come in: a bounce is never taken back, nor is that it was read.

What we gave up may have arrived all the same."""
# RFC 3464, 2.3.3, and RFC 8098, 3.2.6.2. After `relayed` no server says more, and after `deleted` nobody knows whether it was read.
_MEANING: Final[Mapping[str, tuple[ReportKind, DeliveryState | None]]] = {
    "failed": ("bounce", DeliveryState.BOUNCED),
    "delayed": ("delayed", DeliveryState.DELAYED),
    "delivered": ("delivered", DeliveryState.DELIVERED),
    "relayed": ("delivered", None),
    "expanded": ("delivered", DeliveryState.DELIVERED),
    "displayed": ("read", DeliveryState.READ),
    "deleted": ("delivered", DeliveryState.DELIVERED),
}
_UNNAMED: Final = {
    CommandKind.BOUNCE: RecipientReport(recipient="", action="failed"),
    CommandKind.RECEIPT: RecipientReport(recipient="", action="delivered"),
}
"""Of a mail that says nothing of anybody. A receipt of certified mail may be of a failure, and says so in fields of its own."""


@dataclass(frozen=True)
class Reported:
    """What the mail says of one recipient."""

    kind: ReportKind
    recipient: str
    """As the answer was addressed where it is one of its recipients, else as the report writes it."""
    detail: str
    state: DeliveryState | None = None
    """The recipient's new state; None where it stays."""
    reason: str = ""
    """The server's words alone."""
    somebody_lost: bool = False
    """A bounce that names none of the recipients, one of whom it must be of."""


def about(command: TicketCommand, desk: Desk) -> KnownId | None:
    """The answer of ours a machine's mail is about, by the ids it names; None where it names none of ours."""
    found = (known for key in reported_ids(command) for known in desk.ids.get(key, []))
    return next((known for known in found if known.origin == OURS_ORIGIN and known.answer_id is not None), None)


def reported(command: TicketCommand, states: Mapping[str, DeliveryState]) -> list[Reported]:
    """By recipient, each once. `states`: the answer's recipients, as it was addressed, with their states.

    A name that is none of them, or no name, means the only recipient where there is one: servers rewrite addresses (RFC 3464, 2.3.1).
    Of several it may be any, so no state changes, but somebody must look.
    """
    if command.kind is CommandKind.AUTO_REPLY and command.mail is not None:
        sender = command.mail.from_.address if command.mail.from_ else ""
        return [Reported("auto_reply", _meant(sender, states) or sender[:MAX_RECIPIENT], _excerpt(command.mail))]
    told = command.report.recipients if command.report else []
    if not told and command.mail_kind == Kind.PEC_RECEIPT:
        return []
    return _once(_reported(one, states) for one in told or [_UNNAMED[command.kind]])


def _reported(one: RecipientReport, states: Mapping[str, DeliveryState]) -> Reported:
    kind, state = _MEANING[one.action]
    recipient = _meant(one.recipient, states)
    changes = recipient is not None and state is not None and states[recipient] in _FROM[state]
    detail = sentence(one)[:DETAIL_CHARS]
    return Reported(
        kind,
        recipient or one.recipient[:MAX_RECIPIENT],
        detail,
        state if changes else None,
        why(one)[:DETAIL_CHARS],
        somebody_lost=recipient is None and kind == "bounce" and any(known in _FROM[DeliveryState.BOUNCED] for known in states.values()),
    )


def _meant(written: str, states: Mapping[str, DeliveryState]) -> str | None:
    key = address_key(written)
    named = next((recipient for recipient in states if key and address_key(recipient) == key), None)
    return named or (next(iter(states)) if len(states) == 1 else None)


def _once(found: Iterable[Reported]) -> list[Reported]:
    """Of several about one recipient the first failure, else the first."""
    kept: dict[str, Reported] = {}
    for one in found:
        if one.recipient not in kept or (one.kind == "bounce" and kept[one.recipient].kind != "bounce"):
            kept[one.recipient] = one
    return list(kept.values())


def _excerpt(mail: CommandMail) -> str:
    """How the reply begins, without what it quotes."""
    return " ".join(unfolded(mail.text, mail.folds).split())[:EXCERPT_CHARS]
