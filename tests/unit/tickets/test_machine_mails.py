"""Bounces, receipts and automatic replies: their outcomes in plain words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, OutcomeType, TicketCommand
from shared.mail.model import Address, DeliveryReport, RecipientReport
from tickets.domain.carry_out import carry_out
from tickets.domain.machine_mails import REASON_CHARS, reason_of
from tickets.domain.state import Desk

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAEMON = "mailer-daemon@x.example"
ANNA = {"recipient": "anna@x.example"}


def command(kind: CommandKind, *recipients: dict[str, Any], **fields: Any) -> TicketCommand:
    report = DeliveryReport(recipients=[RecipientReport(**one) for one in recipients]) if recipients else None
    create = Candidate(rule_id="r", rule_name="R", action=Action(type=ActionType.CREATE_TICKET))
    values: dict[str, Any] = {
        "mail_id": "m1",
        "kind": kind,
        "scanner_id": "s1",
        "received_at": NOON,
        "archive_key": "k",
        "mail": CommandMail(subject="Undelivered", from_=Address(address=DAEMON)),
        "candidates": [create],
        "report": report,
        "mail_kind": kind.value,
    }
    return TicketCommand(**{**values, **fields})


@pytest.mark.parametrize("kind", [CommandKind.BOUNCE, CommandKind.RECEIPT, CommandKind.AUTO_REPLY])
def test_it_opens_no_ticket_and_is_told_also_when_its_sender_is_on_the_spam_list(kind: CommandKind) -> None:
    effects = carry_out(command(kind), Desk(spam=frozenset({DAEMON})), NOON)
    assert effects.mail is not None
    assert (effects.mail.type, effects.mail.kind, effects.mail.rule_id) == (OutcomeType(kind.value), kind.value, None)
    assert (effects.ticket, effects.hit) == (None, None)


@pytest.mark.parametrize(
    ("kind", "recipients", "kind_reason", "reason"),
    [
        (
            "bounce",
            [ANNA | {"status": "5.1.1", "reason": "mailbox unknown"}],
            "",
            "delivery to anna@x.example failed: 5.1.1 mailbox unknown",
        ),
        (
            "bounce",
            [ANNA | {"status": "5.1.1", "smtp_code": "550", "reason": "550 5.1.1 no such user"}],
            "",
            "delivery to anna@x.example failed: 550 5.1.1 no such user",
        ),
        ("bounce", [ANNA | {"smtp_code": "552", "reason": "mailbox\r\n full"}], "", "delivery to anna@x.example failed: 552 mailbox full"),
        ("bounce", [ANNA], "a delivery report", "delivery to anna@x.example failed (a delivery report)"),
        ("bounce", [ANNA | {"action": "delayed", "status": "4.4.1"}], "", "delivery to anna@x.example is delayed: 4.4.1"),
        ("bounce", [ANNA | {"recipient": ""}], "", "delivery to an unnamed recipient failed"),
        (
            "bounce",
            [{"recipient": f"p{n}@x"} for n in range(5)],
            "",
            "delivery to p0@x failed; delivery to p1@x failed; delivery to p2@x failed; and 2 more",
        ),
        ("bounce", [], "", "a delivery failed or is delayed; the mail does not say to whom"),
        ("receipt", [ANNA | {"action": "displayed", "status": "2.0.0"}], "", "displayed to anna@x.example"),
        ("receipt", [ANNA | {"action": "delivered"}], "", "delivered to anna@x.example"),
        ("receipt", [], "a PEC receipt", "a PEC receipt"),
        ("auto_reply", [], "Auto-Submitted: auto-replied", "Auto-Submitted: auto-replied"),
        ("auto_reply", [], "", "a machine's answer"),
    ],
)
def test_its_reason_is_in_plain_words(kind: str, recipients: list[dict[str, Any]], kind_reason: str, reason: str) -> None:
    assert reason_of(command(CommandKind(kind), *recipients, kind_reason=kind_reason)) == reason


def test_a_reason_is_bounded_and_keeps_what_told_the_kind() -> None:
    told = reason_of(command(CommandKind.BOUNCE, *[ANNA | {"reason": "x" * 5000}] * 9, kind_reason="y" * 500))
    assert len(told) == REASON_CHARS
    assert told.endswith(f"({'y' * 500})")


@pytest.mark.parametrize(
    ("kind", "mail_kind", "expected"),
    [
        (CommandKind.MAIL, "list", "list"),
        (CommandKind.MAIL, "automatic", "automatic"),
        (CommandKind.MAIL, None, "mail"),
        (CommandKind.MAIL, "a kind of a later version", "a kind of a later ve"),
        (CommandKind.OWN, "own", "mail"),
    ],
)
def test_the_outcome_names_the_kind_told_unless_our_mark_is_forged(kind: CommandKind, mail_kind: str | None, expected: str) -> None:
    effects = carry_out(command(kind, mail_kind=mail_kind), Desk(), NOON)
    assert effects.mail is not None
    assert (effects.mail.type, effects.mail.kind) == (OutcomeType.TICKET, expected)
