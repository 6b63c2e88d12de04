"""Fixtures of all levels. Nothing starts before a test asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.kit.namespaces import namespace_of
from tests.kit.stack import TestStack, make_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[TestStack]:
    """Kafka, Postgres and a mail server, each started when first used, shared by the whole run."""
    made = make_stack()
    yield made
    made.stop()


@pytest.fixture
def kafka_bootstrap(stack: TestStack) -> str:
    return stack.kafka_bootstrap


@pytest.fixture
async def own_namespace(kafka_bootstrap: str) -> AsyncIterator[str]:
    """A Kafka namespace for one test, with all topics."""
    async with namespace_of(kafka_bootstrap, "test") as name:
        yield name
