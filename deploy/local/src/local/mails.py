"""Mails for the sandbox, and how a mail is handed to its server."""

from __future__ import annotations

import smtplib
import struct
import zlib
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from local.errors import StackError

MAILBOX = "help@sandbox.example"
"""The sandbox's own address."""
SMTP_SECONDS = 15.0


def submit(host: str, port: int, sender: str, recipients: list[str], message: bytes) -> None:
    """Hand a mail to an SMTP server. Raises StackError with the server's reason."""
    try:
        with smtplib.SMTP(host, port, timeout=SMTP_SECONDS) as client:
            client.sendmail(sender, recipients, message)
    except (smtplib.SMTPException, OSError) as error:
        reason = str(error)[:200]
        problem = f"the mail server at {host}:{port} did not take the mail: {reason}"
        raise StackError(problem) from error


def compose(sender: str, recipient: str, subject: str, body: str) -> EmailMessage:
    """A plain mail of today with an id of its own."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].strip(" >") or "localhost")
    message.set_content(body)
    return message


def first_mails(mailbox: str) -> list[tuple[str, bytes]]:
    """(envelope sender, mail): plain text, HTML with an inline picture, and text with an attachment."""
    return [_invoice(mailbox), _bike(mailbox), _opening_hours(mailbox)]


def _invoice(mailbox: str) -> tuple[str, bytes]:
    body = (
        "Hello,\n\nour invoice 2026-0417 lists twelve seats, but we are nine since October. Could you send a corrected one?\n"
        "There is no hurry, our bookkeeping closes at the end of the month.\n\nKind regards\nAnna Keller\nLakeside Pottery\n"
    )
    sender = "anna.keller@lakeside.example"
    return sender, compose(f"Anna Keller <{sender}>", mailbox, "Invoice 2026-0417: nine seats, not twelve", body).as_bytes()


def _bike(mailbox: str) -> tuple[str, bytes]:
    sender = "bruno@northwind-bikes.example"
    text = "Hi,\n\nsince this morning the start page shows a red square where our logo was (picture in this mail).\n\nThanks, Bruno\n"
    message = compose(f"Bruno from Northwind Bikes <{sender}>", mailbox, "Our logo has become a red square", text)
    picture = make_msgid(domain="northwind-bikes.example")
    html = (
        "<p>Hi,</p><p>since this morning the start page shows a <b>red square</b> where our logo was:</p>"
        f'<p><img src="cid:{picture[1:-1]}" alt="The red square" width="64" height="64"></p><p>Thanks, Bruno</p>'
    )
    message.add_alternative(html, subtype="html")
    page = message.get_body(("html",))
    if page is not None:
        page.add_related(_square(64, (200, 40, 40)), "image", "png", cid=picture, filename="start-page.png")
    return sender, message.as_bytes()


def _opening_hours(mailbox: str) -> tuple[str, bytes]:
    sender = "carla.conti@studio-conti.example"
    body = (
        "Buongiorno,\n\nwe move on 1 December; our new opening hours are attached. Please change them on our page – grazie!\n\n"
        "Carla Conti\nStudio Conti, Torino\n"
    )
    message = compose(f"Carla Conti <{sender}>", mailbox, "Nuovi orari: please update our page", body)
    table = "day,from,to\nMonday,closed,\nTuesday to Friday,9:00,18:30\nSaturday,10:00,16:00\n"
    message.add_attachment(table.encode(), maintype="text", subtype="csv", filename="orari-dicembre.csv")
    return sender, message.as_bytes()


def _square(size: int, colour: tuple[int, int, int]) -> bytes:
    """A PNG of one colour, `size` × `size` pixels (RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
