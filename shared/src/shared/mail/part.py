"""One part of a mail as its own fields tell it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from shared.mail.fields import Fields, ordinary_block, params, read_fields
from shared.mail.limits import MAX_ID, MAX_PART_FIELDS
from shared.mail.names import given_name

_TYPE: Final = re.compile(r"[\w.+!#$&^-]{1,100}/[\w.+!#$&^-]{1,100}", re.ASCII)
_BARE_TYPES: Final = {"text": "text/plain", "html": "text/html", "multipart": "multipart/mixed", "plain": "text/plain"}
_FILE_OF_URL: Final = re.compile(r"(?:^|/)([^/?#]{1,200}\.\w{1,8})(?:[?#].*)?$")
_SHORT_BLOCK: Final = 256


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a part's fields say of it."""

    media: str
    params: Mapping[str, str]
    disposition: str
    disposition_params: Mapping[str, str]
    encoding: str
    name: str


@dataclass(slots=True)
class Part:
    """One leaf or multipart. `number` is the IMAP part number (RFC 9051, 6.4.5); the root multipart has none."""

    number: str
    fields: Fields
    type: str
    params: Mapping[str, str]
    start: int
    end: int
    parents: tuple[str, ...] = ()
    """Types of the multiparts around it, outermost first."""
    group: int = 0
    """Number of the outermost multipart/alternative around it, 0 for none: its leaves say the same thing."""
    boundary: bytes | None = None
    children: int = 0
    disposition: str = ""
    disposition_params: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    name: str = ""
    """File name it gives, safe; empty when it gives none."""

    @property
    def multipart(self) -> bool:
        return self.boundary is not None


def read_part(raw: bytes, pos: int, parent: Part | None, is_delimiter: Callable[[bytes], object]) -> Part:
    """The part whose fields begin there, below that parent; it ends at the mail's end until its delimiter is found."""
    known = _known_block(raw, pos) if parent is not None else None
    if known is None:
        fields = read_fields(raw, pos, is_delimiter)
        known = fields, _declared(fields), fields.body
    return _part(*known, parent, len(raw))


def _known_block(raw: bytes, pos: int) -> tuple[Fields, _Declared, int] | None:
    """Fields that many parts of many mails have, letter by letter, and where the body starts; None when they are long or odd."""
    end = raw.find(b"\r\n\r\n", pos, pos + _SHORT_BLOCK)
    size = 2 if end >= 0 else 1
    end = end if end >= 0 else raw.find(b"\n\n", pos, pos + _SHORT_BLOCK)
    known = _known(raw[pos : end + size]) if end >= 0 else None
    return (*known, end + 2 * size) if known else None


@lru_cache(maxsize=1024)
def _known(block: bytes) -> tuple[Fields, _Declared] | None:
    fields = ordinary_block(block, 0, MAX_PART_FIELDS)
    return (fields, _declared(fields)) if fields is not None else None


def _declared(fields: Fields) -> _Declared:
    media, values = params(fields.first("Content-Type"))
    disposition, disposition_params = params(fields.first("Content-Disposition"))
    encoding = fields.first("Content-Transfer-Encoding").strip(" \t\"'").lower()
    name = given_name(_name(disposition_params, values) or _last_segment(fields.first("Content-Location")))
    return _Declared(media, values, disposition, disposition_params, encoding, name)


def _name(disposition: Mapping[str, str], media: Mapping[str, str]) -> str:
    """As both fields should give it, then as some programs do."""
    return disposition.get("filename") or media.get("name") or disposition.get("name") or media.get("filename") or ""


def _last_segment(location: str) -> str:
    """The file of a Content-Location (RFC 2557, 4) when its path ends in one."""
    found = _FILE_OF_URL.search(location.strip(' <>"')[:MAX_ID]) if location else None
    return unquote(found[1]) if found else ""


def _part(fields: Fields, declared: _Declared, start: int, parent: Part | None, end: int) -> Part:
    part = Part(
        number="",
        fields=fields,
        type=_media_type(declared.media, parent.type if parent is not None else ""),
        params=declared.params,
        start=start,
        end=end,
        disposition=declared.disposition,
        disposition_params=declared.disposition_params,
        encoding=declared.encoding,
        name=declared.name,
    )
    if parent is not None:
        parent.children += 1
        part.number = f"{parent.number}.{parent.children}" if parent.number else str(parent.children)
        part.parents = (*parent.parents, parent.type)
        part.group = parent.group
    return part


def _media_type(media: str, parent: str) -> str:
    match = _TYPE.match(media)
    if match:
        return match[0]
    if media.startswith("multipart/"):  # `multipart/*` is out there
        return "multipart/mixed"
    if not media and parent == "multipart/digest":
        return "message/rfc822"
    return _BARE_TYPES.get(media, "text/plain" if not media else "application/octet-stream")
