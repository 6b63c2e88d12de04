"""What a machine's mail says of an answer of ours: states and reports, as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.events import CommandKind, CommandMail, DeliveryState, OutcomeType, TicketCommand
from shared.mail.model import Address, DeliveryReport, Fold, FoldKind, RecipientReport
from tickets.domain.carry_out import carry_out
from tickets.domain.coming_back import about, reported
from tickets.domain.state import MAIL_ORIGIN, OURS_ORIGIN, Desk, KnownId

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANNA, BEN = "Anna@customer.example", "ben@customer.example"
S = DeliveryState
OURS = Desk(ids={"<ours@desk>": [KnownId(7, "s1", OURS_ORIGIN, "answer-1")], "<older@desk>": [KnownId(7, "s1", OURS_ORIGIN, "answer-0")]})


def command(kind: CommandKind, *recipients: dict[str, Any], **fields: Any) -> TicketCommand:
    about_id = fields.pop("about", "<ours@desk>")
    report = DeliveryReport(recipients=[RecipientReport(**one) for one in recipients], message_id=about_id)
    content = {name: fields.pop(name) for name in ("in_reply_to", "references", "message_id", "text", "folds") if name in fields}
    mail = CommandMail(subject="Undelivered", from_=Address(address=fields.pop("sender", "mailer-daemon@x.example")), **content)
    values: dict[str, Any] = {
        "mail_id": "m1",
        "kind": kind,
        "scanner_id": "s1",
        "received_at": NOON,
        "archive_key": "k",
        "mail": mail,
        "report": None if kind is CommandKind.AUTO_REPLY else report,
        "mail_kind": kind.value,
    }
    return TicketCommand(**{**values, **fields})


def bounce(recipient: str = ANNA, action: str = "failed", **fields: Any) -> TicketCommand:
    return command(CommandKind.BOUNCE, {"recipient": recipient, "action": action, "status": "5.1.1", "reason": "no such user"}, **fields)


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        (S.SENT, "failed", S.BOUNCED),
        (S.QUEUED, "failed", S.BOUNCED),
        (S.DELIVERED, "failed", S.BOUNCED),
        (S.READ, "failed", None),
        (S.CANCELLED, "failed", None),
        (S.FAILED, "failed", None),
        (S.FAILED, "delivered", S.DELIVERED),
        (S.FAILED, "displayed", S.READ),
        (S.FAILED, "delayed", None),
        (S.SENT, "delayed", S.DELAYED),
        (S.DELIVERED, "delayed", None),
        (S.BOUNCED, "delayed", None),
        (S.BOUNCED, "delivered", None),
        (S.BOUNCED, "displayed", None),
        (S.DELAYED, "delivered", S.DELIVERED),
        (S.READ, "delivered", None),
        (S.DELIVERED, "displayed", S.READ),
        (S.SENT, "relayed", None),
        (S.SENT, "expanded", S.DELIVERED),
    ],
)
def test_a_report_moves_a_state_only_forward(before: DeliveryState, action: str, after: DeliveryState | None) -> None:
    (one,) = reported(bounce(action=action), {ANNA: before})
    assert one.state is after


@pytest.mark.parametrize(
    ("written", "recipients", "meant"),
    [
        ("anna@CUSTOMER.example", [ANNA, BEN], ANNA),
        ("a.keller@internal.customer.example", [ANNA], ANNA),
        ("", [ANNA], ANNA),
        ("eve@other.example", [ANNA, BEN], None),
        ("", [ANNA, BEN], None),
    ],
)
def test_whom_a_report_means(written: str, recipients: list[str], meant: str | None) -> None:
    (one,) = reported(bounce(written), dict.fromkeys(recipients, S.SENT))
    assert (one.recipient, one.state) == ((meant, S.BOUNCED) if meant else (written, None))


@pytest.mark.parametrize(
    ("action", "written", "states", "somebody_lost"),
    [
        ("failed", "eve@other.example", [S.SENT, S.READ], True),
        ("failed", "", [S.QUEUED, S.QUEUED], True),
        ("failed", "eve@other.example", [S.READ, S.CANCELLED], False),
        ("failed", BEN, [S.SENT, S.SENT], False),
        ("delayed", "eve@other.example", [S.SENT, S.SENT], False),
        ("delivered", "eve@other.example", [S.SENT, S.SENT], False),
    ],
)
def test_a_bounce_that_names_none_of_several_is_of_one_of_them(action: str, written: str, states: list[S], somebody_lost: bool) -> None:
    (one,) = reported(bounce(written, action), dict(zip([ANNA, BEN], states, strict=True)))
    assert one.somebody_lost is somebody_lost


def test_a_bounce_that_names_nobody_counts_for_the_only_recipient() -> None:
    (one,) = reported(command(CommandKind.BOUNCE), {ANNA: S.SENT})
    assert (one.kind, one.recipient, one.state) == ("bounce", ANNA, S.BOUNCED)


def test_a_receipt_of_certified_mail_without_a_report_says_nothing_it_may_be_of_a_failure() -> None:
    assert reported(command(CommandKind.RECEIPT, mail_kind="pec_receipt"), {ANNA: S.SENT}) == []


def test_a_failure_outweighs_what_else_a_report_says_of_the_same_recipient() -> None:
    told = [{"recipient": ANNA, "action": action} for action in ("delayed", "failed", "delivered")]
    (one,) = reported(command(CommandKind.BOUNCE, *told), {ANNA: S.SENT})
    assert one.state is S.BOUNCED


def test_an_automatic_reply_is_noted_with_what_it_says_and_changes_no_state() -> None:
    text = "I am away\nuntil Monday.\n\n> We look into it."
    quote = Fold(start=25, end=len(text), kind=FoldKind.QUOTE)
    away = command(CommandKind.AUTO_REPLY, sender=BEN, text=text, folds=[quote], in_reply_to=["<ours@desk>"])
    (one,) = reported(away, {ANNA: S.SENT, BEN: S.SENT})
    assert (one.kind, one.recipient, one.detail, one.state) == ("auto_reply", BEN, "I am away until Monday.", None)


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, "answer-1"),
        ({"about": "<other@x>", "in_reply_to": ["<older@desk>"]}, "answer-0"),
        ({"about": None, "references": ["<ours@desk>", "<older@desk>"]}, "answer-0"),
        ({"about": "<older@desk>", "in_reply_to": ["<ours@desk>"]}, "answer-0"),
        ({"about": "<other@x>"}, None),
    ],
)
def test_which_answer_it_is_about(fields: dict[str, Any], answer: str | None) -> None:
    found = about(bounce(**fields), OURS)
    assert (found.answer_id if found else None) == answer


def test_an_id_of_a_customers_mail_is_no_answer_of_ours() -> None:
    theirs = Desk(ids={"<ours@desk>": [KnownId(7, "s1", MAIL_ORIGIN)]})
    assert about(bounce(), theirs) is None
    split_off = Desk(ids={"<ours@desk>": [KnownId(7, "s1", OURS_ORIGIN)]})
    assert about(bounce(), split_off) is None


@pytest.mark.parametrize("kind", [CommandKind.MAIL, CommandKind.OWN, CommandKind.AUTO_REPLY])
def test_our_own_mail_come_back_is_a_loop_also_without_the_mark(kind: CommandKind) -> None:
    mail = carry_out(command(kind, message_id="<ours@desk>"), OURS, NOON).mail
    assert mail is not None
    assert (mail.type, mail.kind, mail.ticket_id, mail.reason) == (OutcomeType.LOOP, "own", 7, "a mail of ours came back")


def test_the_outcome_of_a_bounce_names_the_ticket() -> None:
    effects = carry_out(bounce(), OURS, NOON)
    assert effects.mail is not None
    assert (effects.mail.type, effects.mail.ticket_id, effects.about, effects.ticket) == (OutcomeType.BOUNCE, 7, "answer-1", None)
