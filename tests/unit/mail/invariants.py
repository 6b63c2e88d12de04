"""What holds of any bytes: asserted by the property tests and by the fuzzer."""

from __future__ import annotations

import hashlib
from typing import Final

from shared.mail.envelope import envelope
from shared.mail.model import Envelope, ParsedMail
from shared.mail.parse import parse
from shared.mail.parts import open_part
from shared.mail.text import TEXT_LIMIT

_BREAKS: Final = frozenset("\r\n\0\x85\u2028\u2029")
_PATHS: Final = frozenset("/\\") | _BREAKS
_MAX_OPENED: Final = 20
_MAX_EVENT: Final = 1024 * 1024


def checked(raw: bytes, *, pec: bool = False) -> ParsedMail:
    """The parsed mail, if everything holds of it. Raises AssertionError, or whatever the parser should not have raised."""
    mail = parse(raw, pec=pec)
    dumped = mail.model_dump_json(by_alias=True)
    assert len(dumped.encode()) < _MAX_EVENT, "too large for an event"
    assert ParsedMail.model_validate_json(dumped) == mail, "not the same after the wire"
    assert envelope(raw) == Envelope(**{name: getattr(mail, name) for name in Envelope.model_fields} | {"defects": envelope(raw).defects})
    _headers(mail)
    _folds(mail)
    _attachments(raw, mail)
    return mail


def _headers(mail: ParsedMail) -> None:
    people = [*filter(None, (mail.from_, mail.sender)), *mail.to, *mail.cc, *mail.reply_to]
    ids = [*mail.references, *mail.in_reply_to, *filter(None, [mail.message_id])]
    names = [text for one in mail.attachments for text in (one.name, one.type, one.content_id or "")]
    values = [mail.subject, *ids, *mail.delivered_to, *mail.authentication, *names, mail.kind_reason]
    values += [text for one in people for text in (one.name, one.address)]
    values += [text for pair in mail.headers for text in pair] + [text for part in mail.parts for text in (part.type, part.name)]
    if mail.report is not None:
        values += [text for one in mail.report.recipients for text in (one.recipient, one.status, one.smtp_code, one.reason)]
        values += [mail.report.message_id or "", mail.report.reporter]
    assert not any(_BREAKS & set(value) for value in values), "a line break or NUL where one line is meant"


def _folds(mail: ParsedMail) -> None:
    assert not set(mail.text) & set("\r\0")
    assert len(mail.text.encode()) <= TEXT_LIMIT
    end = 0
    for fold in mail.folds:
        assert end <= fold.start < fold.end <= len(mail.text), "folds out of order, empty, or beyond the text"
        end = fold.end
    folded = sum(fold.end - fold.start for fold in mail.folds)
    assert len(mail.new_text) <= len(mail.text) - folded


def _attachments(raw: bytes, mail: ParsedMail) -> None:
    numbers = [one.part for one in mail.attachments]
    assert len(set(numbers)) == len(numbers), "a number twice"
    assert len({part.number for part in mail.parts}) == len(mail.parts)
    for known in mail.attachments:
        assert known.name, "no name"
        assert not _PATHS & set(known.name), "no safe name"
        assert len(known.name.encode()) <= 255, "a long name"
    for known in mail.attachments[:_MAX_OPENED]:
        found, data = open_part(raw, known.part)
        assert (found, len(data), hashlib.sha256(data).hexdigest()) == (known, known.size, known.sha256)
