"""What every service's Alembic `env.py` does: connect, take the migration lock, run."""

from __future__ import annotations

from alembic import context
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.pool import NullPool

MIGRATION_LOCK = 0x4D43_0001
"""Advisory lock number, the same in each service's own database."""


def run(metadata: MetaData) -> None:
    """Called from `env.py` with the service's metadata; the URL comes from `config.attributes["url"]`."""
    engine = create_engine(context.config.attributes["url"], poolclass=NullPool, connect_args={"connect_timeout": 10})
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:number)"), {"number": MIGRATION_LOCK})
        # The lock belongs to the session; without this commit Alembic would run inside our transaction and never commit.
        connection.commit()
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()
