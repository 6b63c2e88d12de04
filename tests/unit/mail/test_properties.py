"""Any bytes give a mail of which the same things hold: generated ones, real ones mutated, and every value by itself."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.addresses import addresses
from shared.mail.charset import decode
from shared.mail.dates import date_of
from shared.mail.fields import params
from shared.mail.html import html_to_text
from shared.mail.references import fold_subject, message_id, message_ids
from shared.mail.text import cut
from shared.mail.words import decode_words
from tests.fuzz.fuzz_parse import TOKENS, mutated
from tests.kit.corpus import needs_corpus, paths
from tests.unit.mail.invariants import checked

PIECES = st.sampled_from([
    b"From: ", b"To: ", b"Subject: ", b"Date: Mon, 1 Jan 2024 00:00:00 +0000", b"References: <a@b>", b"Content-Type: ",
    b"multipart/mixed; boundary=b",
    b"multipart/alternative; boundary=c", b"text/html; charset=", b"utf-7", b"utf-16", b"idna", b"text/plain",
    b"message/rfc822", b"\r\n", b"\n", b"\r\n\r\n",
    b"--b", b"--b--", b"--c\r\n", b"--c--\r\n", b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable", b"=?utf-8?B?w6Q?=",
    b"=?x?Q?=ZZ?=", b"Content-Disposition: attachment; filename*0*=u''%FF; filename*1=", b"\xff\xfe", b"\xed\xa0\x80",
    b"<p>", b"<a href='", b"<!--", b"&#xD800;",
    b"&#99999999;", b'"', b"(", b"<", b">", b"a@b", b"\0", b" ", b"=", b"\\",
])  # fmt: skip
SOUP = st.one_of(st.binary(max_size=400), st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=60).map(b"".join))

NAMES = st.sampled_from([
    "From", "To", "Cc", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "Delivered-To", "Received",
    "Authentication-Results", "Auto-Submitted", "Precedence", "List-Id", "X-Failed-Recipients", "X-Trasporto", "X-Ricevuta",
])  # fmt: skip
WORDS = st.sampled_from([
    "a@b.example", "<a@b.example>", '"Rossi, A"', "=?utf-8?Q?=C3=BC?=", "=?utf-8?B?DQpCY2M6IHhAeQ==?=", "(", ")", ",", ";", ":", "Re:",
    "\r\n ",
    "Mon, 23 Nov 2026 11:00:00 +0100", "auto-replied", "vacation", "dmarc=pass", "MAILER-DAEMON", "Grüße", "\u202e", "\x85", "\u2028",
    "\0", "\r",
])  # fmt: skip
FIELDS = st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=6).map(" ".join)), max_size=8)
TEXTS = st.lists(
    st.sampled_from([
        "Hello,", "", "> quoted", ">> twice", "On 23 Nov 2026, Anna wrote:", "Il giorno lun 23 nov 2026 Anna ha scritto:", "-- ", "Anna",
        "-----Original Message-----", "From: a@b.example", "Sent: today", "________________________________", "Le 23 nov., Anna a écrit :",
        "begin 644 x", "#86)C", "end", "<a@b.example>: 550 5.1.1 no such user", "Final-Recipient: rfc822; a@b.example", "Action: failed",
        "漢字", "\x0c",
    ]),
    max_size=14,
).map("\n".join)  # fmt: skip
MEDIA = st.sampled_from([
    "text/plain", "text/plain; charset=utf-8", "text/plain; charset=iso-2022-jp", "text/html", "text/calendar", "message/rfc822",
    "text/csv; name=a.csv",
    "message/delivery-status", "message/disposition-notification", "application/ms-tnef", "application/pkcs7-mime", "image/png", "text", "",
])  # fmt: skip
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "7bit": bytes,
    "base64": base64.encodebytes,
    "quoted-printable": bytes,
    "x-uuencode": bytes,
    "": bytes,
}
LEAVES = st.tuples(MEDIA, st.sampled_from(sorted(ENCODINGS)), st.sampled_from(["", "attachment", "inline; filename=a.b"]), TEXTS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(
        st.sampled_from(["mixed", "alternative", "related", "report", "signed", "digest"]), st.lists(inner, max_size=4)
    ),
    max_leaves=10,
)
Tree = tuple[str, list["Tree"]] | tuple[str, str, str, str]


def written(tree: Tree, depth: int = 0) -> bytes:
    if len(tree) == 2:
        boundary = f"b{depth}"
        inner = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), written(one, depth + 1)) for one in tree[1])
        return f"Content-Type: multipart/{tree[0]}; boundary={boundary}\r\n\r\n".encode() + inner + f"--{boundary}--".encode()
    media, encoding, disposition, text = tree
    head = f"Content-Type: {media}\r\nContent-Transfer-Encoding: {encoding}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + ENCODINGS[encoding](text.encode())


@settings(max_examples=400, deadline=None)
@given(SOUP)
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    checked(raw)


@settings(max_examples=300, deadline=None)
@given(FIELDS, TREES)
def test_any_fields_over_any_structure_are_a_mail(fields: list[tuple[str, str]], tree: Tree) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    for pec in (False, True):
        checked(head.encode() + written(tree), pec=pec)


def test_what_a_report_says_is_one_line_without_control_characters() -> None:
    head = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nno\r\n--b\r\n"
    said = b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 5.1.1 does \0\0 not exist\r\n"
    mail = checked(head + b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; b.example\r\n\r\n" + said + b"--b--")
    assert mail.report is not None
    assert [one.reason for one in mail.report.recipients] == ["550 5.1.1 does not exist"]


@needs_corpus
@pytest.mark.parametrize("seed", range(4))
def test_real_mails_mutated_are_mails(seed: int) -> None:
    random_ = random.Random(seed)
    pool = [raw for path in paths() if len(raw := path.read_bytes()) < 32 * 1024]
    for _ in range(60):
        checked(mutated(random_, random_.choice(pool), random_.choice(pool)))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(TOKENS), st.integers(1, 400))
def test_any_token_may_come_any_number_of_times(token: bytes, count: int) -> None:
    checked(b"From: a@b.example\r\nSubject: " + token * count)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.text('"\\()<>@,;:=?a \t\n.', max_size=80)))
def test_any_text_is_a_header_value_and_a_page(value: str) -> None:
    for read in (addresses, decode_words, message_id, message_ids, date_of, params, fold_subject, html_to_text):
        read(value)
    assert "\n" not in decode_words(value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100), st.text(max_size=20))
def test_any_bytes_in_any_charset_are_text(data: bytes, charset: str) -> None:
    cut(decode(data, charset)[0], 1000)[0].encode()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), st.integers(2, 300))
def test_a_cut_text_is_a_beginning_of_the_whole(text: str, limit: int) -> None:
    whole, _ = cut(text, 10**6)
    part, was_cut = cut(text, limit)
    assert whole.startswith(part)
    assert was_cut == (part != whole)
