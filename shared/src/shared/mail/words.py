"""Encoded words (RFC 2047) as mailers write them, which is not as the RFC has it, and clean header text."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import Final

from shared.mail.charset import decode_word
from shared.mail.limits import MAX_ENCODED_WORDS, MAX_SHORT_FIELD
from shared.mail.transfer import from_base64

# The charset may carry a language (RFC 2231, 5). Blanks within Q text are forbidden and common.
_WORD: Final = re.compile(r"=\?([\w.:()/+-]{1,64})(?:\*[\w-]{0,32})?\?([bBqQ])\?((?:[^?=]++|=(?!\?(?!=))|\?(?!=))*+)\?=")
_HEX: Final = re.compile(r"(?:=[0-9A-Fa-f]{2})+")
_SHORT: Final = 512
_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI: Final = re.compile(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def decode_words(value: str, limit: int = MAX_SHORT_FIELD) -> str:
    """The value with its encoded words read; blanks between two of them vanish. Longer values are cut before decoding."""
    value = value[:limit]
    if "=?" not in value:
        return one_line(value)
    return _known_words(value) if len(value) <= _SHORT else _words(value)


@lru_cache(maxsize=512)
def _known_words(value: str) -> str:
    """A subject is asked for twice, in the envelope and among all fields, and names come again."""
    return _words(value)


def _words(value: str) -> str:
    match = _WORD.match(value)
    if match is not None and "=?" not in value[match.end() :] and match[3].isascii():  # one word at the beginning, as most have
        return one_line(decode_word(_payload(match[2], match[3]), match[1]) + value[match.end() :])
    out: list[str] = []
    run: list[bytes] = []  # neighbours of one charset may split a character between them
    charset, end = "", 0
    for count, match in enumerate(_WORD.finditer(value)):
        if count >= MAX_ENCODED_WORDS:
            break
        between = value[end : match.start()]
        if run and (between.strip() or match[1].lower() != charset):
            out.append(decode_word(b"".join(run), charset))
            run = []
        if between.strip() or not end:
            out.append(between)
        if not match[3].isascii():  # raw 8-bit bytes within the word, decoded with the field already
            out.extend((decode_word(b"".join(run), charset), _mixed(match[3], match[1])))
            run = []
        else:
            run.append(_payload(match[2], match[3]))
        charset, end = match[1].lower(), match.end()
    out.append(decode_word(b"".join(run), charset))
    out.append(value[end:])
    return one_line("".join(out))


def one_line(text: str) -> str:
    """Header text for everything behind the border: no line break or control character, which could start another field, is left."""
    if text.isprintable() and "  " not in text:  # as nearly always
        return text.strip()
    text = " ".join(text.split())
    return text if text.isprintable() else _LONE_SURROGATE.sub("\ufffd", _BLANKS.sub(" ", text)).strip()


def no_bidi(text: str) -> str:
    """Without the marks that show `exe.gpj` as `jpg.exe`."""
    return _BIDI.sub("", text)


def _mixed(text: str, charset: str) -> str:
    return _HEX.sub(lambda run: decode_word(binascii.unhexlify(run[0].replace("=", "")), charset), text.replace("_", " "))


def _payload(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        try:
            return binascii.a2b_base64(data, strict_mode=True)
        except binascii.Error:
            return from_base64(data)
    return binascii.a2b_qp(data, header=True)
