"""Bounces and receipts: reports as the standards have them, and the notices of servers that go their own way."""

from __future__ import annotations

from typing import Final

from shared.mail.addresses import addresses
from shared.mail.kinds import reports
from shared.mail.kinds.bounce_text import completed, is_delay, notice_of, read_notice
from shared.mail.kinds.bounce_words import SUBJECTS, TEXTS
from shared.mail.kinds.original import MESSAGES, content, original_id, original_recipients, quoted_id
from shared.mail.kinds.out_of_office import sounds_away
from shared.mail.kinds.signs import Sender, Signs
from shared.mail.kinds.told import Told
from shared.mail.model import DeliveryReport, Kind
from shared.mail.parts import Part, Structure
from shared.mail.references import message_id
from shared.mail.words import decode_words

FAILED_RECIPIENTS: Final = "X-Failed-Recipients"
REPORT_TYPES: Final = frozenset({*reports.STATUS, *reports.DISPOSITION, "message/feedback-report", "multipart/report"})
_REPORT: Final = "multipart/report"


def receipt_or_bounce(signs: Signs) -> Told | None:
    """A report of a standard type. A delivery report is a bounce as soon as one recipient failed or waits, else a receipt."""
    return _disposition(signs) or _delivery(signs)


def _disposition(signs: Signs) -> Told | None:
    part = _report_part(signs, reports.DISPOSITION)
    if part is None:
        return None
    recipients, reporter, about = reports.disposition(reports.report_text(content(signs.structure, part)))
    report = DeliveryReport(
        recipients=recipients, reporter=reporter, message_id=message_id(about) or original_id(signs.structure, signs.text)
    )
    return Told(Kind.RECEIPT, "a message disposition notification (RFC 8098)", report)


def _delivery(signs: Signs) -> Told | None:
    if _report_part(signs, reports.STATUS) is None and signs.report_type != "delivery-status":
        return None
    report = _machine_readable(signs) or (_wrapped(signs) if signs.structure.root.type != _REPORT else None)
    if report is None:
        return _noticed(signs, "a delivery status notification (RFC 3464) without a part that can be read")
    actions = list(dict.fromkeys(one.action for one in report.recipients))
    kind = Kind.BOUNCE if {"failed", "delayed"} & set(actions) else Kind.RECEIPT
    return Told(kind, f"a delivery status notification (RFC 3464): {', '.join(actions)}", report)


def _report_part(signs: Signs, types: tuple[str, ...]) -> Part | None:
    """The machine-readable part. In an ordinary mail, where somebody forwards a report with all its parts, it proves nothing."""
    for part in signs.structure.parts:
        if part.type in types and (_REPORT in part.parents or part is signs.structure.root or signs.report_type or signs.machine):
            return part
    return None


def _machine_readable(signs: Signs) -> DeliveryReport | None:
    """What the mail's own part says, or the fields of one that stand in its text."""
    part = _report_part(signs, reports.STATUS)
    own = reports.report_text(content(signs.structure, part)) if part is not None else ""
    return _of_fields(signs, signs.structure, own) or _of_fields(signs, signs.structure, reports.embedded(signs.text))


def _wrapped(signs: Signs) -> DeliveryReport | None:
    """What a whole report says that a gateway put into a notice of its own."""
    attached = next((part for part in signs.structure.parts if part.type in MESSAGES), None)
    if attached is None:
        return None
    inner = Structure(content(signs.structure, attached))
    part = next((part for part in inner.parts if part.type in reports.STATUS), None)
    return _of_fields(signs, inner, reports.report_text(content(inner, part))) if part is not None else None


def _of_fields(signs: Signs, structure: Structure, text: str) -> DeliveryReport | None:
    recipients, reporter = reports.delivery_status(text)
    if not recipients:
        return None
    return DeliveryReport(
        recipients=completed(recipients, notice_of(signs.text)), message_id=original_id(structure, signs.text), reporter=reporter
    )


def notice(signs: Signs) -> Told | None:
    """A bounce that is text alone: by a field of its own, or by who sent it together with how it is worded."""
    if signs.fields.first(FAILED_RECIPIENTS):
        return _noticed(signs, f"{FAILED_RECIPIENTS}, as Exim and Gmail write it")
    sign = _evidence(signs)
    if sign is None:
        return None
    subject, text, brought = _word_of_subject(signs), _word_of_text(signs), _brings_back(signs)
    found = [f'it says "{subject}"'] * bool(subject) + [f'it says "{text}"'] * bool(text) + ["it brings a mail back"] * brought
    if signs.sender is Sender.DAEMON and signs.null_path:
        found.append("a null return path")
    needed = 1 if _is_certain(signs) else 2
    return _noticed(signs, f"{sign}, and {found[0]}") if len(found) >= needed else None


def _is_certain(signs: Signs) -> bool:
    """No person can have sent it. A postmaster may be one, and programs send other things than bounces with a null return path too."""
    return signs.sender is Sender.DAEMON or signs.structure.root.type == _REPORT or (signs.sender is Sender.DESK and signs.null_path)


def _brings_back(signs: Signs) -> bool:
    """A mail is attached or quoted with its fields."""
    return bool(signs.first_type(*MESSAGES)) or quoted_id(signs.text) is not None


def _evidence(signs: Signs) -> str | None:
    """What makes a bounce likely enough to look at the words; None for a person's mail."""
    if signs.sender is Sender.DAEMON:
        return "its sender is a mail server"
    if signs.passed_on or sounds_away(signs.subject):
        return None
    if signs.report_type == "delivery-status" or (signs.structure.root.type == _REPORT and not signs.report_type):
        return "a report (RFC 6522)"
    checks: tuple[tuple[bool, str], ...] = (
        (signs.sender is Sender.DESK, "its sender is a postmaster"),
        (signs.null_path, "a null return path"),
        (signs.sender is Sender.SILENT and bool(signs.first_type(*MESSAGES)), "its sender takes no answers, a mail is attached"),
    )
    return next((sign for holds, sign in checks if holds), None)


def _word_of_subject(signs: Signs) -> str:
    return next((word for word in SUBJECTS if word in signs.subject), "")


def _word_of_text(signs: Signs) -> str:
    """Outside quotes."""
    unquoted = "\n".join(line for line in signs.text.split("\n") if not line.startswith(">")).casefold()
    return next((word for word in TEXTS if word in unquoted), "")


def _noticed(signs: Signs, reason: str) -> Told:
    return Told(Kind.BOUNCE, reason, _read(signs))


def _read(signs: Signs) -> DeliveryReport:
    """What the text says; where it names nobody, a report that is attached, or whom the mail was to that came back."""
    report = _machine_readable(signs)
    if report is not None:
        return report
    text = notice_of(signs.text)
    written = decode_words(", ".join(signs.fields.all(FAILED_RECIPIENTS)))
    failed = [one.address for one in addresses(written) if "@" in one.address]
    delayed = is_delay(f"{signs.subject}\n{text}")
    recipients = read_notice(text, failed, _involved(signs), delayed=delayed)
    if not recipients and (report := _wrapped(signs)):
        return report
    if not recipients:
        others = original_recipients(signs.structure, signs.text[len(text) :])
        recipients = read_notice(text, others, frozenset(), delayed=delayed) if len(others) == 1 else []
    return DeliveryReport(recipients=recipients, message_id=original_id(signs.structure, signs.text))


def _involved(signs: Signs) -> frozenset[str]:
    """Whom the notice is from and to: no recipients of the mail it is about, though it may name them."""
    names = ("From", "To", "Delivered-To", "Reply-To", "Sender")
    return frozenset(one.folded for name in names for value in signs.fields.all(name)[:5] for one in addresses(value[:2000]))
