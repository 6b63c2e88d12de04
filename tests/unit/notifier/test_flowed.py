"""Flowed texts, put together again as RFC 3676, 4.2 has it, and as an old mail program shows them."""

from __future__ import annotations

import email
from datetime import UTC, datetime
from email import policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.compose import Identity, compose
from notifier.domain.flowed import flowed
from shared.events import OutgoingMail, Quoted
from shared.mail.model import Address

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MAILBOX = Identity("Help Desk", "help@company.example", signature="Help Desk\nCompany Ltd")
PARAGRAPH = "We have looked at it, and found that the printer in your office burns only while the one beside it is being switched off. " * 3
URL = f"https://company.example/{'a-long-way/' * 12}?x=1"
CJK = "漢字" * 60
PIECES = st.sampled_from(
    [
        *(" ", "  ", "   ", " " * 90, "\n", "\n\n", ">", ">>", "> ", "-- ", "--", "-", "From ", "a", "word", "the", "x" * 35, "x" * 80),
        *("\t", "漢字", "\n-- \n", "\n> ", "\n>> ", ".", "\n.\n", "é", f"-- {'x' * 71}", "\n> -- \n"),
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


def paragraphs(text: str) -> list[tuple[int, str]]:
    """Depth of quoting and text of each paragraph, as a program shows it that knows RFC 3676."""
    found: list[tuple[int, str]] = []
    goes_on = False
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        if goes_on and content != "-- " and found[-1][0] == depth:
            found[-1] = (depth, found[-1][1] + content)
        else:
            found.append((depth, content))
        goes_on = content.endswith(" ") and content != "-- "
    return found


def meant(text: str) -> list[tuple[int, str]]:
    """Each line as it was written, without blanks at its end."""
    found = []
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ") if depth else content
        found.append((depth, content if content == "-- " else content.rstrip(" ")))
    return found


@given(TEXTS)
def test_what_was_written_comes_back(text: str) -> None:
    assert paragraphs(flowed(text)) == meant(text)


@given(
    st.lists(st.sampled_from(["a", "word", "is", "x" * 30, "-- ", "From", ">", " ", "\n", "\n> ", "\n>>> "]), max_size=200).map(" ".join)
)
def test_an_old_program_shows_no_line_over_78(text: str) -> None:
    assert max(map(len, flowed(text).split("\n"))) <= 78


@pytest.mark.parametrize("word", [URL, CJK, "x" * 200])
def test_urls_long_words_and_languages_without_blanks_stay_whole(word: str) -> None:
    assert f"\n{word} \n" in f"\n{flowed(f'{PARAGRAPH}{word} {PARAGRAPH}')}\n"


def test_a_line_of_many_quote_marks_is_not_made_longer() -> None:
    hostile = ">" * 5000 + " a" * 5000
    assert len(flowed(hostile)) <= len(hostile) + 1


def test_an_answer_and_what_it_quotes_are_flowed() -> None:
    quoted = Quoted(sender="Anna Keller", at=AT, text=f"{PARAGRAPH}\n> {PARAGRAPH}\n\n-- \nAnna")
    mail = OutgoingMail(
        outgoing_id="1",
        ticket_id=57,
        message_id="<abc@company.example>",
        to=[Address(address="anna@lakeside.example")],
        title="x",
        text=f"Dear Anna,\n\n{PARAGRAPH}\nSee {URL}",
        quoted=quoted,
    )
    data = compose(mail, MAILBOX, AT).data
    part = email.message_from_bytes(data, policy=policy.default).get_body(("plain",))
    assert part is not None
    assert part["Content-Type"].params == {"charset": "utf-8", "format": "flowed"}
    text = part.get_content().replace("\r\n", "\n")
    assert max(len(line) for line in text.split("\n") if URL not in line) <= 72
    assert paragraphs(text.rstrip("\n")) == [
        *((0, "Dear Anna,"), (0, ""), (0, PARAGRAPH.rstrip()), (0, f"See {URL}"), (0, "")),
        *((0, "-- "), (0, "Help Desk"), (0, "Company Ltd"), (0, "")),
        (0, "On Mon, 23 Nov 2026 at 09:30 UTC, Anna Keller wrote:"),
        *((1, PARAGRAPH.rstrip()), (2, PARAGRAPH.rstrip()), (1, ""), (1, "-- "), (1, "Anna")),
    ]
