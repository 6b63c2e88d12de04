"""Parsing, the pipeline's dearest step, against the standard library's parser with everything decoded; one run, taken in turns."""

from __future__ import annotations

import base64
import gc
import hashlib
import quopri
import random
import time
from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default
from typing import Any, Final

import pytest

from shared.mail.parse import parse
from tests.kit.corpus import needs_corpus, paths

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

MAILS: Final = 500
MEAN_BYTES: Final = 36 * 1024
ROUNDS: Final = 5
SOME: Final = 20
ASKED: Final = 4.0
"""Times the mails/s of the standard library's `compat32` on ordinary mails."""

Parser = Callable[[bytes], Any]

WORDS: Final = [
    "order", "delivery", "invoice", "Rechnung", "Lieferung", "größe", "città", "perché", "customer", "please", "broken", "lamp", "number",
    "thank", "you", "best", "regards", "the", "is", "and", "of", "we", "have", "not", "yet", "received", "it", "could", "send", "again",
    "account", "address", "Straße", "für", "über", "naïve", "grazie", "cordiali", "saluti",
]  # fmt: skip


def prose(random_: random.Random, words: int) -> str:
    lines = [" ".join(random_.choices(WORDS, k=12)) for _ in range(words // 12 + 1)]
    return "\r\n".join(lines)


def page(random_: random.Random, words: int) -> str:
    style = "font-family:Calibri,Arial,sans-serif;font-size:11pt;color:#1f497d"
    rows = [f'<p class="MsoNormal" style="{style}">{line}<br></p>' for line in prose(random_, words).split("\r\n")]
    return '<html><head><meta charset="utf-8"><style>p{margin:0}</style></head><body><div>' + "\r\n".join(rows) + "</div></body></html>"


def field_lines(random_: random.Random, number: int) -> list[str]:
    """The header of a mail that came over four servers, signed twice."""
    signature = base64.b64encode(random_.randbytes(256)).decode()
    folded = "\r\n ".join(signature[at : at + 68] for at in range(0, len(signature), 68))
    received = [
        f"Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{hop}])\r\n\tby in{hop}.example.com (Postfix) with ESMTPS id "
        f"{random_.randbytes(6).hex()}\r\n\tfor <help@example.com>; Mon, 23 Nov 2026 10:0{hop}:12 +0000 (UTC)"
        for hop in range(4)
    ]
    return [
        "Return-Path: <anna.rossi@example.net>",
        "Delivered-To: help@example.com",
        *received,
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=mail;\r\n\th=from:to:subject:date;\r\n\tb={folded}",
        f"ARC-Seal: i=1; a=rsa-sha256; t=1764000000; cv=none; d=example.net; s=arc;\r\n b={folded}",
        "Authentication-Results: in1.example.com; dkim=pass header.d=example.net;\r\n\tspf=pass smtp.mailfrom=anna.rossi@example.net",
        f"From: =?UTF-8?Q?Anna_Rossi_=28B=C3=BCro_{number}=29?= <anna.rossi@example.net>",
        'To: "Help desk" <help@example.com>, Bob <bob@example.com>',
        f"Subject: =?UTF-8?B?{base64.b64encode(f'Re: Größe der Lieferung {number}'.encode()).decode()}?=",
        f"Message-ID: <{number}.{random_.randbytes(8).hex()}@mail.example.net>",
        f"In-Reply-To: <{number - 1}@desk.example.com>",
        f"References: <1@desk.example.com>\r\n <{number - 1}@desk.example.com>",
        "Date: Mon, 23 Nov 2026 11:00:00 +0100",
        "X-Mailer: Microsoft Outlook 16.0",
        "Accept-Language: de-DE, en-US",
        "MIME-Version: 1.0",
    ]


def text_part(random_: random.Random, media: str, text: str) -> str:
    if random_.random() < 0.3:
        return (
            f"Content-Type: {media}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{base64.encodebytes(text.encode()).decode()}"
        )
    coded = quopri.encodestring(text.encode()).decode()
    return f'Content-Type: {media}; charset="UTF-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{coded}'


def multipart(random_: random.Random, subtype: str, parts: Sequence[str]) -> str:
    boundary = f"----=_Part_{random_.randbytes(8).hex()}"
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{subtype};\r\n\tboundary="{boundary}"\r\n\r\n{body}--{boundary}--\r\n'


def ordinary(random_: random.Random, number: int) -> bytes:
    """A plain answer, a mail in text and HTML, or such a mail with one or two files."""
    words, shape = random_.randint(60, 500), random_.random()
    plain = text_part(random_, "text/plain", prose(random_, words))
    both = multipart(random_, "alternative", [plain, text_part(random_, "text/html", page(random_, words))])
    files = [
        f'Content-Type: application/pdf; name="Rechnung {n}.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        f"Content-Disposition: attachment; filename*=utf-8''Rechnung%20{n}%20f%C3%BCr%20M%C3%A4rz.pdf\r\n\r\n"
        + base64.encodebytes(random_.randbytes(random_.randint(5_000, 56_000))).decode()
        for n in range(random_.randint(1, 2))
    ]
    content = plain if shape < 0.2 else both if shape < 0.55 else multipart(random_, "mixed", [both, *files])
    return ("\r\n".join(field_lines(random_, number)) + "\r\n" + content).encode().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def generated() -> list[bytes]:
    random_ = random.Random(5)
    return [ordinary(random_, number) for number in range(MAILS)]


def corpus() -> list[bytes]:
    return [path.read_bytes() for path in paths()]


def results(mail: Message, headers: list[tuple[str, str]]) -> tuple[object, ...]:
    """Texts decoded by their charsets, everything else as bytes with its hash."""
    texts, files = [], []
    for part in mail.walk():
        if part.is_multipart():
            continue
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        if part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment":
            try:
                texts.append(data.decode(part.get_content_charset() or "utf-8", "replace"))
            except LookupError:
                texts.append(data.decode("latin-1"))
        else:
            files.append((part.get_filename(), part.get_content_type(), len(data), hashlib.sha256(data).hexdigest()))
    return headers, texts, files


def compat32(raw: bytes) -> tuple[object, ...]:
    mail = message_from_bytes(raw)
    return results(mail, [(name, str(make_header(decode_header(value)))) for name, value in mail.items()])


def policy_default(raw: bytes) -> tuple[object, ...]:
    mail = message_from_bytes(raw, _class=EmailMessage, policy=default)
    return results(mail, [(name, str(value)) for name, value in mail.items()])


PARSERS: Final[dict[str, Parser]] = {"ours": parse, "compat32": compat32, "policy.default": policy_default}


def measure(mails: Sequence[bytes]) -> dict[str, tuple[float, int]]:
    """Seconds over all mails for each parser, and the mails it raised on.

    The parsers take turns at a few mails; of several rounds the quickest over these few counts: what else the machine does passes by.
    """
    some = [mails[at : at + SOME] for at in range(0, len(mails), SOME)]
    best = {name: [float("inf")] * len(some) for name in PARSERS}
    raised = dict.fromkeys(PARSERS, 0)
    gc.freeze()  # the test runner's own objects are nobody's cost
    for round_ in range(ROUNDS):
        for at, few in enumerate(some):
            for name, read in PARSERS.items():
                began = time.process_time()
                failed = sum(not reads(read, raw) for raw in few)
                best[name][at] = min(best[name][at], time.process_time() - began)
                raised[name] += failed if round_ == 0 else 0
    return {name: (sum(best[name]), raised[name]) for name in PARSERS}


def reads(read: Parser, raw: bytes) -> bool:
    try:
        read(raw)
    except (MessageError, ValueError, LookupError, AttributeError, IndexError, TypeError):  # as the standard library does
        return False
    return True


@pytest.mark.parametrize("mails", [pytest.param(corpus, marks=needs_corpus, id="corpus"), pytest.param(generated, id="ordinary")])
def test_parsing_against_the_standard_library(mails: Callable[[], list[bytes]]) -> None:
    raws = mails()
    total = sum(map(len, raws))
    found = measure(raws)
    print(f"\n{len(raws)} mails, {total / len(raws) / 1024:.1f} KiB each")
    for name, (spent, raised) in found.items():
        print(f"  {name:15} {len(raws) / spent:8.0f} mails/s {total / spent / 1e6:7.1f} MB/s, raised on {raised}")
    assert found["ours"][1] == 0
    if mails is generated:
        assert abs(total / len(raws) - MEAN_BYTES) < MEAN_BYTES / 10
        assert found["compat32"][0] / found["ours"][0] >= ASKED
