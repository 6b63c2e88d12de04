"""Certified mail (PEC, RFC 6109): its three families, told by fields of the mail itself, never by words of the subject.

Only in a mailbox known to be PEC: there the provider writes these fields, and a person's mail always comes wrapped.
"""

from __future__ import annotations

from typing import Final

from shared.mail.kinds.signs import Signs
from shared.mail.kinds.told import Told
from shared.mail.model import Kind

PEC_FIELDS: Final = frozenset({"x-trasporto", "x-ricevuta"})
_TRANSPORT: Final = {
    "posta-certificata": Told(Kind.PEC, "X-Trasporto: posta-certificata, an envelope of certified mail (RFC 6109)"),
    "errore": Told(Kind.PEC_ANOMALY, "X-Trasporto: errore, ordinary mail that came into a certified mailbox (RFC 6109)"),
}


def certified(signs: Signs) -> Told | None:
    """An envelope is told first: it may carry fields of receipts too."""
    transport = _TRANSPORT.get(signs.fields.first("X-Trasporto").strip().lower())
    if transport is not None:
        return transport
    receipt = signs.fields.first("X-Ricevuta").strip().lower()
    return Told(Kind.PEC_RECEIPT, f"X-Ricevuta: {receipt[:100]}, a receipt of certified mail (RFC 6109)") if receipt else None
