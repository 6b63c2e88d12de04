"""A ledger line from a fetched mail: pure, and the same for the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fetcher.domain.mails import Box, Fetched, Treatment
from shared.events import OutcomeType
from shared.mail.envelope import conversation_key, head

MAX_FETCH_FAILURES = 5
"""A UID that could not be fetched so often is `failed` and passed over."""
MAX_RECIPIENTS = 100
_OUTCOMES = {
    Treatment.ALREADY_READ: OutcomeType.SKIPPED,
    Treatment.BEFORE_START: OutcomeType.SKIPPED,
    Treatment.TOO_LARGE: OutcomeType.FAILED,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """What the scanner says at fetch time, and goes with the mail."""

    address: str
    pec: bool
    mark_read: bool
    max_bytes: int


def describe(box: Box, fetched: Fetched, origin: Origin) -> dict[str, Any]:
    """Columns of the line. A mail that turns out larger than the server said is too large, too."""
    treatment = fetched.listed.treatment
    size = fetched.size
    if treatment.whole and size > origin.max_bytes:
        treatment = Treatment.TOO_LARGE
    line = _place(box, fetched.listed.uid)
    line |= _headers(fetched.data, line["id"])
    line |= {"received_at": fetched.listed.received_at, "size": size, "address": origin.address, "pec": origin.pec}
    if treatment is Treatment.TAKE:
        return line | _to_publish(fetched, origin)
    return line | _done(_OUTCOMES[treatment], _reason(treatment, size, origin.max_bytes))


def gone(box: Box, uid: int) -> dict[str, Any]:
    """A UID that vanished before it could be read."""
    return _place(box, uid) | _done(OutcomeType.GONE, "was deleted or moved before it could be read")


def unfetched(box: Box, uid: int, failures: int, why: str) -> dict[str, Any]:
    """A UID that could not be fetched, this time or for good."""
    line = _place(box, uid) | {"fetch_failures": failures}
    if failures < MAX_FETCH_FAILURES:
        return line | {"state": "seen", "outcome_reason": why[:500]}
    return line | _done(OutcomeType.FAILED, f"could not be fetched in {failures} tries: {why}"[:500])


def duplicate(line: Mapping[str, Any], first: str) -> dict[str, Any]:
    """The line of a further place of a known mail."""
    return {**line, "duplicate_of": first, "archive_key": None} | _done(OutcomeType.DUPLICATE, f"the same mail as {first}")


def _place(box: Box, uid: int) -> dict[str, Any]:
    place = {"scanner_id": box.scanner_id, "generation": box.generation, "folder": box.folder, "uid_validity": box.uid_validity, "uid": uid}
    return {"id": box.mail_id(uid), **place}


def _headers(data: bytes, mail_id: str) -> dict[str, Any]:
    mail = head(data)
    return {
        "message_id": mail.message_id,
        "sender": str(mail.from_) if mail.from_ else "",
        "recipients": [str(address) for address in (*mail.to, *mail.cc)][:MAX_RECIPIENTS],
        "subject": mail.subject,
        "conversation": conversation_key(mail, mail_id),
    }


def _to_publish(fetched: Fetched, origin: Origin) -> dict[str, Any]:
    digest = fetched.large.sha256 if fetched.large else hashlib.sha256(fetched.data).hexdigest()
    return {"state": "seen", "sha256": digest, "flag_wanted": origin.mark_read}


def _done(outcome: OutcomeType, reason: str) -> dict[str, Any]:
    """Our own outcomes have revision 0: whatever tickets says later holds."""
    return {"state": "done", "outcome_type": outcome.value, "outcome_run": 1, "outcome_revision": 0, "outcome_reason": reason}


def _reason(treatment: Treatment, size: int, limit: int) -> str:
    if treatment is Treatment.TOO_LARGE:
        return f"too_large: the mail has {size:,} bytes, the limit is {limit:,}; it stays in the mailbox"
    return str(treatment.value)
