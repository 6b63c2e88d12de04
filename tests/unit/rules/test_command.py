"""No event over 1 MiB whatever the mail, and what is left out is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rules.domain.command import command_mail, command_of
from rules.domain.evaluate import Evaluation
from shared.events import Action, ActionType, Candidate, CommandKind, RawMail, TicketCommand
from shared.mail.limits import MAX_ADDRESSES, MAX_ID, MAX_IDS, MAX_NAME_BYTES, MAX_PARTS, MAX_SUBJECT
from shared.mail.model import Address, Attachment, DeliveryReport, Fold, FoldKind, Kind, ParsedMail, RecipientReport
from shared.mail.parse import parse
from shared.topics import MAX_EVENT_BYTES
from tests.unit.rules.builders import evaluated, rule

RAW = RawMail(
    scanner_id="s",
    folder="INBOX",
    uid_validity=1,
    uid=1,
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
    size=1,
    sha256="0",
    archive_key="k",
    conversation="c",
)
NOTHING = Evaluation([], None)


def size(command: TicketCommand) -> int:
    return len(command.model_dump_json(by_alias=True, exclude_none=True).encode())


REPORT = DeliveryReport(
    recipients=[RecipientReport(recipient='"' * MAX_ID, reason="\U0001f525" * 500)] * 100,
    message_id='"' * MAX_ID,
    reporter="\U0001f525" * 500,
)


def largest() -> ParsedMail:
    """Everything at the parser's own limits, in characters that take most bytes."""
    address = Address(name="\U0001f525" * MAX_SUBJECT, address='"' * MAX_ID)
    return ParsedMail.model_validate(
        {
            "subject": "\U0001f525" * MAX_SUBJECT,
            "from": address,
            "to": [address] * MAX_ADDRESSES,
            "cc": [address] * MAX_ADDRESSES,
            "reply_to": [address] * MAX_ADDRESSES,
            "message_id": '"' * MAX_ID,
            "in_reply_to": [f"<{n:0{MAX_ID - 2}}>" for n in range(MAX_IDS)],
            "references": [f"<{n:0{MAX_ID - 2}}>" for n in range(MAX_IDS)],
            "text": '"' * 600_000,
            "html": "\n\U0001f525" * 300_000,
            "attachments": [
                Attachment(
                    part=str(n),
                    name="\U0001f525" * (MAX_NAME_BYTES // 4),
                    type="a/" + "b" * 200,
                    size=1,
                    sha256="0" * 64,
                    content_id='"' * 998,
                )
                for n in range(MAX_PARTS)
            ],
            "defects": ["\U0001f525" * 1000] * 100,
            "folds": [Fold(start=100_000 + n, end=600_000, kind=FoldKind.SIGNATURE) for n in range(5_000)],
            "authentication": ["\U0001f525" * 100] * 500,
            "kind_reason": "\U0001f525" * 5_000,
            "report": REPORT,
        }
    )


def test_the_largest_mail_gives_an_event_below_the_limit_that_says_what_is_missing() -> None:
    action = Action(type=ActionType.UPDATE_TICKET, status='"' * 40, category="\U0001f525" * 200)
    candidates = [Candidate(rule_id=str(n), rule_name="\U0001f525" * 200, action=action, key='"' * 1000) for n in range(1000)]
    candidates.append(Candidate(rule_id="last", rule_name="last", action=Action(type=ActionType.CREATE_TICKET)))
    command = command_of("m", RAW, largest(), Evaluation(candidates, None), 1)
    assert size(command) < MAX_EVENT_BYTES
    assert command.mail is not None
    assert command.mail.text_truncated
    assert command.mail.html_truncated
    left_out = " ".join(command.mail.defects)
    for what in ("To", "Cc", "Reply-To", "References", "attachments", "candidates", "folded passages", "authentication results"):
        assert what in left_out
    assert command.mail.references[0] == largest().references[0]
    assert command.mail.references[-1] == largest().references[-1]
    assert [command.candidates[0].rule_id, command.candidates[-1].rule_id] == ["0", "last"]
    assert all(one.end <= len(command.mail.text) for one in command.mail.folds)


@pytest.mark.parametrize("kind", [Kind.BOUNCE, Kind.RECEIPT])
def test_the_largest_report_gives_an_event_below_the_limit(kind: Kind) -> None:
    command = command_of("m", RAW, largest().model_copy(update={"kind": kind}), NOTHING, None)
    assert size(command) < MAX_EVENT_BYTES
    assert command.report is not None
    assert 10 < len(command.report.recipients) < 100


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Kind.MAIL, CommandKind.MAIL),
        (Kind.OWN, CommandKind.OWN),
        (Kind.LIST, CommandKind.MAIL),
        (Kind.AUTOMATIC, CommandKind.MAIL),
        (Kind.PEC, CommandKind.MAIL),
        (Kind.PEC_ANOMALY, CommandKind.MAIL),
        (Kind.BOUNCE, CommandKind.BOUNCE),
        (Kind.RECEIPT, CommandKind.RECEIPT),
        (Kind.PEC_RECEIPT, CommandKind.RECEIPT),
        (Kind.AUTO_REPLY, CommandKind.AUTO_REPLY),
    ],
)
def test_rules_are_asked_about_a_mail_exactly_where_its_command_says_to_try_them(kind: Kind, wanted: CommandKind) -> None:
    mail = ParsedMail(kind=kind, kind_reason="because", report=REPORT)
    evaluation = evaluated(mail, rule("all", ActionType.CREATE_TICKET))
    command = command_of("m", RAW, mail, evaluation, 1)
    assert (command.kind, command.mail_kind, command.kind_reason) == (wanted, kind.value, "because")
    asked = wanted in {CommandKind.MAIL, CommandKind.OWN}
    assert (bool(command.candidates), evaluation.evidence is not None) == (asked, asked)
    assert (command.report is None) is asked


def test_folded_passages_end_where_the_text_of_the_event_ends() -> None:
    folds = [
        Fold(start=1, end=3, kind=FoldKind.QUOTE),
        Fold(start=4, end=9, kind=FoldKind.QUOTE),
        Fold(start=9, end=10, kind=FoldKind.SIGNATURE),
    ]
    assert [(one.start, one.end) for one in command_mail(ParsedMail(text="abcdefgh", folds=folds)).folds] == [(1, 3), (4, 8)]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 100_000,
        b"To: " + b", ".join(b"x%d <a%d@b.example>" % (n, n) for n in range(20_000)) + b"\r\n\r\n",
        b"References: " + b" ".join(b"<%d@x>" % n for n in range(50_000)) + b"\r\n\r\n",
        b"Subject: " + b"=?utf-8?q?=00=01?= " * 5_000 + b"\r\n\r\n\x01\x02\x00" + b"\x01" * 700_000,
        b"Subject: x\r\n\r\n" + b'"\\\n' * 500_000,
        b"Content-Type: text/html; charset=utf-8\r\n\r\n" + "<p>\U0001f525".encode() * 200_000,
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        + b"".join(b'--b\r\nContent-Type: image/png; name="%s%d.png"\r\n\r\nx\r\n' % (b"n" * 200, n) for n in range(3_000))
        + b"--b--\r\n",
    ],
    ids=["empty", "NUL", "recipients", "references", "controls", "quotes", "html", "attachments"],
)
def test_nasty_mails_give_events_below_the_limit_without_nul(raw: bytes) -> None:
    command = command_of("m", RAW, parse(raw), NOTHING, 1)
    assert size(command) < MAX_EVENT_BYTES
    assert "\\u0000" not in command.model_dump_json()


def test_what_the_mailbox_itself_sent_on_forbids_an_automatic_answer() -> None:
    mail = parse(b"From: a@b.example\r\nResent-From: Help@desk.example\r\nSubject: x\r\n\r\nHello\r\n")
    mailbox = RAW.model_copy(update={"address": "help@desk.example"})
    for raw, told in ((mailbox, "Resent-From: Help@desk.example"), (RAW, "")):
        carried = command_of("m", raw, mail, NOTHING, 1).mail
        assert carried is not None
        assert carried.unanswerable == told


def test_an_ordinary_mail_is_carried_whole() -> None:
    mail = parse(b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nMessage-ID: <1@b>\r\nReferences: <0@b>\r\n\r\nHello\r\n")
    carried = command_of("m", RAW, mail, NOTHING, 1).mail
    assert carried is not None
    assert carried.model_dump() == {**mail.model_dump(include=set(type(carried).model_fields)), "unanswerable": ""}
