"""The rules service's part of the REST API: rules of a mailbox, their versions, and the decision of a mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.adapters.rule_store import RuleSet
from rules.domain.conditions import is_blank, prepare
from rules.domain.patterns import PatternRefusedError
from rules.domain.rule import RuleMissingError, Rules, added, changed, find, removed, reordered
from rules.rule_sets import RuleSets
from rules.settings import RulesSettings
from shared.api import Condition, Decision, Page, Rule, RuleIn, RuleList, RuleOrder, RulePatch, RuleSetVersion
from shared.events import derived_id
from shared.http import Actor, Cursor, IdempotencyKey, IfMatch, Limit, ProblemError, not_found, with_etag


def rules_router(engine: AsyncEngine, settings: RulesSettings) -> APIRouter:
    """Paths of the public API without its prefix."""
    router = APIRouter()
    api = RuleSets(engine, settings.scanner_wait_seconds)
    _add_history(router, api)

    @router.get("/scanners/{scanner_id}/rules")
    async def list_rules(scanner_id: str, response: Response) -> RuleList:
        return _list(await api.current(scanner_id), response)

    @router.post("/scanners/{scanner_id}/rules", status_code=201)
    async def add(
        scanner_id: str, new: RuleIn, actor: Actor, response: Response, if_match: IfMatch = None, key: IdempotencyKey = None
    ) -> Rule:
        check_conditions(new.conditions)
        await api.current(scanner_id)
        rule_id = derived_id("idempotency", actor, key) if key else str(uuid4())

        def append(rules: Rules) -> Rules:
            return rules if any(rule.id == rule_id for rule in rules) else added(rules, rule_id, new)

        saved = await api.change(scanner_id, actor, f"Rule {new.name!r} added", if_match, append)
        response.headers["Location"] = f"/api/v1/rules/{rule_id}"
        return _one(saved, rule_id, response)

    @router.put("/scanners/{scanner_id}/rules/order")
    async def order(scanner_id: str, wanted: RuleOrder, actor: Actor, response: Response, if_match: IfMatch = None) -> RuleList:
        await api.current(scanner_id)
        saved = await api.change(scanner_id, actor, "Order changed", if_match, lambda rules: reordered(rules, wanted.rule_ids))
        return _list(saved, response)

    @router.get("/rules/{rule_id}")
    async def show(rule_id: str, response: Response) -> Rule:
        return _one(await api.current(await api.scanner_of(rule_id)), rule_id, response)

    @router.patch("/rules/{rule_id}")
    async def change(rule_id: str, patch: RulePatch, actor: Actor, response: Response, if_match: IfMatch = None) -> Rule:
        check_conditions(patch.conditions or [])
        scanner_id = await api.scanner_of(rule_id)
        saved = await api.change(scanner_id, actor, f"Rule {rule_id} changed", if_match, lambda rules: changed(rules, rule_id, patch))
        return _one(saved, rule_id, response)

    @router.delete("/rules/{rule_id}", status_code=204)
    async def delete(rule_id: str, actor: Actor, if_match: IfMatch = None) -> None:
        scanner_id = await api.scanner_of(rule_id)
        await api.change(scanner_id, actor, f"Rule {rule_id} deleted", if_match, lambda rules: removed(rules, rule_id))

    return router


def _add_history(router: APIRouter, api: RuleSets) -> None:
    @router.get("/scanners/{scanner_id}/rules/versions")
    async def versions(scanner_id: str, limit: Limit = 50, cursor: Cursor = None) -> Page[RuleSetVersion]:
        return await api.versions(scanner_id, limit, cursor)

    @router.post("/scanners/{scanner_id}/rules/versions/{number}/restore")
    async def restore(scanner_id: str, number: int, actor: Actor, response: Response, if_match: IfMatch = None) -> RuleList:
        return _list(await api.restore(scanner_id, number, actor, if_match), response)

    @router.get("/mails/{mail_id}/decision")
    async def decision(mail_id: str) -> Decision:
        return await api.decision(mail_id)


def check_conditions(conditions: Sequence[Condition]) -> None:
    """Raise ProblemError 422 that names every pattern RE2 refuses: which condition, at which character, and why."""
    errors: list[dict[str, Any]] = []
    for number, condition in enumerate(conditions):
        if is_blank(condition):
            continue
        try:
            prepare(condition)
        except PatternRefusedError as error:
            place = f"conditions.{number}.value"
            errors.append({"field": place, "message": str(error), "position": error.position, "reason": error.reason})
    if errors:
        detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
        raise ProblemError(422, "The regular expression is not valid", detail[:2000], errors=errors)


def _list(found: RuleSet, response: Response) -> RuleList:
    with_etag(response, found.version)
    return RuleList(items=[_shown(found, position) for position in range(1, len(found.rules) + 1)], version=found.version)


def _one(found: RuleSet, rule_id: str, response: Response) -> Rule:
    try:
        position, _ = find(found.rules, rule_id)
    except RuleMissingError as error:
        raise not_found("rule", rule_id) from error
    with_etag(response, found.version)
    return _shown(found, position)


def _shown(found: RuleSet, position: int) -> Rule:
    rule = found.rules[position - 1]
    return Rule.model_validate({**rule.model_dump(), "scanner_id": found.scanner_id, "position": position, "version": found.version})
