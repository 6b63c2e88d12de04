"""Who claims: one life of one notifier."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Claimant:
    """This process: `instance` is the name that survives a restart, `holder` is this life of it."""

    instance: str
    holder: str
    lease: timedelta
