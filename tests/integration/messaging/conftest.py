"""A consumer with its tables on the real Kafka and Postgres, in a namespace and a database schema of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.messaging.bench import Bench
from tests.kit.stack import TestStack


@pytest.fixture
async def bench(stack: TestStack, own_namespace: str) -> AsyncIterator[Bench]:
    made = Bench(stack.database_url("messaging"), stack.kafka_bootstrap, own_namespace)
    await made.open()
    yield made
    await made.close()
