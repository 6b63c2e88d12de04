"""Mails that were spam until their sender came off the list: published again, so that the rules' command is carried out after all."""

from __future__ import annotations

import asyncio

from aiokafka.errors import KafkaError

from fetcher.adapters import ledger
from fetcher.poll import Tools
from fetcher.sweep import publish_again
from shared.messaging.errors import is_unavailable
from shared.observability import RETRIES, get_logger

log = get_logger("released")

EVERY_S = 2.0
AT_ONCE = 50
WHY = "its sender was taken off the spam list"


class Releaser:
    """`run()` until cancelled; several processes share the work, since each skips the lines that another has locked.

    What a crash leaves is published once more, under the same id and resend: receivers take it once.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def run(self) -> None:
        """Look every two seconds, and at once again while there is more."""
        while True:
            touched = 0
            try:
                touched = await self.publish_some()
            except Exception as error:
                if not is_unavailable(error) and not isinstance(error, KafkaError):
                    log.exception("released mails could not be published")
                RETRIES.labels("released", type(error).__name__).inc()
            if touched < AT_ONCE:
                await asyncio.sleep(EVERY_S)

    async def publish_some(self) -> int:
        """One bounded round; returns how many lines were touched."""
        async with self._tools.engine.begin() as conn:
            lines = await ledger.released(conn, AT_ONCE)
            await publish_again(self._tools, conn, lines, WHY)
        return len(lines)
