"""An answer by mail: to whom, in which thread, with what quoted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.mail.model import Address
from tickets.domain.answer import Answered, LastMail, chosen, compose, cut, new_message_id
from tickets.domain.html import quotable

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICKET = Answered(7, "Printer", "anna@customer.example", "s1", "help@company.example")


def last(**fields: object) -> LastMail:
    values = {
        "sender": Address(name="Anna", address="anna@customer.example"),
        "reply_to": [],
        "cc": [],
        "message_id": "<last@x>",
        "in_reply_to": [],
        "references": [],
        "text": "It burns.",
        "received_at": NOON,
    }
    return LastMail(**{**values, **fields})  # type: ignore[arg-type]  # a builder


def people(*addresses: str) -> list[Address]:
    return [Address(address=address) for address in addresses]


def test_it_goes_to_the_customer_with_his_copies_and_never_to_the_mailbox() -> None:
    mail = compose(
        "m", "<id@x>", "Hello", TICKET, last(cc=people("Boss@customer.example", "HELP@company.example", "anna@customer.example"))
    )
    assert [address.address for address in mail.to] == ["anna@customer.example"]
    assert [address.address for address in mail.cc] == ["Boss@customer.example"]


def test_a_mailbox_gets_no_copy_by_its_address_with_a_tickets_number_either() -> None:
    cc = people("help+7@company.example", "sales+7@company.example", "Help+T8@company.example", "anna+2@customer.example")
    ticket = replace(TICKET, own=frozenset({"sales@company.example"}))
    mail = compose("m", "<id@x>", "Hello", ticket, last(cc=cc))
    assert [one.address for one in mail.cc] == ["anna+2@customer.example"]
    copies, wrong = chosen(ticket, mail.to, mail.cc, ["anna+2@customer.example", "help+7@company.example"])
    assert ([one.address for one in copies], wrong) == (["anna+2@customer.example"], ["help+7@company.example"])


@pytest.mark.parametrize(
    ("sender", "reply_to", "to", "cc"),
    [
        ("anna@customer.example", ["list@customer.example"], ["list@customer.example"], []),
        ("anna@customer.example", ["help@company.example"], ["anna@customer.example"], []),
        ("bob@customer.example", [], ["anna@customer.example"], ["bob@customer.example"]),
        ("", [], ["anna@customer.example"], []),
    ],
)
def test_reply_to_and_colleagues(sender: str, reply_to: list[str], to: list[str], cc: list[str]) -> None:
    mail = compose("m", "<id@x>", "Hello", TICKET, last(sender=Address(address=sender), reply_to=people(*reply_to)))
    assert ([one.address for one in mail.to], [one.address for one in mail.cc]) == (to, cc)


def test_the_thread_is_kept_and_bounded() -> None:
    ids = [f"<{n}@x>" for n in range(60)]
    mail = compose("m", "<id@x>", "Hello", TICKET, last(references=ids))
    assert mail.in_reply_to == "<last@x>"
    assert len(mail.references) == 20
    assert (mail.references[0], mail.references[-1]) == ("<0@x>", "<last@x>")
    assert compose("m", "<id@x>", "x", TICKET, last(in_reply_to=["<p@x>"])).references == ["<p@x>", "<last@x>"]


def test_no_line_break_gets_into_a_header_value() -> None:
    nasty = "a\r\nBcc: eve@evil.example"
    ticket = Answered(7, nasty, "anna@customer.example", "s1", "help@company.example")
    mail = compose(
        "m",
        "<id@x>",
        "Hello",
        ticket,
        last(message_id=nasty, references=[nasty], sender=Address(name=nasty, address="anna@customer.example")),
    )
    values = [
        mail.title,
        mail.in_reply_to or "",
        *mail.references,
        *(one.name for one in mail.to),
        mail.quoted.sender if mail.quoted else "",
    ]
    assert all("\n" not in value and "\r" not in value for value in values)


def test_quoted_text_is_cut_between_characters() -> None:
    mail = compose("m", "<id@x>", "Hello", TICKET, last(text="ä" * 100_000))
    assert mail.quoted is not None
    assert len(mail.quoted.text.encode()) == 64 * 1024
    assert cut("aä", 2) == "a"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("help@company.example", "<ab@company.example>"),
        ("", "<ab@mailconverter.invalid>"),
        ("x@bücher.example", "<ab@mailconverter.invalid>"),
    ],
)
def test_our_message_id_is_at_the_mailboxs_domain(own: str, expected: str) -> None:
    assert new_message_id("ab", own) == expected


def test_copies_go_to_whom_was_chosen_by_the_name_they_have_and_never_to_a_mailbox_or_twice() -> None:
    to, offered = people("anna@customer.example"), [Address(name="Boss", address="boss@customer.example")]
    wanted = ["BOSS@customer.example", "boss@customer.example", "anna@customer.example", "new@customer.example"]
    copies, wrong = chosen(TICKET, to, offered, wanted)
    assert [(one.name, one.address) for one in copies] == [("Boss", "boss@customer.example"), ("", "new@customer.example")]
    assert wrong == []
    assert chosen(TICKET, to, offered, ["help@company.example", "nobody"]) == ([], ["help@company.example", "nobody"])


@pytest.mark.parametrize(
    "nasty", ["a@b.example\r\nBcc: eve@evil.example", "a@b.example, eve@evil.example", "<a@b.example>", "a b@c.example"]
)
def test_no_copy_adds_a_header_or_a_second_recipient(nasty: str) -> None:
    assert chosen(TICKET, [], [], [nasty]) == ([], [nasty])


def test_quoted_html_shows_its_own_images_and_no_others() -> None:
    html = '<p title="<img src=x>">a</p><img alt="a > b" src="cid:one@x"><img src="https://x/y"><img src="cid:%74wo@x">b<script>c'
    quoted, shown = quotable(html, {"one@x": "cid:1@m", "two@x": "cid:2@m", "three@x": "cid:3@m"})
    assert quoted == '<p title="&lt;img src=x&gt;">a</p><img alt="a &gt; b" src="cid:1@m"><img src="cid:2@m">b'
    assert shown == {"one@x", "two@x"}
    assert quotable('<img src="https://x/y" alt="z">', {}) == ("", set())
