"""The FastStream broker and the options that make a subscriber reliable. Each option's reason stands beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from shared.settings import ServiceSettings

FETCH_BYTES = 8 * 1024 * 1024
"""A batch of 200 records is also bounded in bytes."""
MAX_POLL_INTERVAL_MS = 300_000
"""Longer than all retries of one batch together, else Kafka takes the partitions away in the middle."""
REBALANCE_TIMEOUT_MS = 60_000


def make_broker(settings: ServiceSettings, service: str) -> KafkaBroker:
    """Not connected yet. Topics are applied beforehand: auto-creation would make them with one partition."""
    return KafkaBroker(
        settings.kafka_bootstrap,
        client_id=f"{service}-{settings.instance or 'one'}",
        allow_auto_create_topics=False,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        graceful_timeout=15.0,
        logger=None,
    )


def reliable(settings: ServiceSettings, group: str) -> dict[str, Any]:
    """Options of every subscriber: at least once, from the beginning, in batches of bytes."""
    return {
        "group_id": f"{settings.namespace}.{group}",
        # A fixed instance gets its partitions back in half a second after a crash instead of after the session time-out.
        "group_instance_id": f"{settings.namespace}.{group}-{settings.instance}" if settings.instance else None,
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": max(300, settings.session_timeout_ms // 5),
        "max_poll_interval_ms": MAX_POLL_INTERVAL_MS,
        "rebalance_timeout_ms": REBALANCE_TIMEOUT_MS,
        "auto_offset_reset": "earliest",  # the default loses what was published before the first join
        "ack_policy": AckPolicy.NACK_ON_ERROR,  # raised only when something is away: seek back, read again
        "batch": True,
        "max_records": settings.batch_records,
        "batch_timeout_ms": 200,
        "fetch_max_bytes": FETCH_BYTES,
        "parser": tolerant_headers,
        "decoder": as_bytes,
    }


async def as_bytes(message: Any) -> Any:
    """FastStream decodes by content-type before the handler; one bad record would then freeze its whole batch."""
    return list(message.body) if isinstance(message.body, list | tuple) else message.body


async def tolerant_headers(records: Any, original: Callable[[Any], Awaitable[Any]]) -> Any:
    """A header that is null or not UTF-8 must not skip the batch unseen: it is read with replacement, and the record judged by itself."""
    if isinstance(records, list | tuple):
        return await original(tuple(_readable(record) for record in records))
    return await original(_readable(records))


def _readable(record: ConsumerRecord[bytes, bytes]) -> ConsumerRecord[bytes, bytes]:
    headers = tuple((name, (value or b"").decode("utf-8", "replace").encode()) for name, value in record.headers)
    return dataclasses.replace(record, headers=headers)
