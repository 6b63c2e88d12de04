"""Fields that forbid automatic answers."""

from __future__ import annotations

import pytest

from shared.mail.kinds.answerable import SHOWN, forbidding


@pytest.mark.parametrize(
    ("name", "value", "forbids"),
    [
        ("X-Auto-Response-Suppress", "All", True),
        ("X-Auto-Response-Suppress", "DR, OOF, AutoReply", True),
        ("X-Auto-Response-Suppress", "DR, RN", False),
        ("X-Auto-Response-Suppress", "None", False),
        ("Auto-Submitted", "no", False),
        ("Auto-Submitted", "No (a person)", False),
        ("auto-submitted", "auto-generated", True),
        ("Precedence", "bulk", True),
        ("Precedence", "first-class", False),
        ("Return-Path", "<>", True),
        ("Return-Path", "<anna@customer.example>", False),
        ("List-Unsubscribe", "<https://shop.example/u>", True),
        ("X-Mail-Converter-Id", "x", True),
        ("Subject", "All", False),
        ("X-Loop", "robot@customer.example", True),
        ("X-OTRS-Loop", "True", True),
        ("X-OTRS-Loop", "no", False),
        ("X-RT-Loop-Prevention", "customer.example", True),
        ("From", "Shop <noreply@shop.example>", True),
        ("From", "nicht-antworten@shop.example", True),
        ("From", "postmaster@customer.example", True),
        ("From", "MAILER-DAEMON@customer.example", True),
        ("From", "root@customer.example", True),
        ("From", "owner-printers@lists.example", True),
        ("From", "printers-owner@lists.example", True),
        ("From", "printers-request@lists.example", True),
        ("From", "LISTSERV@lists.example", True),
        ("From", "majordomo@lists.example", True),
        ("From", "Root <anna.root@customer.example>", False),
        ("From", "reply.anna@customer.example", False),
        ("Reply-To", "noreply@shop.example", False),
        ("Subject", "Automatic reply: Printer", True),
        ("Subject", "Abwesenheitsnotiz: Drucker", True),
        ("Subject", "Out of office", True),
        ("Subject", "OOO until Monday", True),
        ("Subject", "Re: Automatic reply: Printer", False),
        ("Subject", "Automatic replies do not work", False),
        ("Sender", "Help <help+7@desk.example>", True),
        ("Resent-From", "HELP@desk.example", True),
        ("Sender", "anna@customer.example", False),
        ("To", "help@desk.example", False),
    ],
)
def test_which_fields_forbid_an_automatic_answer(name: str, value: str, forbids: bool) -> None:
    assert forbidding([("Date", "today"), (name, value)], own="help@desk.example") == (f"{name}: {value}" if forbids else "")


def test_a_long_field_is_cut() -> None:
    assert len(forbidding([("List-Help", "x" * 500)])) == SHOWN


def test_where_the_mailbox_has_no_address_it_sent_nothing_itself() -> None:
    assert forbidding([("Sender", "")]) == ""
