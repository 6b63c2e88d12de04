from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from fetcher.settings import Settings
from shared import topics
from shared.database import migrate
from shared.service import migrations_folder
from tests.integration.fetcher.rig import USER_PASSWORD, Rig, make_settings, rig_on
from tests.kit import dovecot as dovecot_kit
from tests.kit.dovecot import Dovecot, running_dovecot
from tests.kit.stack import TestStack


@pytest.fixture(scope="session")
def namespace(stack: TestStack) -> str:
    """Topics of the fetcher's tests; each test knows its records by its scanner."""
    name = f"fetcher-{uuid.uuid4().hex[:8]}"
    asyncio.run(topics.apply(stack.kafka_bootstrap, name))
    return name


@pytest.fixture
def database(stack: TestStack) -> str:
    """A fresh database with the fetcher's schema."""
    url = stack.database_url(f"fetcher_{uuid.uuid4().hex[:8]}")
    migrate(migrations_folder("fetcher"), SecretStr(url))
    return url


@pytest.fixture
def settings(stack: TestStack, database: str, namespace: str, tmp_path: Path) -> Settings:
    return make_settings(database, stack.kafka_bootstrap, namespace, tmp_path / "archive")


@pytest.fixture
async def rig(settings: Settings) -> AsyncIterator[Rig]:
    async with rig_on(settings) as made:
        yield made


@pytest.fixture
def greenmail_user(stack: TestStack) -> str:
    """A mailbox of its own in the sandbox mail server, with USER_PASSWORD."""
    address = f"u{uuid.uuid4().hex[:8]}@company.example"
    stack.create_mail_user(address, USER_PASSWORD)
    return address


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """Takes passwords over plain connections; tests of encryption and tokens start their own."""
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    with running_dovecot() as server:
        yield server


@pytest.fixture
def user() -> str:
    """A mailbox of its own in Dovecot, where every user exists."""
    return f"u{uuid.uuid4().hex[:8]}@company.example"
