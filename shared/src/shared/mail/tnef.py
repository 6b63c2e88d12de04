"""winmail.dat: the files and the text within a Transport Neutral Encapsulation stream ([MS-OXTNEF]).

Every length in it is taken as a claim: what reaches beyond the data ends the reading, and what was read so far stands.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from shared.mail.charset import decode_word
from shared.mail.limits import MAX_FILES_WITHIN, MAX_PROPERTIES

SIGNATURE: Final = b"\x78\x9f\x3e\x22"
TYPES: Final = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})

_HEADER: Final = 6
_ATTRIBUTE: Final = struct.Struct("<BHHI")
"""Level, id, type, length; two bytes of checksum follow the data."""
_NUMBER: Final = struct.Struct("<I")
_TAG: Final = struct.Struct("<HH")

_BODY, _FILE_DATA, _FILE_NAME = 0x800C, 0x800F, 0x8010
_NEW_FILE, _MESSAGE_PROPERTIES, _FILE_PROPERTIES, _CODE_PAGE = 0x9002, 0x9003, 0x9005, 0x9007

_PR_BODY, _PR_DISPLAY_NAME, _PR_DATA, _PR_FILE_NAME = 0x1000, 0x3001, 0x3701, 0x3704
_PR_LONG_FILE_NAME, _PR_MIME_TYPE, _PR_CONTENT_ID = 0x3707, 0x370E, 0x3712
_UNICODE, _STRING, _OBJECT, _BINARY = 0x1F, 0x1E, 0x0D, 0x102
_MULTIPLE: Final = 0x1000
_NAMED_FROM: Final = 0x8000
_SIZES: Final = {0x2: 4, 0x3: 4, 0x4: 4, 0x5: 8, 0x6: 8, 0x7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Bytes of the types of fixed length, padded to four as they lie there."""
_GUID_BYTES: Final = 16

Properties = dict[int, str | bytes]


@dataclass(slots=True)
class TnefFile:
    title: str = ""
    data: bytes = b""
    properties: Properties = field(default_factory=dict)

    def _text(self, *tags: int) -> str:
        return next((value for tag in tags if isinstance(value := self.properties.get(tag), str) and value), "")

    @property
    def name(self) -> str:
        return self._text(_PR_LONG_FILE_NAME) or self.title or self._text(_PR_FILE_NAME, _PR_DISPLAY_NAME)

    @property
    def type(self) -> str:
        return self._text(_PR_MIME_TYPE).lower() or ("application/ms-tnef" if self.content.startswith(SIGNATURE) else "")

    @property
    def content_id(self) -> str:
        return self._text(_PR_CONTENT_ID)

    @property
    def content(self) -> bytes:
        """An attached message or object lies in the properties, behind the id of its interface."""
        inner = self.properties.get(_PR_DATA)
        return self.data or (inner[_GUID_BYTES:] if isinstance(inner, bytes) else b"")


@dataclass(slots=True)
class Tnef:
    files: list[TnefFile] = field(default_factory=list)
    text: str = ""
    whole: bool = True
    """False when the stream is damaged, or has more than is read of it."""


class _DamagedError(Exception):
    """A length beyond the data, or a type there is not."""


def read_tnef(data: bytes) -> Tnef:
    """What is in the stream. Never raises."""
    found = Tnef()
    charset = "cp1252"
    try:
        for tag, value in _attributes(data):
            if tag == _CODE_PAGE and len(value) >= _NUMBER.size:
                charset = f"cp{_NUMBER.unpack_from(value)[0]}"
            elif tag == _NEW_FILE:
                if len(found.files) >= MAX_FILES_WITHIN:
                    raise _DamagedError
                found.files.append(TnefFile())
            else:
                _take(found, tag, value, charset)
    except _DamagedError:
        found.whole = False
    return found


def _take(found: Tnef, tag: int, value: bytes, charset: str) -> None:
    if tag == _BODY:
        found.text = found.text or _string(value, charset)
    elif tag == _MESSAGE_PROPERTIES:
        body = _properties(value, charset).get(_PR_BODY)
        found.text = body if isinstance(body, str) and body else found.text
    elif not found.files:
        return
    elif tag == _FILE_NAME:
        found.files[-1].title = _string(value, charset)
    elif tag == _FILE_DATA:
        found.files[-1].data = value
    elif tag == _FILE_PROPERTIES:
        found.files[-1].properties = _properties(value, charset)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    pos = _HEADER
    while pos < len(data):
        if pos + _ATTRIBUTE.size > len(data):
            raise _DamagedError
        _, tag, _, size = _ATTRIBUTE.unpack_from(data, pos)
        pos += _ATTRIBUTE.size
        if pos + size > len(data):
            raise _DamagedError
        yield tag, data[pos : pos + size]
        pos += size + 2


def _properties(data: bytes, charset: str) -> Properties:
    """The properties that have a use here, by id. Raises _DamagedError."""
    found: Properties = {}
    count, pos = _number(data, 0)
    for _ in range(min(count, MAX_PROPERTIES)):
        if pos + _TAG.size > len(data):
            raise _DamagedError
        kind, tag = _TAG.unpack_from(data, pos)
        pos += _TAG.size
        if tag >= _NAMED_FROM:
            pos = _behind_name(data, pos)
        value, pos = _value(data, pos, kind)
        if kind in {_STRING, _UNICODE}:
            found.setdefault(tag, _string(value, "utf-16-le" if kind == _UNICODE else charset))
        elif tag == _PR_DATA and kind in {_OBJECT, _BINARY}:
            found[tag] = value
    return found


def _behind_name(data: bytes, pos: int) -> int:
    """A named property's set and its number or name come before the value."""
    pos += _GUID_BYTES
    by_name, pos = _number(data, pos)
    if not by_name:
        return pos + _NUMBER.size
    size, pos = _number(data, pos)
    return pos + _padded(size)


def _value(data: bytes, pos: int, kind: int) -> tuple[bytes, int]:
    """The first value and the offset behind all of them."""
    single, fixed = kind & ~_MULTIPLE, _SIZES.get(kind & ~_MULTIPLE)
    if fixed is not None:
        count, pos = _number(data, pos) if kind & _MULTIPLE else (1, pos)
        return b"", pos + count * fixed
    if single not in {_STRING, _UNICODE, _OBJECT, _BINARY}:
        raise _DamagedError
    count, pos = _number(data, pos)
    first: bytes | None = None
    for _ in range(count):
        size, pos = _number(data, pos)
        if pos + size > len(data):
            raise _DamagedError
        first = data[pos : pos + size] if first is None else first
        pos += _padded(size)
    return first or b"", pos


def _number(data: bytes, pos: int) -> tuple[int, int]:
    if pos + _NUMBER.size > len(data):
        raise _DamagedError
    return int(_NUMBER.unpack_from(data, pos)[0]), pos + _NUMBER.size


def _padded(size: int) -> int:
    return (size + 3) & ~3


def _string(data: bytes, charset: str) -> str:
    return (
        decode_word(data, charset).partition("\0")[0] if charset != "utf-16-le" else data.decode("utf-16-le", "replace").partition("\0")[0]
    )
