"""Files in a text between `begin 644 name` and `end` (POSIX uuencode), as mails had them before MIME and some still have."""

from __future__ import annotations

import binascii
import re
from typing import Final

from shared.mail.limits import MAX_FILES_WITHIN

_BEGIN: Final = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n", re.MULTILINE)
_LAST_LINES: Final = (b"", b"`")
"""The line of no bytes before `end`; some leave it out."""


def take_out(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The text without its files, and their names and bytes. Only whole blocks are files; linear in the text's length."""
    files: list[tuple[bytes, bytes]] = []
    rest: list[bytes] = []
    pos = 0
    for begin in _BEGIN.finditer(data):
        if begin.start() < pos or len(files) >= MAX_FILES_WITHIN:
            continue
        block = _block(data, begin.end())
        if block is not None:
            rest.append(data[pos : begin.start()])
            files.append((begin[1].strip(), block[0]))
            pos = block[1]
    return (b"".join([*rest, data[pos:]]), files) if files else (data, [])


def _block(data: bytes, pos: int) -> tuple[bytes, int] | None:
    """The bytes and the offset behind `end`. None where a line is not of a block: the next `begin` is such a line."""
    out: list[bytes] = []
    while pos < len(data):
        end = data.find(b"\n", pos, pos + 256)
        end = end if end >= 0 else min(len(data), pos + 256)
        line = data[pos:end].rstrip(b"\r ")
        pos = end + 1
        if line == b"end":
            return b"".join(out), min(pos, len(data))
        if line in _LAST_LINES:
            continue
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            return None
    return None
