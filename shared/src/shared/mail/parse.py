"""`parse`: a mail's bytes to the model. The only place that knows what is text and what is an attachment."""

from __future__ import annotations

import html as entities
from dataclasses import dataclass, field
from typing import Final

from shared.mail import calendar
from shared.mail.authentication import authentication
from shared.mail.charset import decode
from shared.mail.envelope import read_envelope
from shared.mail.fields import Fields
from shared.mail.folding import folds
from shared.mail.html import html_to_text
from shared.mail.kinds import tell
from shared.mail.limits import MAX_BODY_INPUT, MAX_CALENDAR, MAX_HEADERS_CHARS, MAX_SHORT_FIELD, TEXT_LIMIT
from shared.mail.model import Attachment, MailPart, ParsedMail
from shared.mail.parts import Part, Structure, attachment
from shared.mail.text import clean, cut_clean, is_clean_ascii, unix_lines
from shared.mail.within import files_within
from shared.mail.words import decode_words, one_line

_LONG: Final = 1024
ENCRYPTED: Final = "the mail is encrypted: what it says is only in its attachment"
_ASCII_BELOW: Final = frozenset({"", "us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252"})
"""The usual charsets, in all of which a CR is that byte and that byte a CR."""
_BODY_TYPES: Final = {"text/plain", "text/html"}


@dataclass(slots=True)
class _Body:
    part: Part
    text: str

    @property
    def is_html(self) -> bool:
        return self.part.type == "text/html"


@dataclass(slots=True)
class _Bodies:
    found: list[_Body] = field(default_factory=list)
    substitutes: list[str] = field(default_factory=list)
    """Texts for a mail that has none of its own: of an invitation, of a winmail.dat."""
    budget: int = MAX_BODY_INPUT
    cut: bool = False


def parse(raw: bytes, *, pec: bool = False) -> ParsedMail:
    """The mail behind any bytes. Pure, never raises; time and memory grow with the mail's length, within the limits of `limits`.

    `pec`: it came into a mailbox known to be PEC, so that the fields of certified mail can be believed.
    """
    structure = Structure(raw)
    bodies = _Bodies()
    attachments: list[Attachment] = []
    for part in structure.leaves():
        if _is_body(part, bodies):
            attachments.extend(_read(structure, part, bodies))
        else:
            attachments.extend(_attached(structure, part, bodies))
    text, text_cut = cut_clean(_text(bodies.found) or clean("\n\n".join(bodies.substitutes)), TEXT_LIMIT)
    html, html_cut = _html(bodies.found)
    found = read_envelope(structure.root.fields)
    told = tell(structure, text, pec=pec)
    defects = dict.fromkeys((*found.pop("defects"), *structure.defects))
    return ParsedMail.of(
        **found,
        text=text,
        text_truncated=text_cut or bodies.cut,
        html=html,
        html_truncated=html is not None and (html_cut or bodies.cut),
        attachments=attachments,
        headers=_headers(structure.root.fields),
        parts=[_shown(part) for part in structure.parts],
        folds=folds(text),
        kind=told.kind,
        kind_reason=told.reason,
        report=told.report,
        authentication=authentication(structure.root.fields),
        defects=list(defects),
    )


def _shown(part: Part) -> MailPart:
    return MailPart.of(number=part.number, type=part.type, size=max(0, part.end - part.start), name=part.name)


def _is_body(part: Part, bodies: _Bodies) -> bool:
    """Text that is meant to be read with the mail. A name in Content-Type alone makes no attachment of the first text."""
    if part.type not in _BODY_TYPES or part.disposition == "attachment" or part.disposition_params.get("filename"):
        return False
    if part.params.get("name"):
        return not part.disposition and not any(body.part.type == part.type for body in bodies.found)
    return True


def _read(structure: Structure, part: Part, bodies: _Bodies) -> list[Attachment]:
    """Adds the part's text to the bodies; the files that were uuencoded in it."""
    data = structure.content(part, bodies.budget + 1)
    files: list[Attachment] = []
    if b"begin " in data and part.type == "text/plain":
        within = files_within(part.number, part.type, structure.content(part))
        data, files = within.rest, [file for file, _ in within.files]
    if len(data) > bodies.budget:
        bodies.cut = True
        data = data[: bodies.budget]
        structure.defect("the text is too long, its rest was left out")
    bodies.budget -= len(data)
    text = _decoded(structure, data, part.params.get("charset", ""))
    if text and not text.isspace():
        bodies.found.append(_Body(part, text))
    return files


def _decoded(structure: Structure, data: bytes, charset: str) -> str:
    """The clean text. Line ends and control characters are looked for in the bytes where those are ASCII: cheaper than in the text."""
    is_clean = charset.lower() in _ASCII_BELOW and is_clean_ascii(data := unix_lines(data))
    text, defect = decode(data, charset)
    if defect:
        structure.defect(defect)
    return text if is_clean else clean(text)


def _attached(structure: Structure, part: Part, bodies: _Bodies) -> list[Attachment]:
    """The part, and the files within it. An invitation or a winmail.dat may stand in for a text that is missing."""
    data = structure.content(part)
    within = files_within(part.number, part.type, data)
    for defect in (*within.defects, *([ENCRYPTED] if _is_encrypted(part) else [])):
        structure.defect(defect)
    if part.type == "text/calendar":
        bodies.substitutes.append(calendar.summary(clean(decode(data[:MAX_CALENDAR], part.params.get("charset", ""))[0])))
    elif within.text:
        bodies.substitutes.append(within.text[:TEXT_LIMIT])
    return [attachment(part, data), *(file for file, _ in within.files)]


def _is_encrypted(part: Part) -> bool:
    return part.type == "application/pgp-encrypted" or (
        part.type in {"application/pkcs7-mime", "application/x-pkcs7-mime"}
        and "enveloped" in part.params.get("smime-type", "enveloped").lower()
    )


def _text(bodies: list[_Body]) -> str:
    """Plain texts in order; an HTML part is rendered unless an alternative says the same plainly."""
    plain_groups = {body.part.group for body in bodies if not body.is_html} - {0}
    texts = [
        clean(html_to_text(body.text)) if body.is_html else body.text.strip("\n")
        for body in bodies
        if not body.is_html or body.part.group not in plain_groups
    ]
    return "\n\n".join(text for text in texts if text)


def _html(bodies: list[_Body]) -> tuple[str | None, bool]:
    """The HTML parts in order, with the plain ones between them that no alternative says in HTML. None when there is no HTML."""
    html_groups = {body.part.group for body in bodies if body.is_html} - {0}
    if not any(body.is_html for body in bodies):
        return None, False
    shown = [
        body.text if body.is_html else f"<pre>{entities.escape(body.text)}</pre>"
        for body in bodies
        if body.is_html or body.part.group not in html_groups
    ]
    return cut_clean("\n".join(shown), TEXT_LIMIT)


def _headers(fields: Fields) -> list[tuple[str, str]]:
    if fields.printable:
        return [
            (name, decode_words(value) if "=?" in value else one_line(value) if "  " in value else value.rstrip())
            for name, value in fields.pairs
        ]
    found: list[tuple[str, str]] = []
    room = MAX_HEADERS_CHARS
    for name, value in fields.pairs:
        text = decode_words(value, min(MAX_SHORT_FIELD, room)) if "=?" in value or len(value) > _LONG else one_line(value)
        room -= len(text) + len(name)
        if room <= 0:
            break
        found.append((name, text))
    return found
