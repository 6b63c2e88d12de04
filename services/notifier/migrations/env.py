"""Alembic's entry for the notifier."""

from notifier.adapters.tables import METADATA
from shared.migration_env import run

run(METADATA)
