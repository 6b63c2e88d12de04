"""The HTTP interface of rules: the public API's own paths and bodies, called by the console."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.api.decisions import decisions_router
from rules.api.examples import examples_router
from rules.api.order import order_router
from rules.api.rules import rules_router
from rules.api.simulations import simulations_router
from rules.api.statistics import statistics_router
from rules.api.transfer import transfer_router
from rules.api.versions import versions_router
from rules.examples import Examples
from rules.rule_sets import RuleSets
from rules.simulation.simulations import Simulations


def routers(engine: AsyncEngine, sets: RuleSets, examples: Examples, simulations: Simulations) -> list[APIRouter]:
    """All routers."""
    return [
        rules_router(sets),
        order_router(sets),
        versions_router(sets),
        transfer_router(sets),
        statistics_router(engine, sets),
        examples_router(sets, examples),
        simulations_router(simulations),
        decisions_router(engine),
    ]
