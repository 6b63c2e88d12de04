"""Versions of a mailbox's rules: read, compared, restored."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from rules.api.parameters import SavingCall
from rules.api.views import all_rules, rule_list
from rules.domain.compare import changes
from rules.rule_sets import RuleSets
from shared.api import Page, RuleList, RuleSetComparison, RuleSetContent, RuleSetVersion
from shared.http import Cursor, Limit

MAX_NUMBER = 2**31 - 1
"""Of the database's integer."""
Number = Annotated[int, Path(ge=1, le=MAX_NUMBER)]
Against = Annotated[
    int | None, Query(ge=0, le=MAX_NUMBER, description="The version before by default; 0 is the empty set before the first")
]


def versions_router(sets: RuleSets) -> APIRouter:
    """`/scanners/{id}/rules/versions`."""
    router = APIRouter(prefix="/scanners/{scanner_id}/rules/versions")

    @router.get("")
    async def versions(scanner_id: str, limit: Limit = 50, cursor: Cursor = None) -> Page[RuleSetVersion]:
        return await sets.versions(scanner_id, limit, cursor)

    @router.get("/{number}")
    async def content(scanner_id: str, number: Number) -> RuleSetContent:
        found = await sets.version(scanner_id, number)
        return RuleSetContent(
            version=found.version, author=found.author, created_at=found.created_at, note=found.note, rules=all_rules(found)
        )

    @router.get("/{number}/changes")
    async def compare(scanner_id: str, number: Number, against: Against = None) -> RuleSetComparison:
        other = number - 1 if against is None else against
        after = await sets.version(scanner_id, number)
        before = (await sets.version(scanner_id, other)).rules if other else ()
        return RuleSetComparison(version=number, against=other, changes=changes(before, after.rules))

    @router.post("/{number}/restore")
    async def restore(scanner_id: str, number: Number, saving: SavingCall, response: Response) -> RuleList:
        old = await sets.version(scanner_id, number)
        saved = await sets.change(scanner_id, saving, lambda _: old.rules, lambda _: f"Version {number} restored")
        return rule_list(saved, response)

    return router
