"""Why a mail went where it went."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.why import decision_of
from shared.api import Decision

Run = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The mail's last run by default")]


def decisions_router(engine: AsyncEngine) -> APIRouter:
    """`/mails/{id}/decision`."""
    router = APIRouter()

    @router.get("/mails/{mail_id}/decision")
    async def decision(mail_id: str, run: Run = None) -> Decision:
        return await decision_of(engine, mail_id, run)

    return router
