"""The HTTP interface of rules: the public API's own paths and bodies, called by the console."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.api.rules import rules_router
from rules.settings import RulesSettings


def routers(engine: AsyncEngine, settings: RulesSettings) -> list[APIRouter]:
    """All routers."""
    return [rules_router(engine, settings)]
