r"""Moves that outcomes ask for, carried out by whoever holds the mailbox.

Per group of mails with one source and one target folder, in this order: the lines are marked `moving_to` → \Seen where it is still
wanted → MOVE or COPY → a line for each new place → what was copied is removed → the lines are `at` their new place. A crash between
any two steps leaves marked lines; the next try looks first where these mails are.
"""

from __future__ import annotations

import hashlib
import imaplib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters import ledger, moves
from fetcher.adapters.imap import moves as imap_moves
from fetcher.adapters.imap.errors import FolderMissingError, MailboxError, first_line
from fetcher.adapters.imap.moves import Copied, Way
from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.domain.mails import Box
from fetcher.mailbox import Mailbox
from fetcher.poll import Tools
from shared.observability import MOVES, get_logger

log = get_logger("moves")

MOST_AT_ONCE = 500
GROUP = 100
"""Mails per command: the line of a command stays far below what servers accept."""
PATIENCE_S = 20.0
"""After so long the rest waits until the folders were read."""
GONE = "it was moved or deleted by somebody else, or its folder was: the mail stays where it is"
BROKE = "the connection broke at each try"


class Carrier:
    """The moves of one scan. Its steps are methods in their order; a lost lease or connection ends it before the next write."""

    def __init__(self, tools: Tools, mailbox: Mailbox, lease: Lease, scanner: ScannerRow) -> None:
        self._tools = tools
        self._mailbox = mailbox
        self._lease = lease
        self._scanner = scanner
        self._way = Way.COPY

    async def run(self) -> None:
        """A bounded number of moves; what cannot be moved is noted at its line."""
        try:
            await self._run(time.monotonic() + PATIENCE_S)
        finally:
            self._mailbox.forget_folder()

    async def _run(self, until: float) -> None:
        await self._write(lambda conn: moves.forget_older(conn, self._scanner))
        self._way = await self._mailbox.call(lambda c: imap_moves.way_of(c.client))
        for line in await self._due():
            if line.moving_to is not None and time.monotonic() < until:
                await self._safely([line], self.settle(line))
        for group in _groups([line for line in await self._due() if line.moving_to is None]):
            if time.monotonic() > until:
                return
            await self._safely(group, self.move(group))

    async def _due(self) -> Sequence[Row[Any]]:
        async with self._tools.engine.connect() as conn:
            return await moves.due(conn, self._scanner, MOST_AT_ONCE)

    async def _safely(self, lines: Sequence[Row[Any]], work: Awaitable[None]) -> None:
        """One group that cannot be moved stops no other; a connection that broke stops all."""
        try:
            await work
        except imaplib.IMAP4.readonly:
            await self._failed(lines, "the folder may be read only, with this user's rights")
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, MailboxError) as error:
            await self._failed(lines, f"the server refused it: {first_line(error)}")

    async def _failed(self, lines: Sequence[Row[Any]], why: str) -> None:
        log.warning("mails could not be moved", scanner=self._scanner.id, mails=len(lines), to=lines[0].move_to, why=why)
        MOVES.labels("failed").inc(len(lines))
        reason = f"The mail could not be moved to {lines[0].move_to}: {why}"
        last = [line.id for line in lines if line.move_tries + 1 >= moves.MOST_TRIES]
        await self._write(lambda conn: moves.failed(conn, [line.id for line in lines], reason))
        if last:
            await self._give_up(last, f"{reason}. It is not tried again: correct the folder, or move the mail by hand")

    async def _give_up(self, ids: Sequence[str], reason: str) -> None:
        if ids:
            log.info("moves given up", scanner=self._scanner.id, mails=len(ids), why=reason)
            MOVES.labels("given_up").inc(len(ids))
            await self._write(lambda conn: moves.give_up(conn, ids, reason))

    async def _spent(self, line: Row[Any]) -> bool:
        """Whether it was tried often enough; then it is given up."""
        if line.move_tries < moves.MOST_TRIES:
            return False
        await self._give_up([line.id], line.move_error or f"The mail could not be moved to {line.move_to}: {BROKE}")
        return True

    # --- a move that was begun, and whose end is not known ----------------------------------------------------------------------

    async def settle(self, line: Row[Any]) -> None:
        """Find out where the mail is. A MOVE leaves it in one place; a COPY that was cut short may have left it in two."""
        if await self._spent(line):
            return
        await self._write(lambda conn: moves.try_again(conn, line.id))
        source = await self._at_source(line)
        if source is not None and self._way is Way.MOVE:
            await self._write(lambda conn: moves.not_begun(conn, line.id))
            return
        found = await self._find(line, line.moving_to)
        if found is not None:
            await self._arrived(line, found, still_at=source)
        elif source is not None:
            await self._write(lambda conn: moves.not_begun(conn, line.id))
        else:
            await self._give_up([line.id], f"The mail could not be moved to {line.move_to}: {GONE}")

    async def _at_source(self, line: Row[Any]) -> int | None:
        """Its UID there, None where it is gone; the folder is selected."""
        try:
            uids = await self._uids([line])
        except FolderMissingError:
            return None
        return uids.get(line.id)

    async def _arrived(self, line: Row[Any], place: tuple[int, int], still_at: int | None) -> None:
        uid_validity, uid = place
        copied = Copied(uid_validity, {} if still_at is None else {still_at: uid})
        if still_at is not None:
            await self._mailbox.select(line.now_folder, writable=True)
            await self.place({line.id: still_at}, line.moving_to, copied)
            await self.remove([still_at])
        await self._write(lambda conn: moves.moved(conn, line.moving_to, uid_validity, {line.id: uid}))
        MOVES.labels("moved").inc()

    async def _find(self, line: Row[Any], folder: str) -> tuple[int, int] | None:
        """UIDVALIDITY and UID of the mail in a folder, by its bytes; None where it is not there."""
        try:
            opened = await self._mailbox.select(folder, writable=False)
        except FolderMissingError:
            return None
        uid = await self._find_selected(line)
        return None if uid is None else (opened.uid_validity, uid)

    async def _find_selected(self, line: Row[Any]) -> int | None:
        for uid in await self._mailbox.call(lambda c: imap_moves.candidates(c.client, line.message_id, line.size)):
            async with self._tools.budget.take(line.size):
                found = await self._mailbox.call(lambda c, uid=uid: c.bodies([uid]), size=line.size)  # type: ignore[misc]  # as in poll
            if hashlib.sha256(found.get(uid, b"")).hexdigest() == line.sha256:
                return int(uid)
        return None

    # --- the steps of a group, in their order -----------------------------------------------------------------------------------

    async def move(self, lines: Sequence[Row[Any]]) -> None:
        """All steps for mails of one folder that are wanted in one other."""
        target = lines[0].move_to
        begun = await self.mark([line for line in lines if not await self._spent(line)], target)
        if not begun:
            return
        uids = await self._uids(begun)
        await self._give_up([line.id for line in begun if line.id not in uids], f"The mail could not be moved to {target}: {GONE}")
        if not uids:
            return
        await self.flag([line for line in begun if line.id in uids], uids)
        copied = await self.transfer(list(uids.values()), target)
        arrived = {mail_id: uid for mail_id, uid in uids.items() if not copied.told or uid in copied.uids}
        await self.place(arrived, target, copied)
        await self.remove(list(arrived.values()))
        await self.record(arrived, target, copied)

    async def mark(self, lines: Sequence[Row[Any]], target: str) -> list[Row[Any]]:
        """Before anything is done to the mailbox. Returns those that are still wanted there."""
        async with self._tools.engine.begin() as conn:
            await self._lease.fence(conn)
            begun = await moves.begin(conn, [line.id for line in lines], target)
        return [line for line in lines if line.id in begun]

    async def _uids(self, lines: Sequence[Row[Any]]) -> dict[str, int]:
        """Select the folder the mails are in; returns the UID of each that is still there, by mail id."""
        opened = await self._mailbox.select(lines[0].now_folder, writable=True)
        known = {line.id: line.now_uid for line in lines if line.now_validity == opened.uid_validity and line.now_uid is not None}
        there = await self._mailbox.call(lambda c: imap_moves.present(c.client, list(known.values())))
        uids = {mail_id: uid for mail_id, uid in known.items() if uid in there}
        for line in lines:
            found = None if line.id in known else await self._find_selected(line)
            if found is not None:
                uids[line.id] = found
        return uids

    async def flag(self, lines: Sequence[Row[Any]], uids: Mapping[str, int]) -> None:
        r"""\Seen that a crash left out: in the new place nobody would make up for it."""
        missed = [line for line in lines if line.flag_wanted and line.at_folder is None]
        if not missed or self._scanner.after_scanning != "read":
            return
        box = Box(self._scanner.id, self._scanner.generation, missed[0].folder, missed[0].uid_validity)
        self._lease.check()
        await self._mailbox.call(lambda c: c.mark_read([uids[line.id] for line in missed]))
        await self._write(lambda conn: ledger.flagged(conn, box, [line.uid for line in missed]))

    async def transfer(self, uids: Sequence[int], target: str) -> Copied:
        """MOVE or COPY; the target is made where it is missing."""
        self._lease.check()
        try:
            return await self._mailbox.call(lambda c: imap_moves.transfer(c.client, uids, target, self._way))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            refusal = error
        if not await self._mailbox.call(lambda c: imap_moves.lacks(c.client, target, refusal)):
            raise refusal
        self._lease.check()
        await self._mailbox.call(lambda c: imap_moves.create(c.client, target))
        return await self._mailbox.call(lambda c: imap_moves.transfer(c.client, uids, target, self._way))

    async def place(self, uids: Mapping[str, int], target: str, copied: Copied) -> None:
        """A ledger line for each new place, before the folder is read."""
        validity = copied.uid_validity
        if validity is not None:
            places = {mail_id: copied.uids[uid] for mail_id, uid in uids.items()}
            await self._write(lambda conn: moves.add_places(conn, self._scanner, target, validity, places))

    async def remove(self, uids: Sequence[int]) -> None:
        """After a COPY."""
        if self._way is not Way.MOVE and uids:
            self._lease.check()
            await self._mailbox.call(lambda c: imap_moves.remove(c.client, uids, self._way))

    async def record(self, uids: Mapping[str, int], target: str, copied: Copied) -> None:
        """The mails are where they are wanted."""
        places = {mail_id: copied.uids.get(uid) for mail_id, uid in uids.items()}
        await self._write(lambda conn: moves.moved(conn, target, copied.uid_validity, places))
        MOVES.labels("moved").inc(len(uids))
        log.info("moved", scanner=self._scanner.id, mails=len(uids), to=target)

    async def _write(self, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        async with self._tools.engine.begin() as conn:
            await self._lease.fence(conn)
            await work(conn)


def _groups(lines: Sequence[Row[Any]]) -> Iterator[list[Row[Any]]]:
    """By source and target; a mail that failed before goes alone, so that it spoils no other's move."""

    def key(line: Row[Any]) -> tuple[str, int, str, str]:
        return line.now_folder, line.now_validity or 0, line.move_to, line.id if line.move_tries else ""

    for _, found in groupby(sorted(lines, key=key), key):
        group = list(found)
        for first in range(0, len(group), GROUP):
            yield group[first : first + GROUP]
