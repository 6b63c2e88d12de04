"""The HTTP interface of rules: the public API's own paths and bodies, called by the console."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.api.decisions import decisions_router
from rules.api.examples import examples_router
from rules.api.order import order_router
from rules.api.rules import rules_router
from rules.api.transfer import transfer_router
from rules.api.versions import versions_router
from rules.examples import Examples
from rules.rule_sets import RuleSets


def routers(engine: AsyncEngine, sets: RuleSets, examples: Examples) -> list[APIRouter]:
    """All routers."""
    return [
        rules_router(sets),
        order_router(sets),
        versions_router(sets),
        transfer_router(sets),
        examples_router(sets, examples),
        decisions_router(engine),
    ]
