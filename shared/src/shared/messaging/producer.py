"""The Kafka producer of every service: idempotent, acknowledged by all in-sync replicas.

aiokafka's own producer rather than FastStream's `publish`: a tombstone must leave as a null value, and the futures of a whole
window are awaited together (15 times the rate of awaiting each).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from shared.messaging.errors import UnavailableError
from shared.topics import HEADROOM_BYTES, MAX_EVENT_BYTES

REFUSED = (MessageSizeTooLargeError, InvalidTopicError, TopicAuthorizationFailedError)
"""Answers no retry will change."""
SEND_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Message:
    """One record to publish; `value` None is a tombstone."""

    topic: str
    key: bytes
    headers: Mapping[str, str]
    value: bytes | None


def make_producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    """Not started yet. Raises nothing; `start()` raises KafkaConnectionError while the broker is away."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=2,
        max_request_size=MAX_EVENT_BYTES + HEADROOM_BYTES,
        request_timeout_ms=15_000,
    )


async def send_all(producer: AIOKafkaProducer, messages: Sequence[Message]) -> list[Exception | None]:
    """Publish in order and wait for every acknowledgement; per message None, or why it was refused for good.

    Raises UnavailableError when the broker is away: what was not acknowledged must be sent again, under the same ids.
    """
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            results = await _gather(producer, messages)
    except (TimeoutError, KafkaError) as error:
        raise UnavailableError(f"Kafka did not take {len(messages)} records: {error}") from error
    for result in results:
        if result is not None and not isinstance(result, REFUSED):
            raise UnavailableError(f"Kafka did not acknowledge a record: {result}") from result
    return results


async def _gather(producer: AIOKafkaProducer, messages: Sequence[Message]) -> list[Exception | None]:
    futures: list[asyncio.Future[object] | Exception] = []
    for message in messages:
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        try:
            futures.append(await producer.send(message.topic, message.value, key=message.key, headers=headers))
        except REFUSED as error:
            futures.append(error)
    return [await _result(future) for future in futures]


async def _result(future: asyncio.Future[object] | Exception) -> Exception | None:
    if isinstance(future, Exception):
        return future
    try:
        await future
    except KafkaError as error:
        refusal: Exception = error
        return refusal
    return None
