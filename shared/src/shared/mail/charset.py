"""Bytes to text: by the declared charset where it holds, else by UTF-8, detection and, last, Windows-1252."""

from __future__ import annotations

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from encodings.aliases import aliases
from functools import lru_cache
from typing import Final

from shared.mail.limits import CHARSET_SAMPLE

# Not text encodings, or (idna, punycode) quadratic ones, or ones that read escapes. The codec registry also keeps every unknown
# name it was asked for, so only names of this table ever reach it.
_REFUSED: Final = frozenset(
    {
        "base64_codec",
        "bz2_codec",
        "hex_codec",
        "quopri_codec",
        "rot_13",
        "uu_codec",
        "zlib_codec",
        "idna",
        "punycode",
        "mbcs",
        "oem",
        "raw_unicode_escape",
        "unicode_escape",
        "undefined",
    }
)
_CODECS: Final = frozenset(aliases.values()) | {"utf_8_sig", "cp874", "cp856", "cp720", "cp1006", "koi8_u"}

# What mails call them, squeezed to letters and digits, and the superset that mailers really use under that name.
_ALIASES: Final = {
    "iso88598i": "iso8859_8", "iso88598e": "iso8859_8", "iso88596i": "iso8859_6", "unicode11utf7": "utf_7", "unicode11utf8": "utf_8",
    "utf8mb4": "utf_8", "utf8mb3": "utf_8", "unicode": "utf_16", "latin1": "cp1252", "iso88591": "cp1252", "iso8859": "cp1252",
    "iso88599": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "xgbk": "gb18030", "euccn": "gb18030", "cngb": "gb18030",
    "ksc56011987": "cp949", "ksc5601": "cp949", "euckr": "cp949", "xwindows949": "cp949", "shiftjis": "cp932", "sjis": "cp932",
    "xsjis": "cp932", "windows31j": "cp932", "xeucjp": "euc_jp", "iso2022jp": "iso2022_jp_ext", "cp50220": "iso2022_jp_ext",
    "big5": "cp950",
    "xbig5": "cp950",
    "macintosh": "mac_roman", "xmacroman": "mac_roman", "xmaccyrillic": "mac_cyrillic", "xmacce": "mac_latin2",
    "xmacturkish": "mac_turkish", "xmacgreek": "mac_greek", "tis620": "cp874", "windows874": "cp874",
    "koi8ru": "koi8_u", "xcp1251": "cp1251", "xcp1252": "cp1252", "ansi": "cp1252",
}  # fmt: skip
_SAYS_NOTHING: Final = frozenset(
    {"", "ascii", "usascii", "ansix341968", "unknown", "xunknown", "unknown8bit", "8bit", "7bit", "binary", "default", "none"}
)
_CANDIDATES: Final = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", "iso8859_2", "iso8859_5", "gb18030", "big5", "cp932",
    "euc_jp", "cp949", "cp850",
]  # fmt: skip
_LATIN: Final = frozenset({"cp1250", "cp1254", "cp1253", "cp850", "iso8859_2"})
_HIGH: Final = bytes(range(0x80, 0x100))
_ENOUGH: Final = 10
"""Bytes above ASCII from which on a guess between the Latin charsets beats the commonest one."""
_NOT_WORD: Final = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=256)
def codec(declared: str) -> str | None:
    """The codec a charset name of a mail stands for; None where the name tells nothing or is unknown."""
    words = _NOT_WORD.sub("_", declared[:64].lower()).strip("_")
    squeezed = words.replace("_", "")
    if squeezed in _SAYS_NOTHING:
        return None
    for name in (_ALIASES.get(squeezed), words, squeezed, squeezed.removeprefix("x")):
        found = aliases.get(name, name) if name else None
        if found in _CODECS and found not in _REFUSED:
            return found
    return None


def decode(data: bytes, declared: str = "") -> tuple[str, str | None]:
    """The text and, when the declaration did not hold, a defect. Never raises."""
    name = codec(declared)
    if name is None:
        text, guess = _undeclared(data)
        told_nothing = not declared or data.isascii() or _NOT_WORD.sub("", declared.lower()) in _SAYS_NOTHING
        return text, guess if told_nothing else f"charset {declared[:40]!r} is unknown"
    return _declared(data, name, declared)


def decode_header_bytes(data: bytes, hint: str = "") -> str:
    """Raw bytes of a header: UTF-8 (RFC 6532), else the body's charset, else Windows-1252. Too short to be guessed from."""
    if data.isascii():
        return data.decode("ascii")
    for name in ("utf_8", codec(hint)):
        text = _strict(data, name) if name else None
        if text is not None:
            return text
    return cp1252(data)


def decode_word(data: bytes, declared: str) -> str:
    """Bytes of an encoded word (RFC 2047) or extended parameter (RFC 2231)."""
    name = codec(declared)
    text = _strict(data, name) if name else None
    if text is not None:
        return text
    for other in ("utf_8", "gb18030" if name in {"gb18030", "cp950"} else None):
        text = _strict(data, other) if other else None
        if text is not None:
            return text
    return data.decode(name, "replace") if name else cp1252(data)


def _declared(data: bytes, name: str, declared: str) -> tuple[str, str | None]:
    text = _strict(data, name)
    if text is not None:
        return text, None
    defect = f"text is not in its charset {declared[:40]!r}"
    if name not in {"utf_8", "utf_8_sig"}:
        as_utf8 = _strict(data, "utf_8")
        if as_utf8 is not None:
            return as_utf8, defect
    text = cp1252(data) if name == "cp1252" else data.decode(name, "replace")
    if text.count("\ufffd") <= 1 + len(text) // 200:  # a broken character, or one cut by a limit, does not put the charset in doubt
        return text, defect
    return _undeclared(data)[0], defect


def _undeclared(data: bytes) -> tuple[str, str | None]:
    if data.isascii():
        return data.decode("ascii"), None
    shown = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    text = _strict(data, shown)
    if text is not None:
        return text, f"charset is missing, read as {shown}"
    name = _detect(data)
    if name is None:
        return cp1252(data), "charset is missing, read as windows-1252"
    return data.decode(name, "replace"), f"charset is missing, read as {name}"


def _detect(data: bytes) -> str | None:
    """charset-normalizer's best guess on a bounded sample around the first byte that is not ASCII, from the charsets mails come in."""
    try:
        from charset_normalizer import from_bytes  # not in every service: the `mail` extra
    except ImportError:
        return None
    first = next((m.start() for m in re.finditer(rb"[\x80-\xff]", data)), 0)
    start = max(0, min(first - 256, len(data) - CHARSET_SAMPLE))
    sample = data[start : start + CHARSET_SAMPLE]
    best = from_bytes(sample, cp_isolation=list(_CANDIDATES), enable_fallback=False).best()
    if best is None or str(best) == cp1252(sample):  # sister charsets agree on most texts: name the usual one
        return None
    if best.encoding in _LATIN and len(sample) - len(sample.translate(None, _HIGH)) < _ENOUGH:
        return None
    return best.encoding


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, ValueError):
        return None


def cp1252(data: bytes) -> str:
    """Windows-1252 as browsers read it: its five holes are C1 controls."""
    text = _strict(data, "cp1252")
    return text if text is not None else data.decode("latin-1").translate(_CP1252)


_CP1252: Final = {b: bytes([b]).decode("cp1252", "ignore") or chr(b) for b in range(0x80, 0xA0)}
