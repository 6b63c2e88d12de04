"""How often rules matched and acted, counted by day in the transaction that decides a mail or notes its outcome.

Kept for 400 days: "since counting began" means that long.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.adapters.tables import RULE_COUNTS
from shared.clock import Clock, utc_now
from shared.observability import get_logger

log = get_logger("counts")

KEPT: Final = timedelta(days=400)
SLOTS: Final = 64
TIDY_EVERY_S: Final = 6 * 3600

# In the key's order, so that two transactions never wait for each other in a circle.
_ADD: Final = text(
    """
    insert into rule_counts (rule_id, day, slot, matched, acted, last_matched_at, last_acted_at)
    select rule_id, day, :slot, matched, acted, matched_at, acted_at
    from unnest(cast(:rule_ids as text[]), cast(:days as date[]), cast(:matched as bigint[]), cast(:acted as bigint[]),
        cast(:matched_at as timestamptz[]), cast(:acted_at as timestamptz[])) new (rule_id, day, matched, acted, matched_at, acted_at)
    order by rule_id, day
    on conflict (rule_id, day, slot) do update set
        matched = rule_counts.matched + excluded.matched,
        acted = rule_counts.acted + excluded.acted,
        last_matched_at = greatest(rule_counts.last_matched_at, excluded.last_matched_at),
        last_acted_at = greatest(rule_counts.last_acted_at, excluded.last_acted_at)
    """
)


@dataclass(frozen=True)
class Totals:
    """Of one rule, as far back as counts are kept."""

    matched: int
    acted: int
    last_matched_at: datetime | None
    last_acted_at: datetime | None


class RuleCounter:
    """Adds to the counts; one for each consumer. Each draws a slot, so that consumers and replicas hardly ever wait for one row.

    Call it last in a transaction: what it locks is then held only until the commit.
    """

    def __init__(self) -> None:
        self._slot = random.randrange(SLOTS)  # noqa: S311 -- spreads, protects nothing

    async def matched(self, conn: AsyncConnection, rule_ids: Iterable[str], at: datetime) -> None:
        """Each id stands for a mail the rule matched."""
        day = _day(at)
        await self._add(conn, [(rule_id, day, times, 0, at, None) for rule_id, times in Counter(rule_ids).items()])

    async def acted(self, conn: AsyncConnection, acted: Iterable[tuple[str, datetime]]) -> None:
        """Each rule and time stands for a mail that became what the rule's action says."""
        by_day: dict[tuple[str, date], list[datetime]] = {}
        for rule_id, at in acted:
            by_day.setdefault((rule_id, _day(at)), []).append(at)
        await self._add(conn, [(rule_id, day, 0, len(times), None, max(times)) for (rule_id, day), times in by_day.items()])

    async def _add(self, conn: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            names = ("rule_ids", "days", "matched", "acted", "matched_at", "acted_at")
            columns = zip(*rows, strict=True)
            await conn.execute(_ADD, {"slot": self._slot, **dict(zip(names, map(list, columns), strict=True))})


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


async def totals(conn: AsyncConnection, rule_ids: Sequence[str]) -> dict[str, Totals]:
    """Of the rules that were counted."""
    counts = RULE_COUNTS.c
    query = (
        select(
            counts.rule_id,
            func.sum(counts.matched).label("matched"),
            func.sum(counts.acted).label("acted"),
            func.max(counts.last_matched_at).label("last_matched_at"),
            func.max(counts.last_acted_at).label("last_acted_at"),
        )
        .where(counts.rule_id.in_(list(rule_ids)))
        .group_by(counts.rule_id)
    )
    rows = await conn.execute(query)
    return {row.rule_id: Totals(int(row.matched), int(row.acted), row.last_matched_at, row.last_acted_at) for row in rows}


async def remove_old(conn: AsyncConnection, today: date) -> None:
    """Forget what is older than counts are kept. Rows another replica is removing are left to it."""
    counts = RULE_COUNTS.c
    key = (counts.rule_id, counts.day, counts.slot)
    old = select(*key).where(counts.day < today - KEPT).with_for_update(skip_locked=True)
    await conn.execute(delete(RULE_COUNTS).where(tuple_(*key).in_(old)))


async def tidy(engine: AsyncEngine, clock: Clock = utc_now) -> None:
    """Remove old counts for ever, some times a day."""
    while True:
        try:
            async with engine.begin() as conn:
                await remove_old(conn, _day(clock()))
        except (DBAPIError, OSError) as error:
            log.warning("old counts are left until later", error=str(error)[:300])
        await asyncio.sleep(TIDY_EVERY_S)
