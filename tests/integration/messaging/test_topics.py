"""The table of topics, applied to a real broker."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from shared.topics import TOPICS, apply

pytestmark = pytest.mark.connected


async def test_each_partition_takes_a_record_as_soon_as_the_topics_are_made(kafka_bootstrap: str, own_namespace: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, retry_backoff_ms=1, request_timeout_ms=1000)
    await producer.start()
    try:
        for topic in TOPICS:
            for partition in range(topic.partitions):
                await producer.send_and_wait(topic.full_name(own_namespace), b"x", key=b"k", partition=partition)
    finally:
        await producer.stop()
    assert await apply(kafka_bootstrap, own_namespace) == []
