"""The migrations of each service make the tables its code speaks of, and can be taken back."""

from __future__ import annotations

import pytest
from alembic import command

from local.services import SERVICES
from shared.database import alembic_config
from shared.service import migrations_folder
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_and_tables_agree_and_can_be_taken_back(stack: TestStack, service: str) -> None:
    config = alembic_config(migrations_folder(service), stack.database_url(f"{service}_migrations"))
    command.upgrade(config, "head")
    command.check(config)
    command.downgrade(config, "base")
    command.upgrade(config, "head")
    command.check(config)
