"""The texts of an answer and their transfer encoding (RFC 2045)."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator

LINE = 76

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPED = re.compile(r"[^\t\n\x20-\x3c\x3e-\x7e]|[\t ](?=\n|\Z)")
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
    # Blanks at the end of a line, as those of a flowed paragraph, are taken off by others: it would no longer flow, a signature would be
    # none, and DKIM's would break (RFC 6376, 5.3). As `=20` they stay, and every program that shows mails reads that.
    if text.isascii() and all(len(line) <= LINE and line == line.rstrip() and line != "." for line in lines) and not _FROM.search(text):
        return "7bit", text.replace("\n", "\r\n")
    octets = text.encode()
    foreign = sum(octet >= 0x80 for octet in octets)
    if foreign * 4 > len(octets):
        wire = base64.encodebytes(octets.replace(b"\n", b"\r\n"))
        return "base64", wire.decode().replace("\n", "\r\n")
    escaped = _ESCAPED.sub(lambda found: f"={ord(found[0]):02X}", octets.decode("latin-1"))
    return "quoted-printable", "\r\n".join(piece for line in escaped.split("\n") for piece in _broken(line))


def _broken(line: str) -> Iterator[str]:
    """A line of quoted-printable in pieces of at most 76 (RFC 2045, 6.7), none of which is, or begins with, what servers change."""
    at = 0
    while True:
        lead, start = ("=46", at + 1) if line.startswith("From ", at) else ("=2E", at + 1) if line[at:] == "." else ("", at)
        if len(lead) + len(line) - start <= LINE:
            yield lead + line[start:]
            return
        at = start + LINE - 1 - len(lead)
        if "=" in (tail := line[at - 2 : at]):  # the three signs of one octet stay together
            at -= 2 - tail.index("=")
        yield f"{lead}{line[start:at]}="


def markup(text: str) -> str:
    """The text as HTML: escaped, its line ends and runs of blanks kept."""
    return "<br>\n".join(re.sub(r"^ | (?= )", "&nbsp;", line) for line in html.escape(text).split("\n"))
