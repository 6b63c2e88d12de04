"""The order of a mailbox's rules."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rules.api.parameters import SavingCall
from rules.api.views import rule_list
from rules.domain.rule import reordered
from rules.rule_sets import RuleSets
from shared.api import RuleList, RuleOrder


def order_router(sets: RuleSets) -> APIRouter:
    """`/scanners/{id}/rules/order`."""
    router = APIRouter()

    @router.put("/scanners/{scanner_id}/rules/order")
    async def order(scanner_id: str, wanted: RuleOrder, saving: SavingCall, response: Response) -> RuleList:
        return rule_list(await sets.change(scanner_id, saving, lambda rules: reordered(rules, wanted.rule_ids)), response)

    return router
