"""Alembic's entry into the rules service's schema."""

from __future__ import annotations

from rules.adapters.tables import METADATA
from shared.migration_env import run

run(METADATA)
