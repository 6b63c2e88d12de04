"""The benchmark's mails: sizes as in ordinary mailboxes, the same in every run."""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Iterator

_TEXT = (
    "the of and to a in is it you that for on are with as at be this have from order delivery invoice refund please thank broken account "
    "password printer bicycle garden quickly Tuesday number customer attached regards"
)
WORDS = _TEXT.split()
SUBJECTS = ("Re: Order {} arrived broken", "Invoice {}", "=?utf-8?Q?R=C3=BCckfrage_zu_{}?=", "Fwd: your delivery {}")
TYPICAL_BYTES, SPREAD = 4_400, 0.75
"""Text mails: log-normal about the first."""
WITH_ATTACHMENT, ATTACHMENT_BYTES, ATTACHMENT_SPREAD, LARGEST_USUAL = 0.10, 95_000, 1.1, 900_000
VERY_LARGE = 19 / 10_000
VERY_LARGE_BYTES = (1_100_000, 9_000_000)
ADDRESS = "help@company.example"


def mixed_mails(count: int, seed: int = 4) -> Iterator[bytes]:
    """Median about 6.8 KB, mean about 36 KB, of 10,000 mails 19 over 1 MB; CRLF."""
    dice = random.Random(seed)
    text = "\n".join(" ".join(dice.choices(WORDS, k=11)) for _ in range(30_000))
    large = set(dice.sample(range(count), round(count * VERY_LARGE)))
    for number in range(count):
        body = int(dice.lognormvariate(math.log(TYPICAL_BYTES), SPREAD))
        attached = 0
        if number in large:
            attached = dice.randint(*VERY_LARGE_BYTES)
        elif dice.random() < WITH_ATTACHMENT:
            attached = min(LARGEST_USUAL, int(dice.lognormvariate(math.log(ATTACHMENT_BYTES), ATTACHMENT_SPREAD)))
        begin = dice.randrange(len(text) - body) if body < len(text) else 0
        yield _mail(dice, number, text[begin : begin + body].replace("\n", "\r\n").encode(), attached)


def _mail(dice: random.Random, number: int, body: bytes, attached: int) -> bytes:
    head = "\r\n".join(_header(dice, number)).encode()
    if not attached:
        return head + b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + body + b"\r\n"
    data = base64.encodebytes(dice.randbytes(attached * 3 // 4)).replace(b"\n", b"\r\n")
    mark = f"=_{number:08d}".encode()
    return b"".join(
        (
            head,
            b'\r\nContent-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n--' + mark + b"\r\nContent-Type: text/plain\r\n\r\n",
            body,
            b"\r\n--" + mark + b'\r\nContent-Type: application/pdf; name="scan.pdf"\r\nContent-Transfer-Encoding: base64\r\n',
            b'Content-Disposition: attachment; filename="scan.pdf"\r\n\r\n' + data + b"--" + mark + b"--\r\n",
        )
    )


def _header(dice: random.Random, number: int) -> list[str]:
    sender = f"customer{number % 3000}"
    minute, second = divmod(number % 3600, 60)
    date = f"Fri, 20 Nov 2026 10:{minute:02d}:{second:02d} +0100"
    token = f"{dice.getrandbits(128):032x}"
    lines = [f"Return-Path: <{sender}@customer.example>", f"Delivered-To: {ADDRESS}"]
    for hop in range(3):
        lines += [
            f"Received: from mx{hop}.customer.example (mx{hop}.customer.example [192.0.2.{hop + 1}])",
            f"\tby in{hop}.company.example (Postfix) with ESMTPS id {token[:12]}",
            f"\tfor <{ADDRESS}>; {date}",
        ]
    signature = base64.b64encode(dice.randbytes(256)).decode()
    lines += ["DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=mail;"]
    lines += [f"\tb={signature[:70]}", *(f"\t {signature[at : at + 70]}" for at in range(70, len(signature), 70))]
    lines += [
        f"Authentication-Results: company.example; dkim=pass header.d=customer.example; spf=pass smtp.mailfrom={sender}@customer.example",
        f'From: "Customer {number % 3000}" <{sender}@customer.example>',
        f"To: Help desk <{ADDRESS}>",
        "Subject: " + SUBJECTS[number % len(SUBJECTS)].format(number),
        f"Date: {date}",
        f"Message-ID: <{token}@customer.example>",
        "MIME-Version: 1.0",
        "X-Mailer: Example Mail 16.0",
    ]
    if number % 4 == 0:
        before = f"<{dice.getrandbits(64):016x}@company.example>"
        lines += [f"In-Reply-To: {before}", f"References: {before}"]
    return lines
