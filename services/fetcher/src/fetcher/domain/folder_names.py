"""Names of folders: as people read them, and as the server wants them (modified UTF-7, RFC 3501, 5.1.3).

Both ways fit together: what is shown for a folder selects exactly that folder, also where the server's name breaks the rules.
"""

from __future__ import annotations

import binascii
import unicodedata
from urllib.parse import quote_from_bytes, unquote_to_bytes

INBOX = "INBOX"
RAW_MARK = "\ufffd"
"""Begins a name that does not decode: behind it stand its bytes, `%` and what cannot be shown as %XX."""
_SHOWN_AS_IT_IS = bytes(byte for byte in range(0x20, 0x7F) if byte != ord("%")).decode()


def canonical(name: str) -> str:
    """INBOX is the one name without regard to case (RFC 3501, 5.1)."""
    return INBOX if name.upper() == INBOX else name


def decoded(wire: bytes) -> str:
    """A server's name to read. A name that would not lead back to the same bytes is shown with RAW_MARK."""
    try:
        name = _from_utf7(wire)
        exact = _to_utf7(name) == wire and _showable(name) and not name.startswith(RAW_MARK)
    except (UnicodeError, binascii.Error):
        exact = False
    return canonical(name) if exact else RAW_MARK + _readable(wire)


def encoded(name: str) -> bytes:
    """The server's name. ValueError where no server can be asked for it: it would end the command's line."""
    wire = unquote_to_bytes(name[1:]) if name.startswith(RAW_MARK) else _to_utf7(canonical(name))
    if set(wire) & {0, 10, 13}:
        raise ValueError("the name of a folder holds a line break")
    return wire


def _showable(text: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text)


def _readable(wire: bytes) -> str:
    try:
        text = wire.decode("utf-8")
    except UnicodeDecodeError:
        return quote_from_bytes(wire, safe=_SHOWN_AS_IT_IS)
    return text.replace("%", "%25") if _showable(text) else quote_from_bytes(wire, safe=_SHOWN_AS_IT_IS)


def _from_utf7(wire: bytes) -> str:
    """Raises UnicodeError or binascii.Error."""
    first, *parts = wire.decode("ascii").split("&")
    name = [first]
    for part in parts:
        shifted, dash, plain = part.partition("-")
        if not dash:
            raise UnicodeError("a shift to base64 does not end")
        name += [_from_base64(shifted) if shifted else "&", plain]
    return "".join(name)


def _from_base64(text: str) -> str:
    padded = text.replace(",", "/") + "=" * (-len(text) % 4)
    return binascii.a2b_base64(padded.encode(), strict_mode=True).decode("utf-16-be")


def _to_utf7(name: str) -> bytes:
    """Raises UnicodeError on half a surrogate pair."""
    wire, waiting = bytearray(), ""
    for char in f"{name}\0":
        plain = " " <= char <= "~"
        if waiting and (plain or char == "\0"):
            base64 = binascii.b2a_base64(waiting.encode("utf-16-be"), newline=False).rstrip(b"=").replace(b"/", b",")
            wire, waiting = wire + b"&" + base64 + b"-", ""
        if plain:
            wire += b"&-" if char == "&" else char.encode()
        else:
            waiting += char
    return bytes(wire)
