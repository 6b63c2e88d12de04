"""The texts of an answer and their transfer encoding (RFC 2045)."""

from __future__ import annotations

import base64
import binascii
import html
import re
from datetime import UTC, datetime

from notifier.domain.headers import one_line
from shared.events import Quoted

LINE = 76
MAX_QUOTED = 20_000
"""Characters of the customer's message that are quoted; the whole stays in the ticket."""
CUT = "[…]"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def readable(text: str) -> str:
    r"""Lines end in \n; no control character but tab, which some servers refuse, and no trailing blank lines."""
    lines = re.sub(r"\r\n?|\u2028|\u2029", "\n", _SURROGATE.sub("\ufffd", text))
    return _CONTROL.sub("", lines).strip("\n")


def plain(text: str, signature: str, quoted: Quoted | None) -> str:
    """Answer, signature after the usual separator, then what it answers."""
    parts = [readable(text)]
    if signed := readable(signature):
        parts.append(f"-- \n{signed}")
    if quoted:
        parts.append("\n".join([_introduction(quoted), *(f">{line}" if line.startswith(">") else f"> {line}" for line in _lines(quoted))]))
    return "\n\n".join(parts) + "\n"


def page(text: str, signature: str, quoted: Quoted | None) -> str:
    """The same as HTML that every mail program shows; all of it escaped, nothing loaded from elsewhere."""
    parts = [f"<div>{_markup(readable(text))}</div>"]
    if signed := readable(signature):
        parts.append(f"<div>-- <br>\n{_markup(signed)}</div>")
    if quoted:
        style = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"
        inner = _markup("\n".join(_lines(quoted)))
        parts.append(f'<div>{_markup(_introduction(quoted))}</div>\n<blockquote type="cite" style="{style}">{inner}</blockquote>')
    body = "\n<br>\n".join(parts)
    return f'<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{body}\n</body>\n</html>\n'


def encoded(text: str) -> tuple[str, str]:
    """(transfer encoding, text with CRLF line ends): 7bit where it fits, else the shorter of the two that old servers pass unharmed."""
    lines = text.split("\n")
    # A line "From …" gets a ">" in mbox files, and a lone "." is the end of a mail for careless servers.
    if text.isascii() and all(len(line) <= LINE and not line.startswith("From ") and line != "." for line in lines):
        return "7bit", text.replace("\n", "\r\n")
    octets = text.encode()
    foreign = sum(octet >= 0x80 for octet in octets)
    if foreign * 4 > len(octets):
        wire = base64.encodebytes(octets.replace(b"\n", b"\r\n"))
        return "base64", wire.decode().replace("\n", "\r\n")
    wire = binascii.b2a_qp(octets, istext=True)
    return "quoted-printable", re.sub(r"^From ", "From=20", wire.decode(), flags=re.MULTILINE).replace("\n", "\r\n")


def _introduction(quoted: Quoted) -> str:
    at: datetime = quoted.at.astimezone(UTC)
    day = f"{_DAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]} {at.year}"
    return f"On {day} at {at:%H:%M} UTC, {one_line(quoted.sender)} wrote:"


def _lines(quoted: Quoted) -> list[str]:
    text = readable(quoted.text)
    if len(text) > MAX_QUOTED:
        text = f"{text[:MAX_QUOTED]}\n{CUT}"
    return text.split("\n")


def _markup(text: str) -> str:
    return "<br>\n".join(re.sub(r"^ | (?= )", "&nbsp;", line) for line in html.escape(text).split("\n"))
