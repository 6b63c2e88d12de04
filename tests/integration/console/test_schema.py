import pytest
from alembic import command
from pydantic import SecretStr

from shared.database import alembic_config
from shared.service import migrations_folder

pytestmark = pytest.mark.connected


def test_migrations_make_the_tables_the_code_speaks_of(console_database: SecretStr) -> None:
    command.check(alembic_config(migrations_folder("console"), console_database.get_secret_value()))
