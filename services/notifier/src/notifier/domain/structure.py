"""MIME entities of a mail, written out line by line (RFC 2045, 2046, 2183 and 2231): ASCII only, no line over 78 but in headers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from notifier.domain import headers
from notifier.domain.body import encoded
from notifier.domain.flowed import flowed
from shared.events import OutgoingPart
from shared.mail.names import safe_name
from shared.mail.words import no_bidi

PIECE = 48
"""Characters of one piece of a long parameter (RFC 2231, 3), each up to three when escaped."""
ANY_TYPE = "application/octet-stream"
NO_NAME = "attachment"
_NAME = r"[a-z0-9!#$&^_.+-]{1,60}"
_TYPE = re.compile(rf"(?!multipart/|message/){_NAME}/{_NAME}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
_SHORT_NAME = re.compile(r"[A-Za-z0-9 ._()+,@=&'#-]{1,50}")


@dataclass(frozen=True)
class Entity:
    """A part with its header lines; `wire` is its content as it is sent, without a last line end."""

    fields: tuple[str, ...]
    wire: bytes

    def octets(self) -> bytes:
        return "\r\n".join([*self.fields, "", ""]).encode("ascii") + self.wire


def text_entity(subtype: str, text: str) -> Entity:
    """A text in UTF-8, in the transfer encoding that old servers pass unharmed. A plain one flows (RFC 3676)."""
    plain = subtype == "plain"
    encoding, wire = encoded(flowed(text) if plain else text)
    fields = (f"Content-Type: text/{subtype}; charset=utf-8{'; format=flowed' if plain else ''}", f"Content-Transfer-Encoding: {encoding}")
    return Entity(fields, wire.encode("ascii"))


def file_entity(part: OutgoingPart, data: bytes, *, inline: bool) -> Entity:
    """A file; its bytes arrive as they are, whatever servers do to texts on the way."""
    name = file_name(part.name)
    lines = [
        headers.field("Content-Type", [f"{media_type(part.content_type)};", *_plain_name(name)]),
        "Content-Transfer-Encoding: base64",
        headers.field("Content-Disposition", [f"{'inline' if inline else 'attachment'};", *_extended_name(name)]),
    ]
    if inline and part.content_id:
        lines.append(f"Content-ID: <{part.content_id}>")
    return Entity(tuple(lines), _base64(data))


def multipart(subtype: str, children: Sequence[Entity], seed: str) -> Entity:
    """The children one after the other; a single one stands for itself. The same seed and children give the same boundary."""
    if len(children) == 1:
        return children[0]
    # "=_" occurs in neither encoding (RFC 2045, 6.7), and the digest in no text that was not made for it.
    digest = hashlib.sha256(f"{subtype}\n{seed}".encode())
    for child in children:
        digest.update(child.wire)
    boundary = f"=_{digest.hexdigest()[:32]}"
    opened, closed = f"--{boundary}\r\n".encode(), f"\r\n--{boundary}--".encode()
    kind = '; type="text/html"' if subtype == "related" else ""
    fields = (f'Content-Type: multipart/{subtype}{kind};\r\n boundary="{boundary}"',)
    return Entity(fields, opened + (b"\r\n" + opened).join(child.octets() for child in children) + closed)


def file_name(name: str) -> str:
    """One component of a path on any system, without a sign that would be shown as something else."""
    return safe_name(no_bidi(headers.one_line(name))) or NO_NAME


def media_type(declared: str) -> str:
    """The declared type, unless it is none, or composite: those may not be encoded (RFC 2046, 5), and so could be changed on the way."""
    kind = declared.strip().lower()
    return kind if _TYPE.fullmatch(kind) else ANY_TYPE


def content_id(part: OutgoingPart) -> str | None:
    """Where the HTML can name it; None where it is a file like others."""
    return part.content_id if part.content_id and _CONTENT_ID.fullmatch(part.content_id) else None


def _plain_name(name: str) -> list[str]:
    """As programs read it that do not know RFC 2231: encoded words, which no standard has here and all of those understand."""
    if _SHORT_NAME.fullmatch(name):
        return [f'name="{name}"']
    words = headers.encoded_words(name)
    return [f'name="{words[0]}', *words[1:-1], f'{words[-1]}"'] if len(words) > 1 else [f'name="{words[0]}"']


def _extended_name(name: str) -> list[str]:
    if _SHORT_NAME.fullmatch(name):
        return [f'filename="{name}"']
    escaped = quote(name, safe="")
    if len(escaped) <= PIECE:
        return [f"filename*=utf-8''{escaped}"]
    pieces = re.findall(rf"(?:%..|[^%]){{1,{PIECE // 3}}}", escaped)
    pieces[0] = f"utf-8''{pieces[0]}"
    tokens = [f"filename*{number}*={piece}" for number, piece in enumerate(pieces)]
    return [*(f"{token};" for token in tokens[:-1]), tokens[-1]]


def _base64(data: bytes) -> bytes:
    """In lines of 76 (RFC 2045, 6.8)."""
    return base64.encodebytes(data).rstrip(b"\n").replace(b"\n", b"\r\n")
