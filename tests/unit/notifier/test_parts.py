"""Files, images and modes of a mail, read by Python's own parser."""

from __future__ import annotations

import base64
import email
import quopri
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.domain.body import encoded, readable
from notifier.domain.compose import ComposeError, Identity, compose
from notifier.domain.quoting import is_clean
from notifier.domain.templates import Texts
from shared.events import OutgoingMail, OutgoingPart, Quoted
from shared.mail.answer_subject import answer_subject
from shared.mail.model import Address
from tickets.domain.html import quotable

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MAILBOX = Identity("Help Desk", "help@company.example", signature="Help Desk")
NASTY = st.one_of(
    st.text(),
    st.sampled_from(
        ["a\r\nBcc: evil@example.org", 'a"; filename="b.exe', "a\x00b", "x" * 3000, "ü" * 300, "\ud800", "\u202egpj.exe", "../../etc", ""]
    ),
)
LINKS = [
    "https://x",
    " https://x",
    "\nHTTP://x",
    "\x01https://x",
    "mailto:a@b.example",
    " javascript:x",
    "\u3000tel:1",
    "&#32;https://x",
    "",
]
HTML = st.one_of(
    st.sampled_from(LINKS).map('<a href="{}" title="<img>">l</a>'.format),
    st.sampled_from(
        [
            *('<img src="cid:a@b" alt="a<b>c">', '<img src=" cid:a@b">', '<img src="https://x.example/t.png">', "<p>x", "</p>", "&"),
            *("<!-- x", "<pre>\n\nx</pre>", "<svg><a href=x>", "<col>", "<wbr>", "<o:p>x</o:p>", "\x00", "\u2028", "<", "&lt;script&gt;"),
            *("<plaintext>x", "<font face='a\"b'>x", "<blockquote type=cite>", "<div style='x'>", "<math><mi>x", "<textarea>", "<br/>"),
            *("<table><tr><td>x", "\r"),
        ]
    ),
    st.text(max_size=9),
)
TEXTS = st.lists(
    st.sampled_from(["From ", ".", "=", "a", "x" * 60, "x" * 73, "x" * 74, "x" * 75, "é", "漢", " ", "\t", "\n", "\n.\n", "\nFrom "]),
    max_size=40,
).map("".join)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


def outgoing(**more: object) -> OutgoingMail:
    values: dict[str, object] = {
        "outgoing_id": "6c1d7b1e-0001",
        "ticket_id": 57,
        "scanner_id": "s1",
        "message_id": "<abc.1@company.example>",
        "in_reply_to": "<mail-2@lakeside.example>",
        "to": [Address(name="Anna Keller", address="anna@lakeside.example")],
        "title": "Invoice 2026-0417 - Ticket Id: 12",
        "text": "Dear Anna,\n\nhere is the corrected one.",
    }
    return OutgoingMail.model_validate(values | more)


def part(name: str, content_type: str = "application/pdf", content_id: str | None = None) -> OutgoingPart:
    return OutgoingPart(name=name, content_type=content_type, size=1, archive_key="uploads/1", content_id=content_id)


def quoted(html: str) -> Quoted:
    return Quoted(sender="Anna", at=AT, text="See the picture.", html=html)


def read(data: bytes) -> EmailMessage:
    assert max(len(line) for line in data.split(b"\r\n")) <= 78
    assert data.endswith(b"\r\n")
    assert not re.search(rb"[^\r]\n|\r[^\n]|[ \t]\r\n|[^\x09\x0a\x0d\x20-\x7e]", data)
    assert not re.search(rb"^(?=.*=\?).{77}", data, re.MULTILINE)  # RFC 2047, 2
    message = email.message_from_bytes(data, policy=policy.default)
    for one in message.walk():
        if one["Content-Transfer-Encoding"] in {"quoted-printable", "base64"}:
            assert max(map(len, str(one.get_payload()).splitlines() or [""])) <= 76  # RFC 2045, 6.7 and 6.8
    return message


def made(mail: OutgoingMail, *files: bytes, identity: Identity = MAILBOX) -> EmailMessage:
    return read(compose(mail, identity, AT, files).data)


def tree(message: EmailMessage) -> list[str]:
    return [one.get_content_type() for one in message.walk()]


@given(TEXTS)
def test_a_transfer_encoding_gives_the_text_back_and_nothing_that_servers_change(text: str) -> None:
    encoding, wire = encoded(text)
    decoders: dict[str, Callable[[bytes], bytes]] = {"7bit": bytes, "quoted-printable": quopri.decodestring, "base64": base64.b64decode}
    decoded = decoders[encoding](wire.encode("ascii"))
    assert decoded.decode().replace("\r\n", "\n") == text
    lines = wire.split("\r\n")
    assert max(map(len, lines)) <= 76
    assert not [line for line in lines if line.startswith("From ") or line == "." or line != line.rstrip()]


@pytest.mark.parametrize(
    "title",
    ["漢" * 40, "é" * 200, f"{'x' * 60} {'ü' * 40}", "From " * 30, f"=?utf-8?q?x?= {'y' * 70}"],
    ids=["wide", "accents", "mixed", "plain", "encoded"],
)
def test_lines_keep_their_bounds(title: str) -> None:
    text = f"{'x' * 50} From {'é' * 9}{'a' * 74}From {'b' * 75}.\n{'From ' * 40}\n{'é'}{'c' * 72} \n" * 3
    data = compose(outgoing(title=title, text=text, cc=[Address(name=title, address="boss@lakeside.example")]), MAILBOX, AT).data
    assert read(data)["Subject"] == answer_subject(title, 57)
    # Python's newer parser puts a blank between two encoded words of a name, which RFC 2047, 6.2 says to leave out.
    copied = email.message_from_bytes(data)["Cc"].replace("\r\n ", " ")
    assert str(make_header(decode_header(copied))) == f"{title[:200].strip()} <boss@lakeside.example>"
    assert read(compose(outgoing(mode="acknowledgement"), MAILBOX, AT, (), Texts("x", subject=title)).data)["Subject"] == title.strip()


def test_files_and_images_stand_where_mail_programs_look_for_them() -> None:
    mail = outgoing(
        quoted=quoted('<p>See <img src="cid:image1.abc@company.example" alt="it"></p>'),
        parts=[part("invoice.pdf"), part("plan.png", "image/png", "image1.abc@company.example")],
    )
    message = made(mail, b"%PDF", PNG)
    assert tree(message) == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png", "application/pdf"),
    ]
    image, file = list(message.walk())[5:]
    assert (image["Content-ID"], image.get_content_disposition(), image.get_content()) == ("<image1.abc@company.example>", "inline", PNG)
    assert (file.get_filename(), file.get_content_disposition(), file.get_content()) == ("invoice.pdf", "attachment", b"%PDF")


def test_levels_that_are_not_needed_are_left_out() -> None:
    assert tree(made(outgoing())) == ["multipart/alternative", "text/plain", "text/html"]
    assert tree(made(outgoing(parts=[part("a.pdf")]), b"x"))[:2] == ["multipart/mixed", "multipart/alternative"]


@pytest.mark.parametrize("name", ["Größe 漢字 2026.pdf", "ü" * 100 + ".pdf", "a" * 200 + ".txt", "it's 100%.pdf", "a b.pdf"])
def test_names_of_files_come_back_as_given_in_both_ways_of_writing_them(name: str) -> None:
    _, file = made(outgoing(parts=[part(name)]), b"x").iter_parts()
    assert file.get_filename() == name
    assert file["Content-Type"].params["name"].replace(" ", "") == name.replace(" ", "")


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed", "text/html; charset=x", "a\r\nBcc: x@y.example", "", "nothing"])
def test_a_type_that_could_be_changed_on_the_way_or_is_none_is_sent_as_bytes(kind: str) -> None:
    _, file = made(outgoing(parts=[part("a.eml", kind)]), b"Subject: inner\n\nbare line ends\n").iter_parts()
    assert (file.get_content_type(), file.get_payload(decode=True)) == ("application/octet-stream", b"Subject: inner\n\nbare line ends\n")


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        '<img src="https://tracker.example/x.png">',
        '<img src="cid:other">',
        '<p onclick="x">',
        "</blockquote><p>mine</p>",
        '<a href="javascript:x">a</a>',
        "<!-- x",
        "<p",
        "<p>open",
        "<svg/onload=x>",
    ],
)
def test_html_that_no_sanitiser_wrote_is_quoted_from_its_text(html: str) -> None:
    assert not is_clean(html, [])
    page = made(outgoing(quoted=quoted(html))).get_body(("html",))
    assert page is not None
    assert "See the picture." in page.get_content()
    assert html not in page.get_content()


@given(st.lists(HTML, max_size=12).map("".join))
@example('<p><img src="cid:a@b"> <a href=" https://x.example">l</a></p>')
def test_html_that_tickets_leaves_is_quoted_whole(html: str) -> None:
    own = "image1.abc@company.example"
    cleaned, shown = quotable(html, {"a@b": f"cid:{own}"})
    assert is_clean(readable(cleaned), [own] if shown else [])


def test_a_personal_answer_is_a_mail_like_any_other() -> None:
    author = Address(name="Otto Operator", address="otto@company.example")
    composed = compose(outgoing(mode="personal", author=author), Identity("Help", "help@company.example", reply_to="x@y.example"), AT)
    message = read(composed.data)
    assert (composed.envelope_from, message["From"]) == ("otto@company.example", "Otto Operator <otto@company.example>")
    assert message["Subject"] == "Re: Invoice 2026-0417"
    assert message["In-Reply-To"] == "<mail-2@lakeside.example>"
    assert not [name for name in message if name.startswith("X-") or name in {"Reply-To", "Auto-Submitted", "Precedence"}]
    assert b"Ticket Id" not in composed.data


def test_a_personal_answer_without_an_author_s_address_is_refused() -> None:
    with pytest.raises(ComposeError, match="no mail address of their own"):
        compose(outgoing(mode="personal", author=Address(name="Otto", address="")), MAILBOX, AT)


@pytest.mark.parametrize(("mode", "kind"), [("acknowledgement", "auto-replied"), ("notice", "auto-generated")])
def test_automatic_mails_say_so_and_nobody_answers_them(mode: str, kind: str) -> None:
    composed = compose(outgoing(mode=mode, quoted=quoted("<p>secret</p>")), MAILBOX, AT)
    message = read(composed.data)
    assert composed.envelope_from == ""
    assert (message["Auto-Submitted"], message["X-Auto-Response-Suppress"], message["Precedence"]) == (kind, "All", "auto_reply")
    assert message["X-Mail-Converter-Id"] == "6c1d7b1e-0001"
    assert b"picture" not in composed.data
    assert b"secret" not in composed.data


def test_an_acknowledgement_says_what_its_template_has() -> None:
    template = Texts(text="Number {{ ticket.id }} for {{ customer.name }}.", subject="Received: {{ ticket.title }}")
    composed = compose(outgoing(mode="acknowledgement", title="A\r\nBcc: x@y.example"), MAILBOX, AT, (), template)
    message = read(composed.data)
    assert (message["Subject"], message["Bcc"], composed.text) == ("Received: A Bcc: x@y.example", None, "Number 57 for Anna Keller.")


def test_a_template_that_fails_keeps_no_mail_from_leaving() -> None:
    composed = compose(outgoing(), MAILBOX, AT, (), Texts(text="{{ answer }}{{ nothing }}"))
    assert composed.problem
    text = read(composed.data).get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == "Dear Anna,\n\nhere is the corrected one.\n\n-- \nHelp Desk\n"


@given(name=NASTY, kind=NASTY, content_id=NASTY, html=NASTY, author=NASTY, address=NASTY, template=NASTY)
def test_no_file_author_or_template_adds_a_header_or_a_part(
    name: str, kind: str, content_id: str, html: str, author: str, address: str, template: str
) -> None:
    mail = outgoing(
        parts=[part(name, kind, content_id), part(name)],
        quoted=quoted(html),
        author=Address(name=author, address=address),
        to=[Address(name=name, address="anna@lakeside.example")],
    )
    composed = compose(mail, MAILBOX, AT, (b"1", b"2"), Texts(text=f"{{{{ answer }}}}{template}", subject=template))
    message = email.message_from_bytes(composed.data, policy=policy.default)
    assert max(len(line) for line in composed.data.split(b"\r\n")) <= 78
    assert set(message.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Mail-Converter-Id", "MIME-Version", "Content-Type")
    }
    assert [one.addr_spec for one in message["To"].addresses] == ["anna@lakeside.example"]
    assert sum(not one.is_multipart() for one in message.walk()) == 4
    for one in list(message.walk())[1:]:
        assert set(one.keys()) <= {"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"}
