"""The mail a report is about: attached (RFC 6522), or quoted in the report's text."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.addresses import addresses
from shared.mail.envelope import normal
from shared.mail.fields import Fields, read_fields
from shared.mail.kinds.signs import MAX_SCANNED
from shared.mail.parts import Part, Structure
from shared.mail.references import message_id, message_ids

MESSAGES: Final = ("message/rfc822", "message/global", "message/partial")
_HEADERS: Final = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822-header")
_QUOTED_ID: Final = re.compile(r"^[ \t>]{0,8}message-id:[ \t]{0,8}(<[^<>\s]{1,900}+>)", re.IGNORECASE | re.MULTILINE)
_QUOTED_TO: Final = re.compile(r"^[ \t>]{0,8}to:[ \t]{0,8}([^\n]{1,500})", re.IGNORECASE | re.MULTILINE)


def attached(structure: Structure) -> Fields | None:
    """The header block of the mail that came back. None where none is attached."""
    part = next((part for part in structure.parts if part.type in MESSAGES or part.type in _HEADERS), None)
    return read_fields(normal(content(structure, part)) + b"\n\n") if part is not None else None


def content(structure: Structure, part: Part) -> bytes:
    """The part's beginning: of a mail its header block is enough."""
    return structure.content(part, MAX_SCANNED)


def original_id(structure: Structure, text: str) -> str | None:
    """Message-ID of the mail the report is about: of the attached mail, of the quoted one, or what the report says it answers."""
    fields = attached(structure)
    found = message_id(fields.first("Message-ID")) if fields is not None else None
    if found:
        return found
    quoted = quoted_id(text)
    if quoted:
        return quoted
    answered = message_ids(structure.root.fields.first("In-Reply-To"))
    return answered[0] if answered else None


def quoted_id(text: str) -> str | None:
    """The first Message-ID field that stands in the text."""
    found = _QUOTED_ID.search(text)
    return found[1] if found else None


def original_recipients(structure: Structure, text: str) -> list[str]:
    """Whom the mail that came back was to, as far as its To tells."""
    fields = attached(structure)
    written = fields.first("To") if fields is not None else ""
    quoted = _QUOTED_TO.search(text)
    return [one.address for one in addresses(written or (quoted[1] if quoted else "")) if "@" in one.address]
