"""A migrated database for the whole run, and an empty desk for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.database import migrate
from shared.service import migrations_folder
from tests.integration.tickets.rig import Rig
from tests.kit.stack import TestStack


@pytest.fixture(scope="session")
def tickets_database(stack: TestStack) -> str:
    url = stack.database_url("tickets_alone")
    migrate(migrations_folder("tickets"), SecretStr(url))
    return url


@pytest.fixture
async def rig(tickets_database: str, tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tickets_database, tmp_path / "archive")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def other_replica(rig: Rig, tickets_database: str, tmp_path: Path) -> AsyncIterator[Rig]:
    """A second process on the same database."""
    made = Rig(tickets_database, tmp_path / "archive")
    yield made
    await made.stop()
