"""Consumer lag: how many records of a topic a consumer group has not committed yet."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

REQUEST_TIMEOUT_MS = 10_000


async def total_lag(bootstrap: str, namespace: str, pairs: list[tuple[str, str]]) -> int:
    """Sum of the lags of (service, topic) pairs, topics without namespace; a group that never committed counts from the beginning.

    Raises KafkaError or OSError while the broker is away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        await consumer.start()
        try:
            return sum([await _lag(admin, consumer, f"{namespace}.{service}.{topic}", f"{namespace}.{topic}") for service, topic in pairs])
        finally:
            await consumer.stop()
    finally:
        await admin.close()


async def _lag(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, group: str, topic: str) -> int:
    description = await admin.describe_topics([topic])
    partitions = [TopicPartition(topic, entry["partition"]) for entry in description[0]["partitions"]]
    committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    total = 0
    for partition in partitions:
        offset = committed[partition].offset if partition in committed else -1
        total += max(0, ends[partition] - max(offset, begins[partition]))
    return total
