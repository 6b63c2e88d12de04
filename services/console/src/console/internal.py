"""What only this installation's own parts may ask, by the services' token: the set-up link, and a first API token."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError

from console.accounts import Accounts
from console.adapters.audit import Audit
from shared.api import Token, TokenIn
from shared.observability import get_logger

log = get_logger("setup")
RETRY_S = 3.0


def internal_router(accounts: Accounts, audit: Audit) -> APIRouter:
    """Guarded by `X-Service-Token` where it is included."""
    router = APIRouter(prefix="/internal")

    @router.get("/setup-link")
    async def setup_link() -> dict[str, str | None]:
        return {"url": await accounts.setup.url()}

    @router.post("/tokens", status_code=201)
    async def create_token(wanted: TokenIn) -> Token:
        token = await accounts.create_token(wanted.name, wanted.role)
        await audit.write("service", "POST /internal/tokens", f"{token.name} ({token.role})", 201)
        return token

    return router


async def tell_setup_link(accounts: Accounts) -> None:
    """Print the set-up link to the log, once, as soon as the database is there; nothing where there is an administrator."""
    while True:
        try:
            url = await accounts.setup.url()
        except (SQLAlchemyError, OSError) as error:
            log.warning("set-up link waits for the database", error=str(error)[:200])
            await asyncio.sleep(RETRY_S)
            continue
        if url is not None:
            log.info("no administrator yet: open the one-time set-up link", url=url)
        return
