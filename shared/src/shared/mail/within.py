"""Files that are no MIME parts but lie within one: in winmail.dat, or uuencoded in a text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from shared.mail import tnef, uuencode
from shared.mail.charset import decode_header_bytes
from shared.mail.limits import MAX_ID
from shared.mail.model import Attachment
from shared.mail.names import attachment_name, given_name
from shared.mail.words import one_line

UNKNOWN_TYPE: Final = "application/octet-stream"
_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)


@dataclass(slots=True)
class Within:
    files: list[tuple[Attachment, bytes]] = field(default_factory=list)
    text: str = ""
    """What a winmail.dat says itself."""
    rest: bytes = b""
    """A text without the files that were in it."""
    defects: tuple[str, ...] = ()


def files_within(number: str, media: str, data: bytes) -> Within:
    """The files within the part of that number, counted on below it: `2.1`, `2.2`. Never raises."""
    if media == "text/plain":
        rest, blocks = uuencode.take_out(data)
        files = [(decode_header_bytes(name), UNKNOWN_TYPE, "", content) for name, content in blocks]
        return Within(files=_numbered(number, files), rest=rest)
    if media in tnef.TYPES or data.startswith(tnef.SIGNATURE):
        found = tnef.read_tnef(data)
        files = [(file.name, file.type, file.content_id, file.content) for file in found.files]
        return Within(
            files=_numbered(number, files),
            text=found.text,
            defects=() if found.whole else ("winmail.dat is damaged, what could be read of it is there",),
        )
    return Within()


def _numbered(outer: str, files: list[tuple[str, str, str, bytes]]) -> list[tuple[Attachment, bytes]]:
    return [(_file(f"{outer}.{count}", *file), file[3]) for count, file in enumerate(files, 1)]


def _file(number: str, name: str, media: str, content_id: str, data: bytes) -> Attachment:
    media = media if _TYPE.fullmatch(media) else UNKNOWN_TYPE
    return Attachment(
        part=number,
        name=attachment_name(given_name(name), media, number, data),
        type=media,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content_id=clean_id(content_id) or None,
    )


def clean_id(written: str) -> str:
    """A Content-ID without its angle brackets."""
    return one_line(written).strip("<> ")[:MAX_ID]
