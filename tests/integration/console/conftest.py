"""The console on a real Postgres, served by uvicorn, before a small stand-in for the four services."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import structlog
from pydantic import SecretStr

from console.adapters.tables import METADATA
from shared.database import migrate
from shared.service import migrations_folder
from tests.integration.console.rig import (
    Console,
    Upstream,
    echo,
    running,
    served,
    settings_of,
)
from tests.kit.stack import TestStack


@pytest.fixture(scope="session")
def console_database(stack: TestStack) -> SecretStr:
    """Migrated once."""
    url = SecretStr(stack.database_url("console"))
    # structlog's own pretty tracebacks take seconds each
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])
    migrate(migrations_folder("console"), url)
    return url


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def all_services() -> AsyncIterator[Upstream]:
    made = Upstream()
    async with served(made.app(), "0.0.0.0") as port:  # noqa: S104 -- four loopback addresses stand for four services
        made.port = port
        yield made


@pytest.fixture
def upstream(all_services: Upstream) -> Upstream:
    """Forgets what the test before asked and said."""
    all_services.seen.clear()
    all_services.answer = echo
    return all_services


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def one_console(console_database: SecretStr, all_services: Upstream) -> AsyncIterator[Console]:
    async with running(settings_of(console_database, all_services)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def console(one_console: Console, upstream: Upstream) -> AsyncIterator[Console]:
    """Empty tables, a client without cookies, a stand-in behind it."""
    async with one_console.deps.accounts.engine.begin() as conn:
        for table in reversed(METADATA.sorted_tables):
            await conn.execute(table.delete())
    async with httpx.AsyncClient(base_url=one_console.url, trust_env=False) as client:
        yield Console(one_console.url, one_console.deps, client)
