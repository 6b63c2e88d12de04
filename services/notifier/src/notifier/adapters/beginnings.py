"""`sending` is written right before each dialogue, for all mails that are about to start in one transaction."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from notifier.adapters import queue
from notifier.adapters.claimant import Claimant
from notifier.adapters.queue import Beginning, Waiting


class Beginnings:
    """Mails whose turn comes while one transaction is under way share the next. None is marked before its turn: till then a cancel wins."""

    def __init__(self, engine: AsyncEngine, claimant: Claimant) -> None:
        self._engine = engine
        self._claimant = claimant
        self._asked: list[tuple[Beginning, asyncio.Future[Waiting]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def begin(self, one: Beginning) -> Waiting:
        """Who waits for the mail: nobody where it was cancelled, is not ours any more, or began just now for another who asked.

        Raises what the database raised.
        """
        future: asyncio.Future[Waiting] = asyncio.get_running_loop().create_future()
        self._asked.append((one, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="beginnings")
        return await future

    async def _write(self) -> None:
        while self._asked:
            group, self._asked = self._asked, []
            each = {one.outgoing_id: one for one, _ in group}
            try:
                async with self._engine.begin() as conn:
                    waiting = await queue.begin(conn, list(each.values()), self._claimant)
            except Exception as error:  # noqa: BLE001 -- handed to whoever asked
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                continue
            for one, future in group:
                if not future.done():
                    future.set_result(waiting.pop(one.outgoing_id, {}))
        self._writer = None
