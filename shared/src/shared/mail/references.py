"""Message-IDs and the folded subject: what a mail refers to."""

from __future__ import annotations

import re
from typing import Final

from shared.mail.limits import MAX_FIELD_BYTES, MAX_ID, MAX_IDS
from shared.mail.words import one_line

_BRACKETED: Final = re.compile(r"<([^<>]{1,2000}+)>")
_ONE_ID: Final = re.compile(r"<[!-;=?-~]{1,996}>")
"""A field of one id, as most are."""
_BREAKS: Final = re.compile(r"[\s<>,;()\"]+")
_PREFIXES: Final = (
    "re|rv|ref|rif|risp|r|fwd?|i|inoltro|inoltra|aw|antw|antwort|wg|weitergeleitet|tr|sv|vs|vl|vb|vd|res|enc|odp|pd|ynt|ilt|bls|doorst|"
    "ha|tl|ang|betr|si|fs|回复|回覆|答复|转发|轉寄|返信|転送|отв|ответ|пересл|fw"
)
_PREFIX: Final = re.compile(rf"(?:\s*+(?:{_PREFIXES})(?:\s?(?:\[\d{{1,4}}\]|\(\d{{1,4}}\)|\^\d{{1,4}}))?\s?[:：])++\s*", re.IGNORECASE)


def message_ids(value: str) -> list[str]:
    """The ids of an unfolded field, with angle brackets, each once. Of too many the first, which names the thread, and the last."""
    if _ONE_ID.fullmatch(value):
        return [value]
    value = value[:MAX_FIELD_BYTES]
    found = _BRACKETED.findall(value) or [word for word in _BREAKS.split(value) if "@" in word]
    clean = (text if text.isprintable() and " " not in text else "".join(one_line(text).split()) for text in found)
    ids = list(dict.fromkeys(f"<{text}>" for text in clean if 0 < len(text) <= MAX_ID - 2))
    return ids if len(ids) <= MAX_IDS else [ids[0], *ids[1 - MAX_IDS :]]


def message_id(value: str) -> str | None:
    """A mail's own id. Some mailers leave out the brackets or the `@`."""
    ids = message_ids(value)
    if ids:
        return ids[0]
    bare = "".join(one_line(value[:MAX_ID]).strip("<>").split())
    return f"<{bare}>" if 0 < len(bare) <= MAX_ID - 2 else None


def fold_subject(subject: str) -> str:
    """A subject for looking a ticket up by its title: without Re:, Fwd: and their like, blanks collapsed, case folded."""
    text = one_line(subject)
    match = _PREFIX.match(text)
    return (text[match.end() :] if match else text).casefold().strip()
