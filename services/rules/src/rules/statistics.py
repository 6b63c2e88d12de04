"""How often the rules of a set matched and acted, and which of them no mail needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.adapters import rule_store
from rules.adapters.counts import Totals, totals
from rules.adapters.rule_store import RuleSet
from shared.api import RuleStatistics

UNUSED_AFTER: Final = timedelta(days=90)


async def statistics_of(engine: AsyncEngine, today: RuleSet, now: datetime) -> list[RuleStatistics]:
    """Of each rule of today's set, in order. One that came into the set within the 90 days is not yet said to match nothing."""
    since = now - UNUSED_AFTER
    async with engine.connect() as conn:
        counted = await totals(conn, [rule.id for rule in today.rules])
        then = await rule_store.in_force_at(conn, today.scanner_id, since)
    old = {rule.id for rule in then.rules} if then else set()
    return [_statistics(rule.id, counted.get(rule.id), since, old=rule.id in old) for rule in today.rules]


def _statistics(rule_id: str, counted: Totals | None, since: datetime, *, old: bool) -> RuleStatistics:
    if counted is None:
        return RuleStatistics(rule_id=rule_id, matched=0, acted=0, never_matched=old)
    return RuleStatistics(
        rule_id=rule_id,
        matched=counted.matched,
        acted=counted.acted,
        last_matched_at=counted.last_matched_at,
        last_acted_at=counted.last_acted_at,
        never_matched=old and (counted.last_matched_at is None or counted.last_matched_at < since),
    )
