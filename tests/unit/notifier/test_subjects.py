"""Subjects name one ticket, theirs, whatever titles, names and templates hold; and what else templates make of texts."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.compose import Composed, Identity, compose
from notifier.domain.templates import Texts
from shared.events import OutgoingMail, OutgoingMode
from shared.mail.answer_subject import answer_subject, bare_title
from shared.mail.model import Address

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MARK = re.compile(r"Ticket\s*Id\s*:\s*(\d+)", re.IGNORECASE)
TITLES = st.lists(
    st.sampled_from(
        ["Ticket", "Tick", "et", " ", "Id", "I", "d", ":", " : ", "1", "57", "[", "]", "Ticket Id: 12", "Re: ", "- ", "–", "\u2003", "x"]
    )
).map("".join)


def acknowledged(title: str, template: Texts, name: str = "") -> Composed:
    mail = OutgoingMail(
        outgoing_id="1",
        ticket_id=57,
        mode=OutgoingMode.ACKNOWLEDGEMENT,
        message_id="<abc@company.example>",
        to=[Address(name=name, address="anna@lakeside.example")],
        title=title,
    )
    return compose(mail, Identity("Help Desk", "help@company.example"), AT, (), template)


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Tick[Ticket Id: 1]et Id: 2", ""),
        ("Tick[Ticket Id: 1]et [Ticket Id: 3]Id: 2 left", "left"),
        ("xTicket Id: 12", "x"),
        ("Hello - Ticket Id : 12", "Hello"),
        ("Hello — Ticket\u2003Id:\u200312", "Hello"),
        ("Hello --- [Ticket Id: 12] – [Ticket Id: 13]", "Hello"),
        ("Ticket Id: 12x", "x"),
        ("Printer [Ticket Id: 12] on \u202e fire", "Printer on fire"),
        ("Ticket Id: ١٢", ""),
        ("Ticket Id:", "Ticket Id:"),
        ("Re: [Ticket Id: 12] AW: Hello", "Hello"),
        ("Ticket Id: 1" * 100, ""),
    ],
)
def test_no_mark_of_another_ticket_is_left(title: str, bare: str) -> None:
    assert bare_title(title) == bare
    assert MARK.findall(answer_subject(title, 57)) == ["57"]


@given(TITLES)
def test_a_subject_has_one_number(title: str) -> None:
    assert MARK.findall(answer_subject(title, 57)) == ["57"]
    assert not MARK.search(bare_title(title))


@pytest.mark.parametrize(
    "title", ["-" * 100_000, "Ticket Id:" + " –" * 50_000, "Tick" * 20_000 + "et Id: 1" * 20_000, "re:" * 50_000, "[" * 100_000]
)
def test_a_title_of_any_length_takes_no_time(title: str) -> None:
    begun = time.monotonic()
    assert len(answer_subject(title, 57)) < 300
    assert time.monotonic() - begun < 1


def test_a_template_s_subject_names_its_ticket_and_shows_what_it_is() -> None:
    template = Texts("x", subject="{{ ticket.title }} - Ticket Id: {{ ticket.id }}")
    assert acknowledged("Re: photo\u202egpj.exe - Ticket Id: 12", template).subject == "photogpj.exe - Ticket Id: 57"
    assert b"\r\nSubject: photogpj.exe - Ticket Id: 57\r\n" in acknowledged("Re: photo\u202egpj.exe - Ticket Id: 12", template).data


@given(TITLES, TITLES)
def test_no_title_or_name_brings_a_second_number_into_a_template_s_subject(title: str, name: str) -> None:
    subject = acknowledged(title, Texts("x", subject="{{ customer.name }}{{ ticket.title }} Ticket Id: {{ ticket.id }}"), name).subject
    assert set(MARK.findall(subject)) == {"57"}


def test_the_subject_that_is_sent_is_told() -> None:
    assert acknowledged("Hello", Texts("x")).subject == "Re: Hello - Ticket Id: 57"
    assert acknowledged("Hello", Texts("x", subject="Received")).subject == "Received"


def test_what_a_template_has_itself_is_escaped_once() -> None:
    page = Texts("x", html='{{ "A & B" }}, {{ ticket.title }}, {{ customer.name or "C & D" }}, {{ ticket.title|default("E & F") }}')
    data = acknowledged("<b> & co", page).data.decode()
    assert "A &amp; B, &lt;b&gt; &amp; co, C &amp; D, &lt;b&gt; &amp; co" in data
