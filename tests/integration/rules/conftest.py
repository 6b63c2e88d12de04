"""The rules service's handlers and API on the real Postgres; Kafka where a test asks for `kafka_bootstrap`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from rules.settings import RulesSettings
from shared.database import migrate
from shared.service import migrations_folder
from tests.integration.rules.desk import Desk
from tests.kit.stack import TestStack

TABLES = "scanners, rule_sets, rule_index, decisions, rule_counts, simulations, examples, erased, inbox, outbox, dead_letters"


@pytest.fixture(scope="session")
def database(stack: TestStack) -> str:
    url = stack.database_url("rules")
    migrate(migrations_folder("rules"), SecretStr(url))
    return url


@pytest.fixture
def settings(database: str, tmp_path: Path) -> RulesSettings:
    return RulesSettings(
        database_url=SecretStr(database), service_token=SecretStr("x" * 16), archive_url=tmp_path.as_uri(), scanner_wait_seconds=0.3
    )


@pytest.fixture
async def desk(settings: RulesSettings) -> AsyncIterator[Desk]:
    made = Desk(settings)
    async with made.service.engine.begin() as conn:
        await conn.execute(text(f"truncate {TABLES} cascade"))
    await asyncio.to_thread(made.service.archive.initialise)
    yield made
    await made.close()


@pytest.fixture
async def second_desk(desk: Desk, settings: RulesSettings) -> AsyncIterator[Desk]:
    """Another replica on the same database."""
    made = Desk(settings)
    yield made
    await made.close()
