"""Mails pinned to a mailbox's rules."""

from __future__ import annotations

from fastapi import APIRouter, Response

from rules.api.parameters import new_id
from rules.examples import Examples
from rules.rule_sets import RuleSets
from shared.api import Example, ExampleCheck, ExampleIn, ExampleList
from shared.http import Actor, IdempotencyKey


def examples_router(sets: RuleSets, examples: Examples) -> APIRouter:
    """`/scanners/{id}/rules/examples`."""
    router = APIRouter(prefix="/scanners/{scanner_id}/rules/examples")

    @router.get("")
    async def show(scanner_id: str) -> ExampleList:
        return ExampleList(items=await examples.of(await sets.current(scanner_id)))

    @router.post("", status_code=201)
    async def pin(scanner_id: str, new: ExampleIn, actor: Actor, response: Response, key: IdempotencyKey = None) -> Example:
        pinned = await examples.pin(await sets.current(scanner_id), new, new_id(actor, key, "example", scanner_id), actor)
        response.headers["Location"] = f"/api/v1/scanners/{scanner_id}/rules/examples/{pinned.id}"
        return pinned

    @router.post("/check")
    async def check(scanner_id: str) -> ExampleCheck:
        return ExampleCheck(items=await examples.check(await sets.current(scanner_id)))

    @router.delete("/{example_id}", status_code=204)
    async def unpin(scanner_id: str, example_id: str) -> None:
        await examples.unpin(await sets.current(scanner_id), example_id)

    return router
