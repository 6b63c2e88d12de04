"""Migrations and the tables the code speaks of are the same."""

from __future__ import annotations

import pytest
from alembic import command
from pydantic import SecretStr

from shared.database import alembic_config, migrate
from shared.service import migrations_folder
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


def test_migrations_and_metadata_agree(stack: TestStack) -> None:
    url = stack.database_url("notifier_schema")
    migrate(migrations_folder("notifier"), SecretStr(url))
    command.check(alembic_config(migrations_folder("notifier"), url))


def test_the_schema_can_be_taken_back(stack: TestStack) -> None:
    url = stack.database_url("notifier_downgrade")
    config = alembic_config(migrations_folder("notifier"), url)
    command.upgrade(config, "head")
    command.downgrade(config, "base")
    command.upgrade(config, "head")
