"""A console on a real Postgres, before a stand-in for the services that notes what it is asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from sqlalchemy import text

from console.app import create_app
from console.dependencies import Dependencies
from console.security import cookie_name, csrf_token
from console.settings import Settings

SERVICE_TOKEN = "a-service-token-of-tests"
SERVICE_HOSTS = {"fetcher": "127.0.0.2", "rules": "127.0.0.3", "tickets": "127.0.0.4", "notifier": "127.0.0.5"}
EMAIL, PASSWORD = "anna@company.example", "correct horse"
"""Of the first administrator."""
NOBODY_LISTENS = "127.0.0.1:9"


@dataclass
class Seen:
    """A call as a service saw it."""

    service: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def echo(seen: Seen) -> Response:
    return JSONResponse({"path": seen.path})


@dataclass
class Upstream:
    """All four services: answers what the test says, keeps what it was asked. Which service was meant is told by the address."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[Seen], Response] = echo

    def url(self, service: str) -> str:
        return f"http://{SERVICE_HOSTS[service]}:{self.port}"

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        async def everything(request: Request) -> Response:
            host = request.headers["host"].partition(":")[0]
            service = next(name for name, address in SERVICE_HOSTS.items() if address == host)
            raw = request.scope["raw_path"].decode()
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Seen(service, request.method, raw, request.url.query, headers, await request.body())
            self.seen.append(call)
            return self.answer(call)

        return app


@dataclass
class Console:
    """The running console, and how to get in."""

    url: str
    deps: Dependencies
    http: httpx.AsyncClient

    async def token(self, role: str = "administrator", name: str = "a test") -> dict[str, str]:
        """Headers of a new token."""
        made = await self.deps.accounts.create_token(name, role)  # type: ignore[arg-type]
        return {"Authorization": f"Bearer {made.token}"}

    async def set_up(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        """The first administrator."""
        url = await self.deps.accounts.setup.url()
        assert url is not None
        await self.deps.accounts.set_up(url.partition("token=")[2], name="Anna", email=email, password=password)

    async def sql(self, statement: str) -> Any:
        """All rows."""
        async with self.deps.accounts.engine.connect() as conn:
            return (await conn.execute(text(statement))).mappings().all()

    async def sql_do(self, statement: str) -> None:
        async with self.deps.accounts.engine.begin() as conn:
            await conn.execute(text(statement))


async def browser_session(console: Console, email: str = EMAIL, password: str = PASSWORD) -> str:
    """A signed-in browser; gives its CSRF token, as a page would hold it."""
    session = await console.deps.accounts.sign_in(email, password, "192.0.2.1")
    console.http.cookies.set(cookie_name(console.deps.settings), session.secret)
    return _csrf_of(console, session.secret)


def _csrf_of(console: Console, secret: str) -> str:
    app = type("App", (), {"state": type("State", (), {"console": console.deps})})
    cookie = f"{cookie_name(console.deps.settings)}={secret}".encode()
    return csrf_token(Request({"type": "http", "app": app, "headers": [(b"cookie", cookie)]}))


@asynccontextmanager
async def served(app: FastAPI, host: str) -> AsyncIterator[int]:
    """Uvicorn on a free port, in this loop."""
    listening = socket.create_server((host, 0))
    config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listening]))
    try:
        while not server.started:
            assert not task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listening.close()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Console]:
    """A console with these settings."""
    app = create_app(settings)
    async with served(app, "127.0.0.1") as port:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield Console(url, app.state.console, client)


def settings_of(database: SecretStr, upstream: Upstream, **others: Any) -> Settings:
    """Kafka is away: nothing here needs it."""
    values = {f"{name}_url": upstream.url(name) for name in SERVICE_HOSTS}
    return Settings(
        **{"database_url": database, "service_token": SecretStr(SERVICE_TOKEN), "kafka_bootstrap": NOBODY_LISTENS, **values, **others}
    )
