"""The console: settings in, application out; nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import httpx
from fastapi import Depends, FastAPI

from console.accounts import Accounts
from console.adapters.audit import Audit
from console.adapters.tables import MESSAGING
from console.api.router import api_router
from console.backend import Backend, make_client
from console.dependencies import Dependencies
from console.internal import internal_router, tell_setup_link
from console.live import Live
from console.live_api import live_router
from console.middleware import Guard, OnBug
from console.pages import pages_router
from console.security import check_csrf, install_sign_in_redirect
from console.settings import Settings
from shared.service import Service


def create_app(settings: Settings) -> FastAPI:
    """Nothing connects before the application starts. The pages come last: they may answer whatever path is left."""
    service = Service("console", settings, MESSAGING)
    client = make_client(settings)
    deps = Dependencies(
        settings, Backend(settings, client), Accounts(service.engine, settings), Audit(service.engine), Live(settings), service.checks
    )
    service.loop(deps.live.run)
    app = service.app([internal_router(deps.accounts, deps.audit)], public=[api_router(deps), live_router(deps.live)])
    app.include_router(pages_router(deps), dependencies=[Depends(check_csrf)])
    app.state.console = deps
    install_sign_in_redirect(app)
    app.add_middleware(Guard, console=deps, on_bug=cast("OnBug", app.exception_handlers[Exception]))
    _add_lifespan(app, deps, client)
    return app


def _add_lifespan(app: FastAPI, deps: Dependencies, client: httpx.AsyncClient) -> None:
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app), client:
            telling = asyncio.create_task(tell_setup_link(deps.accounts), name="setup-link")
            try:
                yield
            finally:
                telling.cancel()
                deps.live.stop()

    app.router.lifespan_context = lifespan
