"""What an SMTP server offers (RFC 5321, 2.2), and whether a mail can go through it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from notifier.domain.schedule import Result, Verdict

MEGABYTE = 1_000_000
BLOCK = 64 * 1024
"""Octets of a mail that are made ready at a time: whoever else is served by this process does not wait for a large one."""
_BARE_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_PERIOD = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True)
class Offer:
    """Extensions named in the answer to EHLO."""

    pipelining: bool = False
    """RFC 2920: commands may be sent without waiting for the answer to each."""
    size: int | None = None
    """RFC 1870: octets of the largest mail; None where it is not said."""
    declares_size: bool = False
    eight_bit: bool = False
    """RFC 6152"""
    utf8: bool = False
    """RFC 6531"""

    @classmethod
    def of(cls, extensions: Mapping[str, str]) -> Offer:
        """From keyword (in small letters) → parameters."""
        limit = extensions.get("size", "").strip()
        return cls(
            pipelining="pipelining" in extensions,
            size=(int(limit) or None) if limit.isascii() and limit.isdecimal() else None,
            declares_size="size" in extensions,
            eight_bit="8bitmime" in extensions,
            utf8="smtputf8" in extensions,
        )


@dataclass(frozen=True)
class Letter:
    """What goes over the wire: the envelope, and the mail. A blank sender is the empty reverse-path of automatic mails."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    bounces_to: str = ""
    """The reverse-path where the server takes no empty one; blank where there is none either."""

    @property
    def international(self) -> bool:
        """Whether an address or a header field is not ASCII."""
        end = self.data.find(b"\r\n\r\n")
        head = self.data[:end] if end >= 0 else self.data
        return not (head.isascii() and all(one.isascii() for one in (self.sender, *self.recipients)))


def refusal(offer: Offer, letter: Letter) -> Verdict | None:
    """Why the server could not take it, known before anything is sent."""
    if offer.size is not None and len(letter.data) > offer.size:
        sizes = f"the mail has {len(letter.data) / MEGABYTE:.1f} MB, the server takes at most {offer.size / MEGABYTE:.1f} MB"
        return Verdict(Result.PERMANENT, f"{sizes}: send fewer or smaller files")
    if letter.international and not offer.utf8:
        return Verdict(Result.PERMANENT, "an address has letters beyond ASCII before its @, which this server does not take (SMTPUTF8)")
    if not letter.data.isascii() and not offer.eight_bit:
        return Verdict(Result.PERMANENT, "the mail is not in 7-bit form, and this server takes no other (8BITMIME)")
    return None


def mail_command(offer: Offer, letter: Letter) -> bytes:
    """MAIL with what the extensions ask for."""
    parts = [f"MAIL FROM:<{letter.sender}>"]
    if offer.declares_size:
        parts.append(f"SIZE={len(letter.data)}")
    if not letter.data.isascii():
        parts.append("BODY=8BITMIME")
    if letter.international:
        parts.append("SMTPUTF8")
    return " ".join(parts).encode()


def on_the_wire(data: bytes) -> Iterator[bytes]:
    """The mail as DATA takes it, block by block: whole line ends only, leading periods doubled, the closing period (RFC 5321, 4.5.2).

    A bare CR or LF could end the mail early at a lenient server and begin a second one.
    """
    start = 0
    while True:
        end = data.find(b"\n", start + BLOCK - 1) + 1 or len(data)  # whole lines: no period and no line end is cut in two
        lines = _stuffed(data[start:end])
        if end == len(data):
            yield lines + (b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n")
            return
        yield lines
        start = end


def _stuffed(lines: bytes) -> bytes:
    """Counting costs a tenth of replacing, and hardly a mail of ours needs it."""
    if not lines.count(b"\r\n") == lines.count(b"\n") == lines.count(b"\r"):
        lines = _BARE_LINE_END.sub(b"\r\n", lines)
    return _LEADING_PERIOD.sub(b"..", lines) if lines.startswith(b".") or b"\n." in lines else lines
