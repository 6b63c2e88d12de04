"""Promise 1's safety net: a published mail that nobody answered is published again; and the retry a person asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters import ledger
from fetcher.begun import from_archive
from fetcher.poll import Tools
from fetcher.publish import Item
from fetcher.settings import Settings
from shared.events import OutcomeType
from shared.messaging.errors import is_unavailable
from shared.messaging.lag import total_lag
from shared.observability import RETRIES, get_logger

log = get_logger("sweep")

CONSUMERS = [("rules", "mail.raw"), ("tickets", "ticket.commands"), ("fetcher", "mail.outcomes")]
"""While any of these lags, an outcome may still be on its way."""
EVERY_S = 30.0
AT_ONCE = 50
SWEEP_LOCK = 0x4D43_0002
NO_OUTCOME_CAME = "no outcome came"


class Sweeper:
    """`run()` until cancelled; several processes share the work by an advisory lock."""

    def __init__(self, tools: Tools, settings: Settings) -> None:
        self._tools = tools
        self._settings = settings

    async def run(self) -> None:
        """Look every half minute, or oftener where the time to an outcome is set shorter."""
        while True:
            await asyncio.sleep(min(EVERY_S, self._settings.sweep_after_seconds / 3))
            try:
                await self.sweep()
            except Exception as error:
                if not is_unavailable(error) and not isinstance(error, KafkaError):
                    log.exception("sweep failed")
                RETRIES.labels("sweep", type(error).__name__).inc()

    async def sweep(self) -> int:
        """Publish again what is overdue, give up what was often enough; returns how many lines were touched."""
        async with self._tools.engine.connect() as conn:
            if not await ledger.overdue(conn, self._settings.sweep_after_seconds, 1):
                return 0
        if await total_lag(self._settings.kafka_bootstrap, self._settings.namespace, CONSUMERS):
            return 0
        async with self._tools.engine.begin() as conn:
            if not await conn.scalar(text("select pg_try_advisory_xact_lock(:lock)"), {"lock": SWEEP_LOCK}):
                return 0
            late = await ledger.overdue(conn, self._settings.sweep_after_seconds, AT_ONCE)
            await publish_again(self._tools, conn, [line for line in late if line.sweeps < self._settings.sweep_times])
            await self._give_up(conn, [line.id for line in late if line.sweeps >= self._settings.sweep_times])
        return len(late)

    async def _give_up(self, conn: AsyncConnection, ids: Sequence[str]) -> None:
        if not ids:
            return
        reason = (
            f"no outcome came, though it was published {self._settings.sweep_times + 1} times: look at dead letters, then retry the mail"
        )
        await ledger.finish(conn, ids, OutcomeType.FAILED.value, reason)
        for mail_id in ids:
            log.error("given up: no outcome came", mail_id=mail_id)


async def publish_again(tools: Tools, conn: AsyncConnection, lines: Sequence[ledger.Line], why: str = NO_OUTCOME_CAME) -> list[str]:
    """Locked lines without outcome, under their ids; one the archive holds no more is `failed`. Returns the ids published."""
    published: list[str] = []
    for line in lines:
        item = await from_archive(tools.archive, line) if line.archive_key else None
        if item is None:
            reason = f"the archive holds the mail no more; it was to be published again, since {why}"
            await ledger.finish(conn, [line.id], OutcomeType.FAILED.value, reason)
            continue
        await tools.publisher.publish([item], again=True)
        await ledger.sent_again(conn, [line.id], by_sweep=True)
        log.warning("published again", why=why, mail_id=line.id, resend=line.resend + 1)
        published.append(line.id)
    return published


async def retry(tools: Tools, conn: AsyncConnection, line: ledger.Line) -> None:
    """A person wants a failed mail tried again: from the archive, else from the mailbox by its next scan."""
    item: Item | None = await from_archive(tools.archive, line) if line.archive_key else None
    if item is None:
        await ledger.begin_again(conn, line.id)
        return
    await tools.publisher.publish([item], again=True)
    await ledger.sent_again(conn, [line.id], by_sweep=False)
