"""The texts of an answer and their transfer encoding (RFC 2045)."""

from __future__ import annotations

import base64
import binascii
import html
import re

LINE = 76

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FROM = re.compile(r"^From ", re.MULTILINE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def readable(text: str) -> str:
    r"""Lines end in \n; no control character but tab, which some servers refuse, and no trailing blank lines."""
    lines = re.sub(r"\r\n?|\u2028|\u2029", "\n", _SURROGATE.sub("\ufffd", text))
    return _CONTROL.sub("", lines).strip("\n")


def encoded(text: str) -> tuple[str, str]:
    """(transfer encoding, text with CRLF line ends): 7bit where it fits, else the shorter of the two that old servers pass unharmed."""
    lines = text.split("\n")
    # A line "From …" gets a ">" in mbox files, and a lone "." is the end of a mail for careless servers.
    # Blanks at the end of a line are taken off by others, which breaks a signature (RFC 6376, 5.3).
    if text.isascii() and all(len(line) <= LINE and line == line.rstrip() and line != "." for line in lines) and not _FROM.search(text):
        return "7bit", text.replace("\n", "\r\n")
    octets = text.encode()
    foreign = sum(octet >= 0x80 for octet in octets)
    if foreign * 4 > len(octets):
        wire = base64.encodebytes(octets.replace(b"\n", b"\r\n"))
        return "base64", wire.decode().replace("\n", "\r\n")
    wire = binascii.b2a_qp(octets, istext=True)
    return "quoted-printable", _FROM.sub("From=20", wire.decode()).replace("\n", "\r\n")


def markup(text: str) -> str:
    """The text as HTML: escaped, its line ends and runs of blanks kept."""
    return "<br>\n".join(re.sub(r"^ | (?= )", "&nbsp;", line) for line in html.escape(text).split("\n"))
