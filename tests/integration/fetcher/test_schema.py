from __future__ import annotations

import pytest
from alembic import command

from shared.database import alembic_config
from shared.service import migrations_folder

pytestmark = pytest.mark.connected


def test_migrations_and_tables_agree(database: str) -> None:
    command.check(alembic_config(migrations_folder("fetcher"), database))
