"""Text fit for JSON, a database and a screen: clean, and cut by the bytes it takes in an event."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.limits import TEXT_LIMIT

__all__ = ["TEXT_LIMIT", "clean", "cut"]

_CONTROL_BYTES: Final = bytes([*range(9), 0x0B, 0x0C, 0x0D, *range(0x0E, 0x20), 0x7F])
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_TWO_BYTES: Final = frozenset('"\\\n\t\r\b\f')


def clean(text: str) -> str:
    r"""Line ends become \\n, NUL and the other C0 controls but tab vanish, lone surrogates become U+FFFD."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _is_clean(text):
        return text
    return _LONE_SURROGATE.sub("\ufffd", _CONTROLS.sub("", text))


def unix_lines(data: bytes) -> bytes:
    """Every CRLF as LF, nothing else. Counting and removing single bytes is faster than replacing pairs."""
    pairs = data.count(b"\r\n")
    if not pairs:
        return data
    without = data.replace(b"\r", b"")
    return without if len(data) - len(without) == pairs else data.replace(b"\r\n", b"\n")


def cut(text: str, limit_bytes: int) -> tuple[str, bool]:
    """The clean text, or its beginning, so that as a JSON string in UTF-8 it takes at most the limit; and whether it was cut.

    Characters are never split. Only quote, backslash and the controls left (tab, line feed) are escaped, two bytes each.
    """
    return cut_clean(clean(text), limit_bytes)


def cut_clean(text: str, limit_bytes: int) -> tuple[str, bool]:
    """`cut` of a text that is clean."""
    if len(text) * 4 + 2 <= limit_bytes or _json_bytes(text) <= limit_bytes:
        return text, False
    low, high = 0, min(len(text), max(limit_bytes, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _json_bytes(text[:middle]) <= limit_bytes else (low, middle - 1)
    return text[:low], True


def _is_clean(text: str) -> bool:
    """Told from its bytes, several times as fast as by regular expressions."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return False
    return is_clean_ascii(data)


def is_clean_ascii(data: bytes) -> bool:
    """Whether text of these bytes needs no cleaning, as long as ASCII in them is ASCII."""
    return len(data.translate(None, _CONTROL_BYTES)) == len(data)


def _json_bytes(text: str) -> int:
    return 2 + len(text.encode()) + sum(text.count(char) for char in _TWO_BYTES)
