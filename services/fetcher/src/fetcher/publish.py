"""A mail onto `mail.raw`: from its ledger line and its bytes, under the same id however often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fetcher.adapters.ledger import Begun, Line
from fetcher.domain.mails import Spooled
from shared.clock import utc_now
from shared.events import RawMail
from shared.messaging.envelope import Envelope
from shared.messaging.producer import Message, Producer, send_all
from shared.messaging.raw_mail import raw_mail_extensions
from shared.topics import MAIL_RAW

INLINE_BYTES = 512 * 1024
"""Above this the event is empty and points at the archive (claim check)."""


@dataclass(frozen=True)
class Item:
    """A ledger line with its mail's bytes; those of a large one are in `large`, or in the archive alone."""

    line: Line | Begun
    data: bytes
    large: Spooled | None = None


class Publisher:
    """Waits for Kafka's acknowledgement of all. Raises UnavailableError while the broker is away."""

    def __init__(self, producer: Producer, namespace: str) -> None:
        self._producer = producer
        self._topic = MAIL_RAW.full_name(namespace)

    async def publish(self, items: Sequence[Item], *, again: bool = False) -> dict[str, str]:
        """Send the items in order; returns why, by mail id, for those Kafka refuses for good.

        `again`: as the next resend, so that receivers repeat their answer instead of ignoring it.
        """
        messages = [self._message(item, item.line.resend + again) for item in items]
        results = await send_all(self._producer, messages)
        return {item.line.id: str(error) for item, error in zip(items, results, strict=True) if error is not None}

    def _message(self, item: Item, resend: int) -> Message:
        line = item.line
        inline = line.size <= INLINE_BYTES
        attributes = RawMail(
            scanner_id=line.scanner_id,
            folder=line.folder,
            uid_validity=line.uid_validity,
            uid=line.uid,
            received_at=line.received_at,
            size=line.size,
            sha256=line.sha256,
            archive_key=line.archive_key,
            conversation=line.conversation,
            address=line.address,
            pec=line.pec,
            data_ref=None if inline else line.archive_key,
        )
        envelope = Envelope(
            id=line.id,
            source="/mailconverter/fetcher",
            type=MAIL_RAW.event_type,
            time=utc_now(),
            content_type=MAIL_RAW.content_type,
            traceparent=line.traceparent or "",
            resend=resend,
            extensions=raw_mail_extensions(attributes),
        )
        return Message(self._topic, line.conversation.encode("utf-8", "replace"), envelope.headers(), item.data if inline else b"")
