"""A mailbox's rules as a file, and a file's rules for a mailbox."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rules.api.checks import check_rules
from rules.api.parameters import SavingCall, new_id
from rules.api.views import rule_list
from rules.domain.transfer import appended, exported, replaced
from rules.rule_sets import RuleSets
from shared.api import RuleExport, RuleImport, RuleList
from shared.clock import utc_now
from shared.http import IdempotencyKey


def transfer_router(sets: RuleSets) -> APIRouter:
    """`/scanners/{id}/rules/export` and `…/import`."""
    router = APIRouter(prefix="/scanners/{scanner_id}/rules")

    @router.get("/export")
    async def export(scanner_id: str) -> RuleExport:
        found = await sets.current(scanner_id)
        return RuleExport(exported_at=utc_now(), scanner_name=await sets.scanner_name(scanner_id), rules=exported(found.rules))

    @router.post("/import")
    async def take(scanner_id: str, wanted: RuleImport, saving: SavingCall, response: Response, key: IdempotencyKey = None) -> RuleList:
        check_rules(wanted.file.rules, "file.rules")
        seed = new_id(saving.author, key, "import", scanner_id)
        put = replaced if wanted.mode == "replace" else appended
        saved = await sets.change(scanner_id, saving, lambda rules: put(rules, wanted.file.rules, seed), "Imported: {}".format)
        return rule_list(saved, response)

    return router
