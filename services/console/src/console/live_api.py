"""The stream that live pages listen to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from console.live import Live, Queue
from console.security import current_user
from shared.http import ProblemError

HEARTBEAT_S = 15.0


def live_router(live: Live) -> APIRouter:
    """`GET /live`: `event: ticket` with a TicketEvent, `event: reload` when some were missed, a comment every 15 s."""
    router = APIRouter()

    @router.get("/live")
    async def listen(request: Request) -> StreamingResponse:
        if await current_user(request) is None:
            raise ProblemError(401, "Sign in first", "Live pages are for those who are signed in.")
        queue = live.open()
        return StreamingResponse(_messages(live, queue), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return router


async def _messages(live: Live, queue: Queue) -> AsyncIterator[str]:
    try:
        yield "retry: 3000\n\n"
        while not live.stopping:
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    message = await queue.get()
            except TimeoutError:
                message = ": still here\n\n"
            yield message
    finally:
        live.close(queue)
