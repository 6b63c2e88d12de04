"""Rules one by one: list, add, read, change, delete, duplicate."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rules.api.checks import check_rule
from rules.api.parameters import SavingCall, new_id
from rules.api.views import one_rule, rule_list
from rules.domain.rule import Rules, added, changed, duplicated, removed
from rules.rule_sets import RuleSets
from shared.api import Rule, RuleIn, RuleList, RulePatch
from shared.http import IdempotencyKey


def rules_router(sets: RuleSets) -> APIRouter:
    """`/scanners/{id}/rules` and `/rules/{id}`."""
    router = APIRouter()
    _add_making(router, sets)

    @router.get("/scanners/{scanner_id}/rules")
    async def list_rules(scanner_id: str, response: Response) -> RuleList:
        return rule_list(await sets.current(scanner_id), response)

    @router.get("/rules/{rule_id}")
    async def show(rule_id: str, response: Response) -> Rule:
        return one_rule(await sets.current(await sets.scanner_of(rule_id)), rule_id, response)

    @router.patch("/rules/{rule_id}")
    async def change(rule_id: str, patch: RulePatch, saving: SavingCall, response: Response) -> Rule:
        check_rule(patch)
        saved = await sets.change(await sets.scanner_of(rule_id), saving, lambda rules: changed(rules, rule_id, patch))
        return one_rule(saved, rule_id, response)

    @router.delete("/rules/{rule_id}", status_code=204)
    async def delete(rule_id: str, saving: SavingCall) -> None:
        await sets.change(await sets.scanner_of(rule_id), saving, lambda rules: removed(rules, rule_id))

    return router


def _add_making(router: APIRouter, sets: RuleSets) -> None:
    @router.post("/scanners/{scanner_id}/rules", status_code=201)
    async def add(scanner_id: str, new: RuleIn, saving: SavingCall, response: Response, key: IdempotencyKey = None) -> Rule:
        check_rule(new)
        rule_id = new_id(saving.author, key, scanner_id)
        saved = await sets.change(scanner_id, saving, lambda rules: rules if _has(rules, rule_id) else added(rules, rule_id, new))
        response.headers["Location"] = f"/api/v1/rules/{rule_id}"
        return one_rule(saved, rule_id, response)

    @router.post("/rules/{rule_id}/duplicate", status_code=201)
    async def duplicate(rule_id: str, saving: SavingCall, response: Response, key: IdempotencyKey = None) -> Rule:
        copy_id = new_id(saving.author, key, "duplicate", rule_id)
        scanner_id = await sets.scanner_of(rule_id)
        saved = await sets.change(scanner_id, saving, lambda rules: rules if _has(rules, copy_id) else duplicated(rules, rule_id, copy_id))
        response.headers["Location"] = f"/api/v1/rules/{copy_id}"
        return one_rule(saved, copy_id, response)


def _has(rules: Rules, rule_id: str) -> bool:
    return any(rule.id == rule_id for rule in rules)
