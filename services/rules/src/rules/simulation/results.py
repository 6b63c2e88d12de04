"""Results of a simulation as they are kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from rules.simulation.difference import Tally, change
from rules.simulation.reading import ReadMail
from rules.simulation.trial import Judged, TrialMail

SUBJECT_CHARS: Final = 500
SENDER_CHARS: Final = 320


@dataclass
class Progress:
    """How far a simulation is."""

    done: int = 0
    total: int | None = None
    tally: Tally = field(default_factory=Tally)

    def columns(self) -> dict[str, Any]:
        """As the simulation's row keeps it."""
        totals = [one.model_dump(mode="json") for one in self.tally.totals()]
        return {"done": self.done, "total": self.total, "changed": self.tally.changed, "totals": totals}


def trial_mail(one: ReadMail) -> TrialMail | None:
    """None for a mail that could not be read."""
    stored = one.stored
    if one.note or stored.received_at is None:
        return None
    return TrialMail(stored.mail_id, one.raw, stored.received_at, stored.archive_key)


def row_of(one: ReadMail, judged: Judged) -> dict[str, Any]:
    """A mail's result, without its place in the simulation."""
    mail, stored = judged.parsed, one.stored
    return {
        "mail_id": stored.mail_id,
        "subject": mail.subject[:SUBJECT_CHARS] if mail else "",
        "sender": str(mail.from_)[:SENDER_CHARS] if mail and mail.from_ else "",
        "received_at": stored.received_at if stored.mail_id is not None else None,
        "kind": mail.kind.value if mail else "",
        "kind_reason": mail.kind_reason if mail else "",
        "before": stored.before.model_dump(mode="json") if stored.before else None,
        "after": judged.after.model_dump(mode="json") if judged.after else None,
        "change": change(stored.before, judged.after),
        "note": judged.note,
        "evidence": judged.evidence.model_dump(mode="json", exclude_defaults=True) if judged.evidence else None,
    }
