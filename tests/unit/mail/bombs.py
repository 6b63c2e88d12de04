"""Mails made to cost: each 1 MiB at most, and small work to send."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Final

MIB: Final = 1024 * 1024

HTML: Final = b"Content-Type: text/html\r\n\r\n"
MIXED: Final = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
FROM: Final = b"From: a@b.example\r\n"
TEXT: Final = FROM + b"\r\n"
DAEMON: Final = b"From: MAILER-DAEMON@b.example\r\nSubject: failure notice\r\n\r\n"
TNEF: Final = FROM + b"Content-Type: application/ms-tnef\r\n\r\n"
REPORT: Final = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"


def encoded(media: bytes, data: bytes) -> bytes:
    return FROM + b"Content-Type: " + media + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)


def of_charset(name: bytes, data: bytes) -> bytes:
    return FROM + b"Content-Type: text/plain; charset=" + name + b"\r\n\r\n" + data


def parts(head: bytes, count: int = 1_000, body: bytes = b"x") -> bytes:
    return MIXED + b"".join(b"--b\r\n" + head.replace(b"%d", b"%d" % number) + b"\r\n\r\n" + body + b"\r\n" for number in range(count))


def winmail(*attributes: tuple[int, bytes]) -> bytes:
    """A TNEF stream of those attributes."""
    blocks = (struct.pack("<BHHI", 2, tag, 6, len(data)) + data + b"\0\0" for tag, data in attributes)
    return b"\x78\x9f\x3e\x22\x01\x00" + b"".join(blocks)


def nested(depth: int) -> bytes:
    return b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(depth)) + b"\r\nhello\r\n"


BOMBS: Final[dict[str, Callable[[], bytes]]] = {
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
    "zip bomb": lambda: encoded(b"application/zip; name=a.zip", zlib.compress(bytes(500 * MIB), 9)[: MIB // 2]),
    "quoted-printable of nothing": lambda: FROM + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * (MIB // 3),
    "quoted-printable signs": lambda: FROM + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * MIB,
    "garbage in base64": lambda: FROM + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"Q!U" * (MIB // 3),
    "one wide character": lambda: of_charset(b"utf-8", "\U0001f600".encode() + b"a\r\n" * (MIB // 3)),
    "one wide character in HTML": lambda: HTML + "\U0001f600".encode() + b"<p>a" * (MIB // 4),
    "wide characters": lambda: encoded(b"text/plain; charset=utf-16", ("\U0001f600" * 180_000).encode("utf-16")),
    "UTF-7": lambda: of_charset(b"utf-7", b"+AOQ-" * (MIB // 5)),
    "shifts of a charset": lambda: of_charset(b"iso-2022-jp", b"\x1b$B$3\x1b(B" * (MIB // 9)),
    "broken characters": lambda: of_charset(b"gb18030", b"\x81\xff" * (MIB // 2)),
    "broken surrogates": lambda: of_charset(b"utf-16", b"\xd8\x00" * (MIB // 2)),
    "parts of unknown charsets": lambda: parts(b"Content-Type: text/plain; charset=x%d", 600, bytes(range(128, 256)) * 10),
    "parts of unknown texts": lambda: parts(b"Content-Type: text/x%d", 600, bytes(range(128, 256)) * 10),
    "encoded words in every field": lambda: b"".join(b"X-%d: " % i + b"=?utf-8?Q?a?= " * 80 + b"\r\n" for i in range(900)) + b"\r\nx",
    "encoded words of unknown charsets": lambda: b"Subject: " + b"".join(b"=?x%d?Q?=ff?= " % i for i in range(20_000)) + b"\r\n\r\n",
    "encoded words in names of parts": lambda: parts(b'Content-Disposition: attachment; filename="' + b"=?utf-8?Q?a?= " * 60 + b'%d"'),
    "encoded names of addresses": lambda: b"To: " + b"=?utf-8?Q?a?= <a@b>, " * 20_000 + b"\r\n\r\n",
    "open words in addresses": lambda: b"To: " + b"=?a?Q?" * 20_000 + b"\r\n\r\n",
    "colons in addresses": lambda: b"To: " + b"a: " * 40_000 + b"\r\n\r\n",
    "comments in addresses": lambda: b"To: " + b"(a)" * 40_000 + b"\r\n\r\n",
    "blanks in addresses": lambda: b"To: " + b" " * 60_000 + b"@" + b" " * 60_000 + b"\r\n\r\n",
    "200 address fields": lambda: (b"To: " + b"(\\" * 2_000 + b"\r\n") * 200 + b"\r\n",
    "blanks in a date": lambda: b"Date: " + b"1 " * 60_000 + b"\r\n\r\n",
    "open quotes in parameters": lambda: b"Content-Type: text/plain" + b'; a="' * 20_000 + b"\r\n\r\n",
    "foreign lines in the header block": lambda: b"From: a\n" + (b"ab\n" * 19 + b"To: x\n") * 5_000 + b"\nx",
    "files in a winmail.dat": lambda: TNEF + winmail(*[(0x9002, b""), (0x800F, b"x" * 20)] * (MIB // 60)),
    "properties in a winmail.dat": lambda: (
        TNEF + winmail((0x9003, struct.pack("<I", 10**6) + struct.pack("<HHII", 0x1F, 0x1000, 1, 0) * 80_000))
    ),
    "text in a winmail.dat": lambda: TNEF + winmail((0x9007, struct.pack("<II", 65000, 0)), (0x800C, b"+AOQ-" * 200_000)),
    "a winmail.dat in every part": lambda: parts(b"Content-Type: application/ms-tnef", 1_000, winmail((0x9002, b""), (0x800F, b"x" * 500))),
    "lines folded in a calendar": lambda: b"Content-Type: text/calendar\r\n\r\nBEGIN:VEVENT\r\n" + b"A:b\r\n " * (MIB // 8),
    "attributes of HTML": lambda: HTML + b"<p style='" + b"display :" * 80_000 + b"'>x",
    "entities of HTML": lambda: HTML + b"&nbsp;" * (MIB // 6),
    "cells of HTML": lambda: HTML + b"<td>x" * (MIB // 5),
    "quote signs": lambda: TEXT + b"> " * (MIB // 2),
    "quoted lines": lambda: TEXT + b">\r\n" * (MIB // 3),
    "attributions": lambda: TEXT + b"On Mon wrote:\r\n" * (MIB // 15),
    "beginnings of an attribution": lambda: TEXT + b"On " * (MIB // 3),
    "signatures": lambda: TEXT + b"-- \r\n" * (MIB // 5),
    "quoted headers": lambda: TEXT + b"From: a\r\nSent: b\r\n\r\n" * (MIB // 20),
    "line ends": lambda: TEXT + b"\r\n" * (MIB // 2),
    "underscores": lambda: TEXT + b"_" * MIB,
    "blanks": lambda: TEXT + b" " * MIB,
    "recipients of a report": lambda: (
        REPORT
        + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + b"Final-Recipient: rfc822; a@b\r\nAction: failed\r\n\r\n" * 20_000
    ),
    "reports": lambda: (
        REPORT + b"--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@b\r\nAction: failed\r\n\r\n" * 9_000
    ),
    "failed addresses": lambda: DAEMON + b"<a@b.example>: 550 5.1.1 " * (MIB // 26),
    "at signs in a bounce": lambda: DAEMON + b"a@" * (MIB // 2),
    "status codes in a bounce": lambda: DAEMON + b"5.1." * (MIB // 4),
    "results of authentication": lambda: b"Authentication-Results: x; " + b"spf=pass " * 14_000 + b"\r\n\r\n",
    "open comments in authentication": lambda: b"Authentication-Results: x; " + b"(" * 120_000 + b"\r\n\r\n",
}
