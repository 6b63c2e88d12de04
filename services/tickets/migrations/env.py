"""Alembic's entry: the tables of tickets."""

from shared.migration_env import run
from tickets.adapters.tables import METADATA

run(METADATA)
