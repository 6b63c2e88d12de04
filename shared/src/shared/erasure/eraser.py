"""Carries a service's part of erasures out: the event is only written down, a loop works in bounded steps, then reports once.

A step and how far it came are one transaction, so a crash repeats at most one step, and steps do nothing to what they did before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Row, Table, func, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.erasure.person import Person
from shared.erasure.refusals import fence
from shared.events import Erasure, ErasureReport, derived_id
from shared.messaging.outbox import Outbox, Unit
from shared.messaging.received import Received
from shared.observability import RETRIES, get_logger
from shared.topics import PRIVACY_REPORTS

log = get_logger("erasure")

IDLE_SECONDS: Final = 2.0
WAIT: Final = timedelta(seconds=2)
"""Before a step that has to wait for something else looks again."""
TRY_AGAIN: Final = timedelta(seconds=30)
"""After a step that failed. It is tried for as long as it takes: what was asked to be removed is removed."""
MAILS_IN_A_REPORT: Final = 10_000
NOT_YET: Final = ""
"""Digest of an erasure that is known by the fetcher's report alone, until its own event comes."""


@dataclass(frozen=True)
class Erasing:
    """What a step is told of the erasure."""

    erasure_id: str
    address: str
    before: datetime
    begun_at: datetime
    mails: Sequence[str]
    """Ids of the mails the fetcher removed."""

    @cached_property
    def person(self) -> Person:
        return Person(self.address)


@dataclass(frozen=True)
class Stepped:
    """How far a step came. `place` is given to its next call; None: nothing of its sort is left."""

    place: Any = None
    removed: Mapping[str, int] = field(default_factory=dict)
    kept: Sequence[str] = ()
    mails: Sequence[str] = ()
    waits: bool = False
    """It has to wait for something else."""


Step = Callable[[Unit, Erasing, Any], Awaitable[Stepped]]
"""One bounded step from `place` on, None at the beginning."""
Tell = Callable[[Unit, ErasureReport], Awaitable[None]]


class Eraser:
    """`on_erasure` and `on_report` are the consumers' handlers, `run` the loop. Several replicas share the work row by row."""

    def __init__(
        self, service: str, outbox: Outbox, table: Table, steps: Sequence[Step], *, after_fetcher: bool = False, tell: Tell | None = None
    ) -> None:
        """`steps` are done in their order; `after_fetcher`: when the fetcher has named the mails. `tell` is the way of the report."""
        self._service = service
        self._outbox = outbox
        self._table = table
        self._steps = steps
        self._after_fetcher = after_fetcher
        self._tell = tell or emit_report
        self._wake = asyncio.Event()

    async def on_erasure(self, unit: Unit, received: Received[Erasure]) -> None:
        """Write it down. Without address it is over, or never was ours to do: then only the digest is kept."""
        if received.tombstone:
            return
        body, of = received.body, self._table.c
        row: dict[str, Any] = {"erasure_id": body.erasure_id, "digest": body.digest, "before": body.before, "address": body.address}
        row["done_at"] = unit.clock() if body.address is None else None
        statement = insert(self._table).values(row)
        known = statement.on_conflict_do_update(index_elements=[of.erasure_id], set_=row, where=of.digest == NOT_YET)
        await unit.conn.execute(known)
        self._wake.set()

    async def on_report(self, unit: Unit, received: Received[ErasureReport]) -> None:
        """The fetcher names the mails it removed."""
        if not received.tombstone and received.body.service == "fetcher":
            await self.name_mails(unit, received.body)

    async def name_mails(self, unit: Unit, report: ErasureReport) -> None:
        """A part of the fetcher's report; with the last one the work can begin. It may come before the erasure: another topic."""
        of = self._table.c
        mails = list(report.mail_ids)
        row = {"erasure_id": report.erasure_id, "digest": NOT_YET, "before": report.at, "mails": mails, "mails_known": not report.more}
        more = {"mails": of.mails + mails, "mails_known": of.mails_known | (not report.more)}
        statement = insert(self._table).values(row)
        known = statement.on_conflict_do_update(index_elements=[of.erasure_id], set_=more, where=of.done_at.is_(None))
        await unit.conn.execute(known)
        self._wake.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                worked = await self.step()
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("erasure", type(error).__name__).inc()
                log.warning("erasures wait", error=type(error).__name__, seconds=IDLE_SECONDS)
                worked = False
            if not worked:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)
                self._wake.clear()

    async def step(self) -> bool:
        """One step of the erasure that waited longest; False where none is due."""
        row: Row[Any] | None = None
        try:
            async with self._outbox.transaction() as unit:
                row = await self._claim(unit)
                if row is None:
                    return False
                await self._work(unit, row)
        except Exception:
            if row is not None:
                await self._postpone(row.erasure_id, TRY_AGAIN)
            raise
        return True

    async def _claim(self, unit: Unit) -> Row[Any] | None:
        of = self._table.c
        due = select(self._table).where(of.done_at.is_(None), of.next_step_at <= func.now(), of.address.is_not(None))
        if self._after_fetcher:
            due = due.where(of.mails_known)
        return (await unit.conn.execute(due.order_by(of.next_step_at).limit(1).with_for_update(skip_locked=True))).first()

    async def _work(self, unit: Unit, row: Row[Any]) -> None:
        """The row's next step; when all are done, the report."""
        if row.step >= len(self._steps):
            await self._finish(unit, row)
            return
        if row.step == 0 and row.place is None:
            await fence(unit.conn)
        erasing = Erasing(row.erasure_id, row.address, row.before, row.created_at, row.mails)
        done = await self._steps[row.step](unit, erasing, row.place)
        over = done.place is None and not done.waits
        of = self._table.c
        values: dict[str, Any] = {
            "place": done.place,
            "step": row.step + over,
            "removed": dict(Counter(row.removed) + Counter(done.removed)),
            "kept": [*row.kept, *done.kept],
            "next_step_at": func.clock_timestamp() + WAIT if done.waits else func.clock_timestamp(),
        }
        if done.mails:
            values["mails"] = of.mails + list(done.mails)
        await unit.conn.execute(update(self._table).where(of.erasure_id == row.erasure_id).values(values))

    async def _finish(self, unit: Unit, row: Row[Any]) -> None:
        at = unit.clock()
        for report in self._reports(row, at):
            await self._tell(unit, report)
        of = self._table.c
        forgotten: dict[str, Any] = {"address": None, "mails": [], "place": None, "kept": [], "done_at": at}
        await unit.conn.execute(update(self._table).where(of.erasure_id == row.erasure_id).values(forgotten))
        log.info("erased", erasure=row.erasure_id, removed=row.removed)

    def _reports(self, row: Row[Any], at: datetime) -> list[ErasureReport]:
        """One, or several where the fetcher names more mails than an event can carry."""
        mails = [] if self._after_fetcher else row.mails
        parts = [mails[first : first + MAILS_IN_A_REPORT] for first in range(0, len(mails), MAILS_IN_A_REPORT)] or [[]]
        whole = ErasureReport(
            erasure_id=row.erasure_id,
            service=self._service,
            removed={name: count for name, count in row.removed.items() if count},
            kept=list(dict.fromkeys(row.kept)),
            at=at,
        )
        return [whole.model_copy(update={"mail_ids": part, "more": part is not parts[-1]}) for part in parts]

    async def _postpone(self, erasure_id: str, pause: timedelta) -> None:
        of = self._table.c
        async with self._outbox.transaction() as unit:
            values = {"next_step_at": func.clock_timestamp() + pause}
            await unit.conn.execute(update(self._table).where(of.erasure_id == erasure_id).values(values))


async def emit_report(unit: Unit, report: ErasureReport) -> None:
    """On `privacy.reports`; the parts of a long one have an id each."""
    first = report.mail_ids[0] if report.mail_ids else ""
    event_id = derived_id(report.erasure_id, report.service, first, "erasure-report")
    unit.emit(PRIVACY_REPORTS, event_id=event_id, key=report.erasure_id, body=report)
