"""Alembic's entry: the tables of the console."""

from __future__ import annotations

from console.adapters.tables import METADATA
from shared.migration_env import run

run(METADATA)
