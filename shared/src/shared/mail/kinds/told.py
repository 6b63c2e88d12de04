"""What a recogniser answers with."""

from __future__ import annotations

from dataclasses import dataclass

from shared.mail.model import DeliveryReport, Kind


@dataclass(frozen=True, slots=True)
class Told:
    """The kind, what told it in plain words, and, of a bounce or a receipt, what it reports."""

    kind: Kind = Kind.MAIL
    reason: str = ""
    report: DeliveryReport | None = None
