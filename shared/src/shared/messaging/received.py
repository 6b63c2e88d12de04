"""A Kafka record as read, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from shared.events import EventModel, RawMail
from shared.messaging.envelope import Envelope, MalformedEventError, read_envelope
from shared.messaging.raw_mail import read_raw_mail
from shared.topics import Topic

M = TypeVar("M", bound=EventModel)


@dataclass(frozen=True)
class Record:
    """One record, judged by nobody yet: what a dead letter keeps."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Mapping[str, str]
    value: bytes | None

    @classmethod
    def of(cls, record: ConsumerRecord[bytes, bytes], headers: Mapping[str, str]) -> Record:
        """From aiokafka's record and FastStream's decoded headers."""
        return cls(record.topic, record.partition, record.offset, record.key, dict(headers), record.value)


@dataclass(frozen=True)
class Received(Generic[M]):
    """An event: envelope, body, and for `mail.raw` the mail's bytes in `value`. `tombstone` events have no body to speak of."""

    envelope: Envelope
    key: str
    value: bytes
    record: Record
    maybe_body: M | None

    @property
    def tombstone(self) -> bool:
        """True where the key was deleted from a compacted topic."""
        return self.maybe_body is None

    @property
    def body(self) -> M:
        """The body; ValueError on a tombstone."""
        if self.maybe_body is None:
            raise ValueError("a tombstone has no body")
        return self.maybe_body


def receive(record: Record, topic: Topic) -> Received[M]:
    """Read envelope and body. Raises MalformedEventError that says what is wrong; unknown types and versions are malformed too."""
    envelope = read_envelope(record.headers)
    if envelope.type != topic.event_type:
        raise MalformedEventError(f"type {envelope.type!r} is not {topic.event_type!r}; a newer service may know it")
    value = record.value or b""
    key = (record.key or b"").decode("utf-8", "replace")
    return Received(envelope, key, value, record, cast("M | None", _body(record, envelope, topic)))


def _body(record: Record, envelope: Envelope, topic: Topic) -> EventModel | None:
    try:
        if topic.model is RawMail:
            return read_raw_mail(envelope)
        if record.value is None:
            return None
        return topic.model.model_validate_json(record.value)
    except ValidationError as error:
        raise MalformedEventError(
            f"{topic.model.__name__} cannot be read: {error.errors(include_url=False, include_input=False)}"
        ) from error
