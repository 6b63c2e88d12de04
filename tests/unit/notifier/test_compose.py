"""An answer's bytes, read by Python's own parser: what was given is there, and nothing else."""

from __future__ import annotations

import email
import re
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.compose import ComposeError, Identity, NoAddressError, compose, recipients
from shared.events import OutgoingMail, Quoted
from shared.mail.answer_subject import answer_subject
from shared.mail.model import Address

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MAILBOX = Identity("Help Desk", "help@company.example")
NASTY = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "a\r\nBcc: evil@example.org",
            "a\nBcc: evil@example.org\n\nbody",
            "a\x00b",
            "a\u2028Bcc: x@example.org",
            "a\x85Bcc: x@example.org",
            "=?utf-8?q?a=0ABcc:_evil@example.org?=",
            "=?utf-8?q?evil=40example.org=2C?=@x.example",
            '"evil@example.org, "@x.example',
            '"> <evil@example.org"@x.example',
            '"; <evil@example.org>, "',
            "x" * 3000,
            "ü" * 3000,
            "\ud800",
            "evil@example.org, other",
        ]
    ),
)


def outgoing(**more: object) -> OutgoingMail:
    values: dict[str, object] = {
        "outgoing_id": "6c1d7b1e-0001",
        "ticket_id": 57,
        "message_id": "<abc.1@company.example>",
        "in_reply_to": "<mail-2@lakeside.example>",
        "references": ["<mail-1@lakeside.example>", "<mail-2@lakeside.example>"],
        "to": [Address(name="Anna Keller", address="anna@lakeside.example")],
        "title": "Invoice 2026-0417: nine seats",
        "text": "Dear Anna,\n\nhere is the corrected one.\n\nKind regards",
    }
    return OutgoingMail.model_validate(values | more)


def read(mail: OutgoingMail, identity: Identity = MAILBOX) -> EmailMessage:
    data = compose(mail, identity, AT).data
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    assert not re.search(rb"[^\r]\n|\r[^\n]", data)
    assert not re.search(rb"[^\x09\x0a\x0d\x20-\x7e]", data)
    return email.message_from_bytes(data, policy=policy.default)


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


def test_an_answer_names_its_ticket_its_thread_and_itself() -> None:
    message = read(
        outgoing(cc=[Address(address="boss@lakeside.example")]), Identity("Help", "help@company.example", display_name="Help Desk")
    )
    assert message["From"] == "Help Desk <help@company.example>"
    assert message["To"] == "Anna Keller <anna@lakeside.example>"
    assert message["Cc"] == "boss@lakeside.example"
    assert message["Subject"] == "Re: Invoice 2026-0417: nine seats - Ticket Id: 57"
    assert message["Date"].datetime == AT
    assert message["Message-ID"] == "<abc.1@company.example>"
    assert message["In-Reply-To"] == "<mail-2@lakeside.example>"
    assert message["References"] == "<mail-1@lakeside.example> <mail-2@lakeside.example>"
    assert message["X-Mail-Converter-Id"] == "6c1d7b1e-0001"
    assert message["Auto-Submitted"] is None
    assert message["Reply-To"] is None
    assert not message.defects


def test_both_texts_hold_answer_signature_and_quoted_history() -> None:
    quoted = Quoted(sender="Anna Keller", at=datetime(2026, 11, 22, 8, 5, tzinfo=UTC), text="Please correct <it>.\n> older\n\nAnna")
    message = read(outgoing(quoted=quoted), Identity("Help", "help@company.example", signature="Help Desk\nCompany"))
    assert body(message, "plain") == (
        "Dear Anna,\n\nhere is the corrected one.\n\nKind regards\n\n-- \nHelp Desk\nCompany\n\n"
        "On Sun, 22 Nov 2026 at 08:05 UTC, Anna Keller wrote:\n> Please correct <it>.\n>> older\n>\n> Anna\n"
    )
    html = body(message, "html")
    assert "Please correct &lt;it&gt;.<br>" in html
    assert html.index("here is the corrected") < html.index("Company") < html.index("<blockquote")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Hello", "Re: Hello - Ticket Id: 57"),
        ("Re: Hello", "Re: Hello - Ticket Id: 57"),
        ("AW: RE: Re[2]: Hello", "Re: Hello - Ticket Id: 57"),
        ("Re: Hello - Ticket Id: 57", "Re: Hello - Ticket Id: 57"),
        ("Hello - Ticket Id: 12", "Re: Hello - Ticket Id: 57"),
        ("[Ticket Id: 12] Hello", "Re: Hello - Ticket Id: 57"),
        ("Report: done", "Re: Report: done - Ticket Id: 57"),
        ("", "Re: Ticket Id: 57"),
    ],
)
def test_subject_marks_are_not_doubled(title: str, expected: str) -> None:
    assert answer_subject(title, 57) == expected


def test_the_ticket_number_stays_plain_beside_encoded_words() -> None:
    """Rules of old servers look at the raw line."""
    data = compose(outgoing(title="Größe der Überweisung für Łódź " * 5), MAILBOX, AT).data
    unfolded = data.replace(b"\r\n ", b" ")
    assert b" - Ticket Id: 57\r\n" in unfolded
    assert read(outgoing(title="Größe 漢字 🎉"))["Subject"] == "Re: Größe 漢字 🎉 - Ticket Id: 57"


@pytest.mark.parametrize(
    "name", ["Anna Keller", "Keller, Anna", 'Anna "A" Keller', "Änna Kéller, 漢字", "a\\b", "Anna (Sales)", "=?utf-8?q?x?="]
)
def test_display_names_come_back_as_given(name: str) -> None:
    message = read(outgoing(to=[Address(name=name, address="anna@lakeside.example"), Address(name=name, address="b@x.example")]))
    assert [(one.display_name, one.addr_spec) for one in message["To"].addresses] == [
        (name, "anna@lakeside.example"),
        (name, "b@x.example"),
    ]


@pytest.mark.parametrize(
    "text", ["short", "Grüße aus Köln", "漢字" * 500, "x" * 5000, "From here\n.\n..\nFrom there", "tab\there  two", "a\r\nb\rc\nd", ""]
)
def test_texts_come_back_whole(text: str) -> None:
    got = body(read(outgoing(text=text)), "plain")
    assert got.rstrip("\n") == text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def test_many_references_keep_the_first_and_the_newest() -> None:
    ids = [f"<{'x' * 60}.{number}@lakeside.example>" for number in range(300)]
    message = read(outgoing(references=ids, in_reply_to=ids[-1]))
    kept = message["References"].split()
    assert (kept[0], kept[-1], len(kept)) == (ids[0], ids[-1], 50)


def test_the_answer_comes_back_to_the_mailbox_from_another_address() -> None:
    other = Identity("Help", "help@company.example", address="office@company.example")
    assert read(outgoing(), other)["Reply-To"] == "help@company.example"
    assert compose(outgoing(), other, AT).envelope_from == "office@company.example"
    chosen = Identity("Help", "help@company.example", reply_to="desk@company.example")
    assert read(outgoing(), chosen)["Reply-To"] == "desk@company.example"


def test_the_answer_comes_back_to_the_ticket_where_the_server_takes_plus_addresses() -> None:
    plus = Identity("Help", "help@company.example", plus_addressing=True)
    assert read(outgoing(), plus)["Reply-To"] == "help+57@company.example"
    assert read(outgoing(mode="acknowledgement"), plus)["Reply-To"] == "help+57@company.example"
    other = Identity("Help", "help@company.example", address="office@company.example", plus_addressing=True)
    assert read(outgoing(), other)["Reply-To"] == "help+57@company.example"
    own = Address(name="Otto", address="otto@company.example")
    assert read(outgoing(mode="personal", author=own), plus)["Reply-To"] is None


@pytest.mark.parametrize("address", ["office", "", f"{'x' * 240}@company.example"])
def test_a_mailbox_that_cannot_have_a_plus_address_gets_its_answers_all_the_same(address: str) -> None:
    odd = Identity("Help", address, address="office@company.example", plus_addressing=True)
    assert read(outgoing(), odd)["Reply-To"] in {None, address}


@pytest.mark.parametrize("wrong", [{"to": [Address(address="nobody")]}, {"message_id": "abc"}, {"mode": "personal"}])
def test_what_cannot_be_a_mail_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ComposeError):
        compose(outgoing(**wrong), MAILBOX, AT)


def test_no_mail_without_an_address_to_send_from() -> None:
    with pytest.raises(NoAddressError, match="set the address of the mailbox 'Help'"):
        compose(outgoing(), Identity("Help", ""), AT)


def test_the_same_answer_gives_the_same_bytes() -> None:
    assert compose(outgoing(), MAILBOX, AT) == compose(outgoing(), MAILBOX, AT)


@given(title=NASTY, text=NASTY, name=NASTY, address=NASTY, reference=NASTY, sender=NASTY, display=NASTY, signature=NASTY, reply_to=NASTY)
def test_no_input_adds_a_header_or_a_recipient(
    title: str, text: str, name: str, address: str, reference: str, sender: str, display: str, signature: str, reply_to: str
) -> None:
    mail = outgoing(
        title=title,
        text=text,
        to=[Address(name=name, address="anna@lakeside.example"), Address(name=name, address=address)],
        cc=[Address(address=f"{address}@lakeside.example")],
        references=[reference, f"<{reference}@x.example>"],
        in_reply_to=reference,
        quoted=Quoted(sender=sender, at=AT, text=text),
    )
    identity = Identity("Help", "help@company.example", display_name=display, reply_to=reply_to, signature=signature)
    message = read(mail, identity)
    allowed = ["From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Mail-Converter-Id"]
    names = message.keys()
    assert [one for one in names if one not in allowed] == ["MIME-Version", "Content-Type"]
    assert len(names) == len(set(names))
    assert [one.addr_spec for one in message["From"].addresses] == ["help@company.example"]
    boxes = {mailbox for mailbox in recipients(mail).values() if mailbox}
    # Without the quotes of a local part, which Python's parser takes off.
    shown = {one.addr_spec.replace('"', "") for field in ("To", "Cc") for one in (message[field].addresses if message[field] else ())}
    assert shown <= {one.replace('"', "") for one in boxes}
    assert "anna@lakeside.example" in shown
    assert not any("=?" in one for one in boxes)
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert message["Message-ID"] == "<abc.1@company.example>"
