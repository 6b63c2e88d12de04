"""The command for tickets, whatever the mail: no event is larger than 1 MiB. What does not fit is left out and named in `defects`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from rules.domain.evaluate import Evaluation
from shared.events import CommandKind, CommandMail, RawMail, TicketCommand
from shared.mail.kinds.answerable import forbidding
from shared.mail.limits import TEXT_LIMIT
from shared.mail.model import DeliveryReport, Fold, Kind, ParsedMail
from shared.mail.text import cut

T = TypeVar("T")
Keep = Callable[[list[T], int], list[T]]

KIB: Final = 1024
# Bytes as JSON. Two texts of 256 KiB and these together stay below 1 MiB by 20 KiB, which field names and the envelope take.
SUBJECT_BYTES: Final = 16 * KIB
FROM_BYTES: Final = 16 * KIB
ADDRESSES_BYTES: Final = 56 * KIB
REPLY_TO_BYTES: Final = 16 * KIB
REFERENCES_BYTES: Final = 56 * KIB
IN_REPLY_TO_BYTES: Final = 8 * KIB
ATTACHMENTS_BYTES: Final = 120 * KIB
CANDIDATES_BYTES: Final = 120 * KIB
REPORT_BYTES: Final = CANDIDATES_BYTES
"""A mail with a report has no candidates."""
DEFECTS_BYTES: Final = 8 * KIB
FOLDS_BYTES: Final = 16 * KIB
AUTHENTICATION_BYTES: Final = 4 * KIB
REASON_CHARS: Final = 500

RUN: Final = 1
"""Run of a mail nobody asked to be decided again."""


KINDS: Final = {
    Kind.OWN: CommandKind.OWN,
    Kind.BOUNCE: CommandKind.BOUNCE,
    Kind.RECEIPT: CommandKind.RECEIPT,
    Kind.PEC_RECEIPT: CommandKind.RECEIPT,
    Kind.AUTO_REPLY: CommandKind.AUTO_REPLY,
}
"""Kinds of mails that are commands of their own."""
_REPORTING: Final = {CommandKind.BOUNCE, CommandKind.RECEIPT, CommandKind.AUTO_REPLY}


def command_of(mail_id: str, raw: RawMail, mail: ParsedMail, evaluation: Evaluation, version: int | None) -> TicketCommand:
    """The command of a decided mail. One with our mark is `own`, with its candidates: tickets tries them where the mark is forged."""
    candidates = evaluation.candidates
    kept = both_ends(candidates, CANDIDATES_BYTES)
    kind = KINDS.get(mail.kind, CommandKind.MAIL)
    return TicketCommand(
        mail_id=mail_id,
        run=RUN,
        kind=kind,
        mail_kind=mail.kind.value,
        kind_reason=mail.kind_reason[:REASON_CHARS],
        report=_report(mail.report) if kind in _REPORTING and mail.report is not None else None,
        scanner_id=raw.scanner_id,
        received_at=raw.received_at,
        archive_key=raw.archive_key,
        mail=command_mail(
            mail, [] if len(kept) == len(candidates) else [_left_out("candidates", len(candidates) - len(kept))], own=raw.address
        ),
        rule_set_version=version,
        candidates=kept,
    )


def command_mail(mail: ParsedMail, defects: Sequence[str] = (), *, own: str = "") -> CommandMail:
    """The mail within its budgets; of lists the first entries are kept, of References the first, which names the thread, and the last.

    `own`: the mailbox's own address.
    """
    notes: list[str] = [*defects]
    text, text_cut = cut(mail.text, TEXT_LIMIT)
    html, html_cut = (None, False) if mail.html is None else cut(mail.html, TEXT_LIMIT)
    kept = {
        "to": _within(notes, "recipients (To)", mail.to, ADDRESSES_BYTES, first_ones),
        "cc": _within(notes, "recipients (Cc)", mail.cc, ADDRESSES_BYTES, first_ones),
        "reply_to": _within(notes, "Reply-To addresses", mail.reply_to, REPLY_TO_BYTES, first_ones),
        "in_reply_to": _within(notes, "ids of In-Reply-To", mail.in_reply_to, IN_REPLY_TO_BYTES, first_ones),
        "references": _within(notes, "ids of References", mail.references, REFERENCES_BYTES, both_ends),
        "attachments": _within(notes, "attachments", mail.attachments, ATTACHMENTS_BYTES, first_ones),
        "folds": _within(notes, "folded passages", _folds(mail.folds, len(text)), FOLDS_BYTES, first_ones),
        "authentication": _within(notes, "authentication results", mail.authentication, AUTHENTICATION_BYTES, first_ones),
    }
    return CommandMail.model_validate(
        {
            **kept,
            "subject": cut(mail.subject, SUBJECT_BYTES)[0],
            "from": next(iter(first_ones([mail.from_] if mail.from_ else [], FROM_BYTES)), None),
            "message_id": mail.message_id,
            "date": mail.date,
            "text": text,
            "text_truncated": mail.text_truncated or text_cut,
            "html": html,
            "html_truncated": mail.html_truncated or html_cut,
            "unanswerable": forbidding(mail.headers, own),
            "defects": first_ones([*notes, *mail.defects], DEFECTS_BYTES),
        }
    )


def _folds(folds: Sequence[Fold], length: int) -> list[Fold]:
    """What of them lies within a text cut to that length."""
    return [one if one.end <= length else one.model_copy(update={"end": length}) for one in folds if one.start < length]


def _report(report: DeliveryReport) -> DeliveryReport:
    """The report with as many recipients as an event carries."""
    left = REPORT_BYTES - _json_bytes(report.model_copy(update={"recipients": []}))
    return report.model_copy(update={"recipients": first_ones(report.recipients, left)})


def _within(notes: list[str], what: str, items: list[T], limit: int, keep: Keep[T]) -> list[T]:
    kept = keep(items, limit)
    if len(kept) < len(items):
        notes.append(_left_out(what, len(items) - len(kept)))
    return kept


def _left_out(what: str, count: int) -> str:
    return f"{count} {what} were left out: an event carries no more, the archived mail has them"


def first_ones(items: Sequence[T], limit: int) -> list[T]:
    """As many from the beginning as fit into `limit` bytes of JSON."""
    kept: list[T] = []
    for item in items:
        limit -= _json_bytes(item) + 1
        if limit < 0:
            break
        kept.append(item)
    return kept


def both_ends(items: Sequence[T], limit: int) -> list[T]:
    """The first, and as many of the last as fit; of candidates the last is the one that always takes."""
    kept = first_ones(items, limit)
    if len(kept) == len(items) or not kept:
        return kept
    first = kept[0]
    rest = first_ones(items[:0:-1], limit - _json_bytes(first) - 1)
    return [first, *reversed(rest)]


def _json_bytes(item: object) -> int:
    """Length of the value as an event carries it: UTF-8, with only what JSON must escape escaped."""
    if isinstance(item, BaseModel):
        return len(item.model_dump_json(by_alias=True, exclude_none=True).encode())
    return len(json.dumps(item, ensure_ascii=False).encode())
