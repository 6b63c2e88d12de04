"""Who claims: one life of one notifier."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Claimant:
    """This process: `instance` is the name that survives a restart, `holder` is this life of it."""

    instance: str
    holder: str
    lease: timedelta


@dataclass(frozen=True)
class InHand:
    """What a claimant must leave alone, whatever the ledger's leases say."""

    ids: Collection[str]
    """Its own: a dialogue may go on although its lease ran out while the database was away."""
    take_over: bool
    """Whether a dialogue of another whose lease ran out is surely one of a crash."""
