"""Passes a call on to the service that answers it: the same path, verb and body, with the caller's name; its answer is streamed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from console.api.routes import Route
from console.backend import Backend, quoted
from console.domain.principal import Principal
from console.settings import ServiceName

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

REQUEST_HEADERS = ("content-type", "accept", "if-match", "if-none-match", "idempotency-key")
RESPONSE_HEADERS = ("content-type", "content-length", "etag", "location", "content-disposition", "retry-after")
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""For bytes that strangers wrote: whatever a browser takes them for, they run nothing."""


async def forward(backend: Backend, service: ServiceName, route: Route, request: Request, principal: Principal) -> Response:
    """The service's answer. Raises ProblemError 404 for a path parameter that is no id, 503 or 504 when the service is away."""
    headers = {name: value for name in REQUEST_HEADERS if (value := request.headers.get(name)) is not None}
    stack = AsyncExitStack()
    upstream = await stack.enter_async_context(
        backend.stream(
            service,
            route.verb,
            filled(route.path, request.path_params),
            actor=principal,
            params=request.query_params.multi_items(),
            content=await request.body() or None,
            # What is compressed here would have to be unpacked and measured again.
            headers={**headers, "accept-encoding": "identity"},
        )
    )
    return _Relayed(upstream, stack)


def filled(path: str, values: dict[str, object]) -> str:
    """The route's path with its parameters, each quoted as one segment."""
    return re.sub(r"\{(\w+)\}", lambda match: quoted(values[match[1]]), path)


class _Relayed(StreamingResponse):
    """Gives the connection back when the answer is out, whatever ended it."""

    def __init__(self, upstream: httpx.Response, stack: AsyncExitStack) -> None:
        headers = {name: value for name in RESPONSE_HEADERS if (value := upstream.headers.get(name)) is not None}
        if "json" not in headers.get("content-type", "json"):
            headers["content-security-policy"] = SANDBOX
            if not headers.get("content-disposition", "").lower().startswith("attachment"):
                headers["content-disposition"] = "attachment"
        super().__init__(_bytes_of(upstream), upstream.status_code, headers)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._stack.aclose()


async def _bytes_of(upstream: httpx.Response) -> AsyncIterator[bytes]:
    async for part in upstream.aiter_raw():
        yield part
