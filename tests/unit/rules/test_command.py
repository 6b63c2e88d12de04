"""No event over 1 MiB whatever the mail, and what is left out is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rules.domain.command import command_of
from rules.domain.evaluate import Evaluation
from shared.events import Action, ActionType, Candidate, CommandKind, RawMail, TicketCommand
from shared.mail.limits import MAX_ADDRESSES, MAX_ID, MAX_IDS, MAX_NAME_BYTES, MAX_PARTS, MAX_SUBJECT
from shared.mail.model import Address, Attachment, Kind, ParsedMail
from shared.mail.parse import parse
from shared.topics import MAX_EVENT_BYTES

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
    for what in ("To", "Cc", "Reply-To", "References", "attachments", "candidates"):
        assert what in left_out
    assert command.mail.references[0] == largest().references[0]
    assert command.mail.references[-1] == largest().references[-1]
    assert [command.candidates[0].rule_id, command.candidates[-1].rule_id] == ["0", "last"]


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


def test_a_mail_with_our_mark_is_named_so() -> None:
    assert command_of("m", RAW, ParsedMail(kind=Kind.OWN), NOTHING, 1).kind is CommandKind.OWN


def test_an_ordinary_mail_is_carried_whole() -> None:
    mail = parse(b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\nMessage-ID: <1@b>\r\nReferences: <0@b>\r\n\r\nHello\r\n")
    carried = command_of("m", RAW, mail, NOTHING, 1).mail
    assert carried is not None
    assert carried.model_dump() == {**mail.model_dump(include=set(type(carried).model_fields))}
