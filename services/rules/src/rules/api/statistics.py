"""How often each rule of a mailbox matched and acted."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.rule_sets import RuleSets
from rules.statistics import statistics_of
from shared.api import RuleStatisticsList
from shared.clock import utc_now


def statistics_router(engine: AsyncEngine, sets: RuleSets) -> APIRouter:
    """`/scanners/{id}/rules/statistics`."""
    router = APIRouter()

    @router.get("/scanners/{scanner_id}/rules/statistics")
    async def show(scanner_id: str) -> RuleStatisticsList:
        return RuleStatisticsList(items=await statistics_of(engine, await sets.current(scanner_id), utc_now()))

    return router
