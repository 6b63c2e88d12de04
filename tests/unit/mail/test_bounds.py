"""Any bytes give a mail, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.addresses import addresses
from shared.mail.charset import decode
from shared.mail.dates import date_of
from shared.mail.envelope import envelope
from shared.mail.fields import params
from shared.mail.html import html_to_text
from shared.mail.limits import MAX_PARTS
from shared.mail.parse import parse
from shared.mail.parts import open_part
from shared.mail.references import fold_subject, message_id, message_ids
from shared.mail.text import cut
from shared.mail.words import decode_words

MIB = 1024 * 1024
SECONDS = 3.0
"""The aim is one second for 1 MiB; the machine that runs the tests may be busy."""

HTML = b"Content-Type: text/html\r\n\r\n"
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def nested(depth: int) -> bytes:
    return b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(depth)) + b"\r\nhello\r\n"


BOMBS: dict[str, Callable[[], bytes]] = {
    "20,000 parts": lambda: MIXED + b"--b\r\n\r\nx\r\n" * 20_000,
    "20,000 HTML parts": lambda: MIXED + b"--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n" * 20_000,
    "20,000 encoded words": lambda: b"Subject: " + b" =?utf-8?B?w6Q=?=\r\n" * 20_000 + b"\r\nx",
    "encoded words without end": lambda: b"Subject: " + b"=?utf-8?Q?" * 100_000 + b"\r\n\r\nx",
    "1,000 nested multiparts": lambda: nested(1_000),
    "100,000 headers": lambda: b"X-A: b\r\n" * 100_000 + b"\r\nx",
    "headers in every part": lambda: MIXED + (b"--b\r\n" + b"A: b\r\n" * 170) * 1_000,
    "parts without a blank line": lambda: MIXED + (b"--b\r\nA: " + b"b" * 1000 + b"\r\n") * 1_000,
    "parts of long words": lambda: MIXED + (b"--b\r\n" + b"a" * 1000 + b"\n") * 1_000,
    "attached mails": lambda: MIXED + b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nx\r\n" * 20_000,
    "uuencoded files in every part": lambda: MIXED + b"--b\r\n\r\nbegin 644 x\r\n#86)C\r\n`\r\nend\r\n" * 25_000,
    "quotes in a calendar": lambda: b"Content-Type: text/calendar\r\n\r\nBEGIN:VEVENT\n" + b'A;";"' * (MIB // 6),
    "sections of a parameter": lambda: b"Content-Type: a/b" + b";a*0*=u''%41" * 20_000 + b"\r\n\r\n",
    "an inner boundary that never comes": lambda: nested(49) + (b"\r\nx\r\n--b48") * 100_000,
    "one header folded 250,000 times": lambda: b"To: a@b\r\n" + b" c\r\n" * 250_000,
    "giant boundary": lambda: b'Content-Type: multipart/mixed; boundary="' + b"a" * MIB + b'"\r\n\r\n--' + b"a" * MIB + b"\r\n\r\nx\r\n",
    "lines of hyphens": lambda: MIXED + b"--b\r\n\r\n" + b"--\n" * (MIB // 3),
    "open quotes in addresses": lambda: b"To: " + b'"\\' * 60_000 + b"\r\n\r\n",
    "open parentheses in addresses": lambda: b"To: " + b"(" * 120_000 + b"\r\n\r\n",
    "at signs": lambda: b"To: " + b"a@" * 60_000 + b"\r\n\r\n",
    "blanks in parameters": lambda: b"Content-Type: a/b" + b" " * 120_000 + b"=\r\n\r\n",
    "open brackets in ids": lambda: b"References: " + b"<" * 120_000 + b"\r\n\r\n",
    "unclosed formatting in HTML": lambda: HTML + b"".join(b"<b a=%d>" % i for i in range(40_000)) + b"<p>" * 100_000,
    "less-than signs": lambda: HTML + b"<" * MIB,
    "open quotes in HTML tags": lambda: HTML + b'<a "' * (MIB // 4),
    "open comments": lambda: HTML + b"<!--" * (MIB // 4),
    "line breaks in HTML": lambda: HTML + b"<br>" * (MIB // 4),
    "nested quotes in HTML": lambda: HTML + b"<blockquote>x" * (MIB // 13),
    "padding in base64": lambda: b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * (MIB // 2),
    "8-bit parts without charset": lambda: MIXED + b"--b\r\n\r\n\xe4\xf6\xfc hallo sch\xf6ne welt\r\n" * 20_000,
    "8-bit without charset": lambda: b"From: a\r\n\r\n" + bytes(range(128, 256)) * (MIB // 128),
    "NUL": lambda: b"\0" * MIB,
    "CR": lambda: b"\r" * MIB,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time(name: str) -> None:
    raw = BOMBS[name]()
    began = time.process_time()
    mail = parse(raw)
    envelope(raw)
    assert time.process_time() - began < SECONDS
    assert len(mail.model_dump_json()) < MIB


@pytest.mark.parametrize(
    "name",
    [
        "20,000 parts",
        "100,000 headers",
        "headers in every part",
        "giant boundary",
        "open quotes in HTML tags",
        "8-bit without charset",
        "NUL",
    ],
)
def test_a_bomb_costs_little_memory(name: str) -> None:
    raw = BOMBS[name]()
    parse(b"warm: up\r\n\r\n\xe4")
    tracemalloc.start()
    try:
        parse(raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * max(len(raw), MIB)


def test_what_a_limit_cuts_is_said() -> None:
    mail = parse(BOMBS["20,000 parts"]())
    assert mail.text.startswith("x\n\nx")
    assert any(str(MAX_PARTS) in defect for defect in mail.defects)
    assert any("deep" in defect for defect in parse(nested(1_000)).defects)
    assert any("header" in defect for defect in parse(BOMBS["100,000 headers"]()).defects)


def test_a_body_is_found_behind_too_many_headers() -> None:
    assert parse(b"X-A: b\r\n" * 100_000 + b"\r\nthe body").text == "the body"


def test_a_mail_as_large_as_one_may_be() -> None:
    attached = b"--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUFB" * (20 * MIB // 4) + b"\r\n--b--"
    began = time.process_time()
    mail = parse(MIXED + attached)
    assert mail.attachments[0].size == 15 * MIB
    assert time.process_time() - began < SECONDS


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
MAILS = st.one_of(st.binary(max_size=400), st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=60).map(b"".join))


@settings(max_examples=400, deadline=None)
@given(MAILS)
def test_any_bytes_are_a_mail(raw: bytes) -> None:
    mail = parse(raw)
    assert mail.model_dump_json()
    envelope(raw)
    for known in mail.attachments:
        found, data = open_part(raw, known.part)
        assert (found, len(data)) == (known, known.size)
        assert not set(known.name) & set("/\\\r\n\0")
        assert 0 < len(known.name.encode()) <= 255
    for value in [mail.subject, *(value for _, value in mail.headers), *(a.name + a.address for a in mail.to)]:
        assert not set(value) & set("\r\n\0")
    assert len({a.part for a in mail.attachments}) == len(mail.attachments)


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
