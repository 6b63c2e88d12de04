"""Kafka namespaces of single tests.

Each has hundreds of partitions: left behind, they add up to so many that one slow moment of a broker becomes minutes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from shared import topics

ADMIN_TIMEOUT_MS = 60_000


@asynccontextmanager
async def namespace_of(bootstrap: str, prefix: str) -> AsyncIterator[str]:
    """A new namespace with all topics; they are deleted at the end."""
    name = f"{prefix}-{uuid4().hex[:12]}"
    await topics.apply(bootstrap, name)
    try:
        yield name
    finally:
        await _remove(bootstrap, name)


async def _remove(bootstrap: str, namespace: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=ADMIN_TIMEOUT_MS)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(f"{namespace}.")])
    finally:
        await admin.close()
