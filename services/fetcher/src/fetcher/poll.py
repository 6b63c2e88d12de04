"""The first stop of a mail: a folder's new UIDs, batch by batch.

Per batch, in this order: ledger line `seen` → archive → publish → line `published` and cursor → flag. The ledger is the outbox of
`mail.raw`: a crash between any two steps leaves lines `seen`, which the next scan takes up under the same ids.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from obstore.exceptions import BaseError
from sqlalchemy.ext.asyncio import AsyncEngine

from fetcher.adapters import ledger
from fetcher.adapters.erasure import without_erased
from fetcher.adapters.imap.connection import Opened
from fetcher.adapters.imap.wire import LARGE_LITERAL
from fetcher.adapters.leases import Lease
from fetcher.begun import confirm
from fetcher.domain import lines
from fetcher.domain.cursor import FolderState, Pace, batches, taken_up_again, treat
from fetcher.domain.lines import Origin
from fetcher.domain.mails import Box, Fetched, Listed
from fetcher.fetch import Batch, fetch
from fetcher.gate import ByteBudget, Slots
from fetcher.mailbox import Mailbox
from fetcher.publish import Item, Publisher
from shared.archive import Archive, mail_key
from shared.clock import utc_now
from shared.events import OutcomeType
from shared.messaging.envelope import new_traceparent
from shared.messaging.errors import UnavailableError
from shared.observability import FETCH_DELAY, MAILS_FETCHED

T = TypeVar("T")
LISTED_AT_ONCE = 1_000
BESIDES = 16 * 1024
"""Bytes a mail takes in memory beside its own: its line, its header block."""
Progress = Callable[[int, int], Awaitable[None]]
"""Called with (mails read now, mails found now)."""


@dataclass(frozen=True)
class Tools:
    """What every scan of this process works with."""

    engine: AsyncEngine
    archive: Archive
    publisher: Publisher
    batch_mails: int
    batch_bytes: int
    slots: Slots
    budget: ByteBudget


class FolderScan:
    """One folder of one scan. Its steps are methods in their order; a lost lease ends it before the next publication or flag."""

    def __init__(self, tools: Tools, mailbox: Mailbox, lease: Lease, box: Box, origin: Origin, progress: Progress) -> None:
        self._tools = tools
        self._mailbox = mailbox
        self._lease = lease
        self._box = box
        self._origin = origin
        self._progress = progress

    async def run(self, state: FolderState, opened: Opened, *, unread_only: bool) -> int:
        """Read what is new; returns how many mails were published."""
        low = state.low()
        uids = await self._mailbox.call(lambda c: c.search(low, opened.exists))
        unread = frozenset(await self._mailbox.call(lambda c: c.search(low, opened.exists, unread=True))) if unread_only else None
        async with self._tools.engine.connect() as conn:
            known = await ledger.window(conn, self._box, low)
        todo = self._todo(uids, known, unread)
        read = await self._read(todo, known, state, unread) if todo else 0
        await self.flag_missed()
        return read

    @staticmethod
    def _todo(uids: Sequence[int], known: Mapping[int, ledger.Line], unread: frozenset[int] | None) -> list[int]:
        """UIDs without line, those whose line was begun, and those skipped as read that are unread now."""
        begun = [uid for uid, row in known.items() if row.state == "seen"]
        skipped = {uid: row.outcome_reason for uid, row in known.items() if row.outcome_type == OutcomeType.SKIPPED}
        return sorted({*(uid for uid in uids if uid not in known), *begun, *taken_up_again(skipped, unread)})

    async def _read(self, todo: Sequence[int], known: Mapping[int, ledger.Line], state: FolderState, unread: frozenset[int] | None) -> int:
        """Three batches are under way at once: one is published while the next is archived and the one after it fetched."""
        read, handled = 0, 0
        failures = {uid: row.fetch_failures for uid, row in known.items()}
        async with AsyncExitStack() as memory:
            fetched = _one_ahead(self._fetched(todo, state, unread, memory))
            async with aclosing(_one_ahead(self._archived(fetched, failures))) as archived:
                async for batch, items in archived:
                    read += await self._published(batch, items)
                    await batch.memory.aclose()
                    handled += batch.uids
                    await self._progress(read, len(todo) - handled + read)
        return read

    async def _fetched(
        self, todo: Sequence[int], state: FolderState, unread: frozenset[int] | None, memory: AsyncExitStack
    ) -> AsyncGenerator[Batch]:
        """Batches with their bytes, ascending by UID, so that the cursor never passes a mail that has no line."""
        limit = self._mailbox.account.parameters.batch_size or self._tools.batch_mails
        pace = Pace(self._tools.batch_bytes)
        for first in range(0, len(todo), LISTED_AT_ONCE):
            uids = todo[first : first + LISTED_AT_ONCE]
            listed = await self._mailbox.call(lambda c, uids=uids: c.details(uids))  # type: ignore[misc]  # mypy: default of a lambda
            treated = [treat(state, one, unread, self._origin.max_bytes) for one in listed]
            missing = sorted(set(uids) - {one.uid for one in listed})
            if missing:
                yield Batch([], missing, {})
            for group in batches(treated, limit, pace):
                yield await self._fetch(group, pace, await memory.enter_async_context(AsyncExitStack()))

    async def _fetch(self, group: Sequence[Listed], pace: Pace, memory: AsyncExitStack) -> Batch:
        """Its bytes are within the budget before they are asked for. Who waits for that holds up nobody: not even by its slot."""
        async with self._tools.slots.lent():
            await memory.enter_async_context(self._tools.budget.take(sum(_weight(one) for one in group)))
        began = time.monotonic()
        batch = await fetch(self._mailbox, group)
        pace.note(sum(one.size for one in group if one.treatment.whole), time.monotonic() - began)
        for one in batch.fetched:
            if one.large is not None:
                memory.callback(one.large.file.close)
        return replace(batch, memory=memory)

    async def _archived(self, fetched: AsyncGenerator[Batch], failures: Mapping[int, int]) -> AsyncGenerator[tuple[Batch, list[Item]]]:
        """Batches whose mails have a line and are in the archive."""
        async with aclosing(fetched):
            async for batch in fetched:
                found = await self.record(batch, failures)
                mails = {self._box.mail_id(one.listed.uid): one for one in batch.fetched}
                items = [Item(line, mails[line.id].data, mails[line.id].large) for line in found if line.id in mails]
                await self.archive(items)
                yield batch, items

    async def _published(self, batch: Batch, items: Sequence[Item]) -> int:
        """The rest of the steps; returns how many mails were published."""
        refused = await self.publish(items)
        await self.confirm(items, refused, batch.last_uid)
        await self.flag([one.listed.uid for one in batch.fetched if one.listed.treatment.whole])
        return len(items) - len(refused)

    # --- the steps of a batch, in their order -----------------------------------------------------------------------------------

    async def record(self, batch: Batch, failures: Mapping[int, int]) -> Sequence[ledger.Line | ledger.Begun]:
        """Lines for all of the batch: `seen` where the mail will be published, `done` where its outcome is clear already."""
        described = await asyncio.to_thread(lambda: [self._describe(one) for one in batch.fetched])
        others = [lines.gone(self._box, uid) for uid in batch.gone]
        others += [lines.unfetched(self._box, uid, failures.get(uid, 0) + 1, why) for uid, why in batch.failed.items()]
        async with self._tools.engine.begin() as conn:
            await self._lease.fence(conn)
            known = await ledger.known_mails(conn, self._box.scanner_id, described)
            places = await without_erased(conn, self._first_places(described, known))
            found = await ledger.record(conn, [*places, *others], failures.keys())
        for state, count in Counter(line.get("outcome_type") or line["state"] for line in (*described, *others)).items():
            MAILS_FETCHED.labels(state).inc(count)
        return found

    def _describe(self, fetched: Fetched) -> dict[str, Any]:
        line = lines.describe(self._box, fetched, self._origin)
        if line["state"] == "seen":
            line["archive_key"] = mail_key(self._box.scanner_id, fetched.listed.received_at, line["id"])
            line["traceparent"] = new_traceparent()
        return line

    @staticmethod
    def _first_places(described: Sequence[dict[str, Any]], known: Mapping[Any, str]) -> list[dict[str, Any]]:
        """Known mails, and repetitions within the batch, become duplicates of the first."""
        firsts, placed = dict(known), []
        for line in described:
            key = (line["size"], line.get("sha256"))
            if line["state"] == "seen" and firsts.setdefault(key, line["id"]) != line["id"]:
                placed.append(lines.duplicate(line, firsts[key]))
            else:
                placed.append(line)
        return placed

    async def archive(self, items: Sequence[Item]) -> None:
        """Durably, before anybody hears of the mail."""
        if not items:
            return
        archive = self._tools.archive
        try:
            await archive.put_many([(item.line.archive_key, item.data) for item in items if item.large is None])
            for item in items:
                if item.large is not None:
                    await archive.put_file(item.line.archive_key, item.large.file)
        except (OSError, BaseError) as error:
            raise UnavailableError(f"the archive did not take {len(items)} mails: {error}") from error

    async def publish(self, items: Sequence[Item]) -> dict[str, str]:
        """Acknowledged by Kafka; returns what it refuses for good, with the reason."""
        if not items:
            return {}
        self._lease.check()
        return await self._tools.publisher.publish(items)

    async def confirm(self, items: Sequence[Item], refused: Mapping[str, str], last_uid: int) -> None:
        """Lines `published` and cursor, together."""
        async with self._tools.engine.begin() as conn:
            await self._lease.fence(conn)
            await confirm(conn, items, refused)
            await ledger.advance(conn, self._box, last_uid)
        _observe(items)

    async def flag(self, uids: Sequence[int]) -> None:
        r"""\Seen where the scanner asks for it. What a crash leaves out, `flag_missed` makes up for."""
        if not self._origin.mark_read or not uids:
            return
        self._lease.check()
        await self._mailbox.call(lambda c: c.mark_read(uids))
        async with self._tools.engine.begin() as conn:
            await ledger.flagged(conn, self._box, uids)

    # --- after a crash --------------------------------------------------------------------------------------------------------

    async def flag_missed(self) -> None:
        """Flags a crash, or a broken connection, left out."""
        if not self._origin.mark_read:
            return
        async with self._tools.engine.connect() as conn:
            missed = await ledger.unflagged(conn, self._box)
        await self.flag(missed)


def _weight(one: Listed) -> int:
    """Bytes it takes in memory: a large mail is in a file."""
    return BESIDES + (min(one.size, LARGE_LITERAL) if one.treatment.whole else 0)


def _observe(items: Sequence[Item]) -> None:
    now = utc_now()
    for item in items:
        FETCH_DELAY.observe(max(0.0, (now - item.line.received_at).total_seconds()))


async def _one_ahead(results: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Make the next result while this one is worked on; never more than one, to bound memory."""
    following: asyncio.Future[T | None] = asyncio.ensure_future(anext(results, None))
    try:
        while (result := await following) is not None:
            following = asyncio.ensure_future(anext(results, None))
            yield result
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await results.aclose()
