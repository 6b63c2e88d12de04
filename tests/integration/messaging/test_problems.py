"""What an HTTP caller is told about errors of a real database."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from shared.http import install_problems
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected
DEADLOCK = "do $$ begin raise exception 'deadlock detected' using errcode = '40P01'; end $$"


async def test_who_loses_a_deadlock_is_asked_to_try_again(stack: TestStack) -> None:
    engine = create_async_engine(stack.database_url("problems"))
    app = FastAPI()
    install_problems(app)

    @app.get("/")
    async def deadlock() -> None:
        async with engine.begin() as conn:
            await conn.execute(text(DEADLOCK))

    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client:
            answer = await client.get("/")
    finally:
        await engine.dispose()
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["title"]) == (503, "1", "Try again")
