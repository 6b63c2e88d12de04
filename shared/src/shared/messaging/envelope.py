"""CloudEvents 1.0 in Kafka binary mode: attributes are headers, the value is the data.

Besides the standard attributes each event carries extension attributes (CloudEvents names: lower case letters and digits):
`causationid` (the event it follows from), `replay` (set while a replay runs: nobody sends mail or touches a mailbox for it),
`resend` (how often a sweep sent the same event again; the receiver then repeats its own answer instead of ignoring it).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.clock import rfc3339

SPEC_VERSION = "1.0"
MAX_ID_CHARS = 250
REQUIRED = ("ce_id", "ce_source", "ce_type", "ce_time")
KNOWN = {*REQUIRED, "ce_specversion", "ce_causationid", "ce_replay", "ce_resend", "content-type", "traceparent"}


class MalformedEventError(Exception):
    """The record is no CloudEvent we understand: never retry, keep it as a dead letter."""


@dataclass(frozen=True)
class Envelope:
    """The attributes of one event."""

    id: str
    source: str
    type: str
    time: datetime
    content_type: str = "application/json"
    traceparent: str = ""
    causation_id: str | None = None
    replay: str | None = None
    resend: int = 0
    extensions: Mapping[str, str] = field(default_factory=dict)

    def inbox_id(self) -> str:
        """What makes two deliveries the same: the id, and which resend of it."""
        return f"{self.id}#{self.resend}" if self.resend else self.id

    def headers(self) -> dict[str, str]:
        """Kafka headers in binary mode."""
        headers = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_time": rfc3339(self.time),
            "content-type": self.content_type,
            "traceparent": self.traceparent or new_traceparent(),
        }
        optional = {"ce_causationid": self.causation_id, "ce_replay": self.replay, "ce_resend": str(self.resend) if self.resend else None}
        headers |= {name: value for name, value in optional.items() if value is not None}
        return headers | {f"ce_{name}": value for name, value in self.extensions.items()}


def read_envelope(headers: Mapping[str, str]) -> Envelope:
    """The envelope in a record's headers. Raises MalformedEventError that names the attribute."""
    if any("\x00" in value for value in headers.values()):
        raise MalformedEventError("a header holds NUL, which no attribute may")
    if len(headers.get("ce_id", "")) > MAX_ID_CHARS:
        raise MalformedEventError(f"ce_id is longer than {MAX_ID_CHARS} characters")
    missing = [name for name in REQUIRED if not headers.get(name)]
    if missing:
        raise MalformedEventError(f"not a CloudEvent in binary mode: header {missing[0]} is missing")
    try:
        time = datetime.fromisoformat(headers["ce_time"])
        resend = int(headers.get("ce_resend", "0"))
    except ValueError as error:
        raise MalformedEventError(f"ce_time or ce_resend cannot be read: {error}") from error
    return Envelope(
        id=headers["ce_id"],
        source=headers["ce_source"],
        type=headers["ce_type"],
        time=time,
        content_type=headers.get("content-type", ""),
        traceparent=headers.get("traceparent", ""),
        causation_id=headers.get("ce_causationid"),
        replay=headers.get("ce_replay"),
        resend=resend,
        extensions={name[3:]: value for name, value in headers.items() if name.startswith("ce_") and name not in KNOWN},
    )


def new_traceparent() -> str:
    """A new trace (W3C Trace Context, version 00), sampled."""
    random = secrets.token_hex(24)
    return f"00-{random[:32]}-{random[32:]}-01"


def child_traceparent(traceparent: str) -> str:
    """The same trace, a new span; a new trace where there was none."""
    parts = traceparent.split("-")
    if len(parts) != 4:
        return new_traceparent()
    return f"{parts[0]}-{parts[1]}-{secrets.token_hex(8)}-{parts[3]}"
