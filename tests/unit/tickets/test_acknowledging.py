"""Which mails are never acknowledged, and why: RFC 3834, 2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, TicketCommand
from shared.mail.model import Address
from tickets.domain.carry_out import carry_out
from tickets.domain.keys import counted_key
from tickets.domain.state import MAIL_ORIGIN, OURS_ORIGIN, REFERRED_ORIGIN, Acknowledgement, Desk, KnownId

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OWN = frozenset({"help@desk.example"})
CONTENT = ("authentication", "unanswerable", "in_reply_to", "references", "subject")


def acknowledged(*, sender: str = "anna@customer.example", acknowledge: bool = True, **fields: Any) -> Acknowledgement | None:
    content = {"subject": "Printer"} | {name: fields.pop(name) for name in CONTENT if name in fields}
    desk = Desk(own=OWN, ids=fields.pop("ids", {}), acknowledge_unchecked=fields.pop("unchecked", True))
    mail = CommandMail(from_=Address(address=sender) if sender else None, message_id="<1@x>", **content)
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
    return carry_out(TicketCommand(**{**values, **fields}), desk, NOON).acknowledgement


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
        ({"unanswerable": "From: noreply@shop.example"}, "no person answers at its sender's address (From: noreply@shop.example)"),
        ({"unanswerable": "Sender: help@desk.example"}, "this mailbox itself sent it (Sender: help@desk.example)"),
        (
            {"authentication": ["spf=softfail", "dkim=none", "dmarc=none"]},
            "nothing shows that the mail is from its sender (spf=softfail, dkim=none, dmarc=none)",
        ),
        ({"authentication": ["dkim=pass", "dmarc=fail"]}, "the mail fails DMARC, so its sender may be anybody"),
        (
            {"unchecked": False},
            "the mailbox's provider does not write whether the sender is authentic, and the settings ask for that",
        ),
        ({"references": ["<0@x>"], "ids": {"<0@x>": [KnownId(7, "s9", OURS_ORIGIN)]}}, "it answers a mail of ours"),
        ({"ids": {"<1@x>": [KnownId(7, "s1", MAIL_ORIGIN)]}}, "the same mail is on a ticket already"),
        ({"subject": "Re: Printer - TICKET ID: 7"}, "its subject carries a ticket's number, as our mails do"),
        ({"received_at": NOON - timedelta(days=2, seconds=1)}, "the mail is from 21 Nov 2026, too old to be acknowledged"),
        ({"run": 2}, "the mail was decided again"),
    ],
)
def test_what_is_never_acknowledged_and_why(fields: dict[str, Any], words: str) -> None:
    wanted = acknowledged(**fields)
    assert wanted is not None
    assert wanted.refusal == words


@pytest.mark.parametrize(
    "fields",
    [
        {"authentication": ["dmarc=pass"]},
        {"authentication": ["spf=pass", "dkim=fail", "dmarc=none"]},
        {"authentication": ["dkim=pass"], "unchecked": False},
        {"received_at": NOON - timedelta(days=2)},
        {"ids": {"<1@x>": [KnownId(7, "s2", MAIL_ORIGIN), KnownId(8, "s1", REFERRED_ORIGIN)]}},
        {"subject": "Where is the ticket id?"},
        {"in_reply_to": ["<0@x>"], "ids": {"<0@x>": [KnownId(7, "s1", MAIL_ORIGIN)]}},
    ],
)
def test_what_is_acknowledged_all_the_same(fields: dict[str, Any]) -> None:
    assert acknowledged(**fields) == Acknowledgement(Address(address="anna@customer.example"))


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Robot+7@Machine.example", "robot@machine.example"),
        ("robot@machine.example", "robot@machine.example"),
        ("anna@GoogleMail.com", "anna@gmail.com"),
        ("+7@machine.example", "+7@machine.example"),
        ('"a+b"@machine.example', '"a+b"@machine.example'),
    ],
)
def test_what_the_limits_take_for_one_address(address: str, key: str) -> None:
    assert counted_key(address) == key
