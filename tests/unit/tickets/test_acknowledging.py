"""Which mails are never acknowledged, and why: RFC 3834, 2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, TicketCommand
from shared.mail.model import Address
from tickets.domain.carry_out import carry_out
from tickets.domain.state import Acknowledgement, Desk

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DESK = Desk(own=frozenset({"help@desk.example"}))


def acknowledged(*, sender: str = "anna@customer.example", acknowledge: bool = True, **fields: Any) -> Acknowledgement | None:
    content = {name: fields.pop(name) for name in ("authentication", "unanswerable") if name in fields}
    mail = CommandMail(subject="Printer", from_=Address(address=sender) if sender else None, message_id="<1@x>", **content)
    rule = Candidate(rule_id="r", rule_name="R", action=Action(type=ActionType.CREATE_TICKET, acknowledge=acknowledge))
    values: dict[str, Any] = {
        "mail_id": "m1",
        "kind": CommandKind.MAIL,
        "scanner_id": "s1",
        "received_at": NOON,
        "archive_key": "k",
        "mail": mail,
        "mail_kind": "mail",
        "candidates": [rule],
    }
    return carry_out(TicketCommand(**{**values, **fields}), DESK, NOON).acknowledgement


def test_a_persons_mail_is_acknowledged_where_the_rule_says_so() -> None:
    assert acknowledged() == Acknowledgement(Address(address="anna@customer.example"))
    assert acknowledged(acknowledge=False) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mail_kind": "list", "kind_reason": "List-Id: x"}, "it was sent to many (List-Id: x)"),
        ({"mail_kind": "automatic"}, "a machine sent it"),
        ({"mail_kind": None}, "its kind is not known"),
        ({"mail_kind": "pec"}, "certified mail has receipts of its own"),
        ({"kind": CommandKind.OWN, "mail_kind": "own"}, "the mail carries the mark of a Mail Converter"),
        ({"authentication": ["spf=pass", "dmarc=fail"]}, "the mail fails DMARC, so its sender may be anybody"),
        ({"sender": ""}, "the mail names no address to answer to"),
        ({"sender": "Anna"}, "the mail names no address to answer to"),
        ({"sender": "Help@desk.example"}, "the sender is a mailbox of ours"),
        ({"sender": "help+17@desk.example"}, "the sender is a mailbox of ours"),
        ({"unanswerable": "X-Auto-Response-Suppress: All"}, "it bears the field X-Auto-Response-Suppress: All"),
        ({"run": 2}, "the mail was decided again"),
    ],
)
def test_what_is_never_acknowledged_and_why(fields: dict[str, Any], words: str) -> None:
    wanted = acknowledged(**fields)
    assert wanted is not None
    assert wanted.refusal == words
