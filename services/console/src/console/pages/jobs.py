"""Long work: waiting a moment for its end, so that the next page shows it."""

from __future__ import annotations

import asyncio
from typing import Any

from console.backend import quoted
from console.pages.page import Page
from console.settings import ServiceName

LOOKS = 15
PAUSE_S = 0.2
ENDED = {"done", "failed"}


async def finished(page: Page, service: ServiceName, job: dict[str, Any]) -> dict[str, Any]:
    """The job at its end, or as it is after three seconds: it then goes on without anybody waiting."""
    for _ in range(LOOKS):
        if job["state"] in ENDED:
            break
        await asyncio.sleep(PAUSE_S)
        job = await page.get(service, f"/jobs/{quoted(job['id'])}")
    return job
