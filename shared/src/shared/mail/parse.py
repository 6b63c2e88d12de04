"""`parse`: a mail's bytes to the model. The only place that knows what is text and what is an attachment."""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field
from typing import Final

from shared.mail import calendar
from shared.mail.authentication import authentication
from shared.mail.charset import codec, decode
from shared.mail.envelope import read_envelope
from shared.mail.fields import Fields
from shared.mail.folding.folds import folds
from shared.mail.html import html_to_text
from shared.mail.kinds.tell import tell
from shared.mail.limits import MAX_BODY_INPUT, MAX_CALENDAR, MAX_HEADERS_CHARS, MAX_SHORT_FIELD, TEXT_LIMIT
from shared.mail.model import Attachment, MailPart, ParsedMail
from shared.mail.parts import Part, Structure, attachment
from shared.mail.text import clean, cut_clean, is_clean_ascii, unix_lines
from shared.mail.within import files_within
from shared.mail.words import decode_words, one_line

_LONG: Final = 1024
ENCRYPTED: Final = "the mail is encrypted: what it says is only in its attachment"
SIGNED_WHOLE: Final = "the mail is wrapped in its signature: what it says is only in its attachment"
_ASCII_BELOW: Final = frozenset({"", "us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252"})
"""The usual charsets, in all of which a CR is that byte and that byte a CR."""
_BODY_TYPES: Final = {"text/plain", "text/html"}
_FILES_OF_TEXT: Final = frozenset(
    f"text/{kind}"
    for kind in ("calendar", "csv", "vcard", "x-vcard", "directory", "css", "javascript", "xml", "rfc822-headers", "x-amp-html")
)
"""Nobody reads them as they are. Any other text may be the mail's when it has no better one (RFC 2046, 4.1.4)."""
_META_CHARSET: Final = re.compile(rb"<meta\s[^>]{0,200}?charset\s{0,4}=\s{0,4}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_MAX_SUBSTITUTES: Final = 10
_META_WITHIN: Final = 4096
_BYTE_ORDER_MARK: Final = "\ufeff"
_ENRICHED: Final = re.compile(r"<param>[^<]*+</param>|<(?!<)[^<>]{0,80}>", re.IGNORECASE)


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
    """Texts for a mail that has none of its own: of an invitation, of a winmail.dat, of another kind of text."""
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
        folds=folds(text, found["subject"]),
        kind=told.kind,
        kind_reason=one_line(told.reason),
        report=told.report,
        authentication=authentication(structure.root.fields),
        defects=list(defects),
    )


def _shown(part: Part) -> MailPart:
    return MailPart.of(number=part.number, type=part.type, size=max(0, part.end - part.start), name=part.name)


def _is_body(part: Part, bodies: _Bodies) -> bool:
    """Text meant to be read with the mail. A name makes no attachment of the whole mail, nor, in Content-Type alone, of the first text."""
    if part.type not in _BODY_TYPES or part.disposition == "attachment":
        return False
    if part.disposition_params.get("filename"):
        return not part.parents and part.disposition == "inline"
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
    text = _decoded(structure, data, _charset(part, data))
    if text and not text.isspace():
        bodies.found.append(_Body(part, text))
    return files


def _charset(part: Part, data: bytes) -> str:
    """The charset the part declares, or that its HTML says of itself."""
    declared = part.params.get("charset", "")
    if part.type != "text/html" or codec(declared) or data.isascii():
        return declared
    found = _META_CHARSET.search(data, 0, _META_WITHIN)
    return found[1].decode("ascii", "replace") if found else declared


def _decoded(structure: Structure, data: bytes, charset: str) -> str:
    """The clean text. Line ends and control characters are looked for in the bytes where those are ASCII: cheaper than in the text."""
    is_clean = charset.lower() in _ASCII_BELOW and is_clean_ascii(data := unix_lines(data))
    text, defect = decode(data, charset)
    if defect:
        structure.defect(defect)
    return (text if is_clean else clean(text)).removeprefix(_BYTE_ORDER_MARK)


def _attached(structure: Structure, part: Part, bodies: _Bodies) -> list[Attachment]:
    """The part, and the files within it."""
    data = structure.content(part)
    within = files_within(part.number, part.type, data)
    for defect in (*within.defects, *_sealed(part)):
        structure.defect(defect)
    if not bodies.found and len(bodies.substitutes) < _MAX_SUBSTITUTES and (found := within.text[:TEXT_LIMIT] or _substitute(part, data)):
        bodies.substitutes.append(found)
    return [attachment(part, data), *(file for file, _ in within.files)]


def _substitute(part: Part, data: bytes) -> str:
    """What stands in for a text that is missing: an invitation in a few lines, or a text of another kind."""
    charset = part.params.get("charset", "")
    if part.type == "text/calendar":
        return calendar.summary(clean(decode(data[:MAX_CALENDAR], charset)[0]))
    if not part.type.startswith("text/") or part.type in _FILES_OF_TEXT or part.name or part.disposition == "attachment":
        return ""
    text = clean(decode(data[:TEXT_LIMIT], charset)[0])
    return _ENRICHED.sub("", text).replace("<<", "<") if part.type in {"text/enriched", "text/richtext"} else text


def _sealed(part: Part) -> list[str]:
    """Says that a mail's text cannot be read here."""
    if part.type == "application/pgp-encrypted":
        return [ENCRYPTED]
    if part.type not in {"application/pkcs7-mime", "application/x-pkcs7-mime"}:
        return []
    kind = part.params.get("smime-type", "enveloped").lower()
    return [ENCRYPTED] if "enveloped" in kind else [SIGNED_WHOLE] if "signed" in kind else []


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
