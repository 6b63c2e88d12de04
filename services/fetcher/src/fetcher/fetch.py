"""A batch's bytes, whatever single mails do: a UID that cannot be fetched never takes others with it."""

from __future__ import annotations

import imaplib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from fetcher.adapters.imap.connection import Connection
from fetcher.adapters.imap.errors import MailboxError, first_line
from fetcher.adapters.imap.fetch import LargeLiteral
from fetcher.domain.mails import Fetched, Listed
from fetcher.mailbox import Mailbox
from shared.observability import RETRIES, get_logger

log = get_logger("fetch")

FETCH_ERRORS = (OSError, imaplib.IMAP4.error)
MAX_RECONNECTS = 5
"""In one batch. A server that breaks every connection is away, not full of bad mails."""


@dataclass(frozen=True)
class Batch:
    """What came of fetching some UIDs: bytes, UIDs that are gone, UIDs that could not be fetched and why."""

    fetched: list[Fetched]
    gone: list[int]
    failed: dict[int, str]
    memory: AsyncExitStack = field(default_factory=AsyncExitStack)
    """Its part of the budget, to be given back when it is done with."""

    @property
    def last_uid(self) -> int:
        """The cursor after this batch; 0 leaves it where it is. Those gone or failed have a line, whatever the cursor says."""
        return max((one.listed.uid for one in self.fetched), default=0)

    @property
    def uids(self) -> int:
        return len(self.fetched) + len(self.gone) + len(self.failed)


async def fetch(mailbox: Mailbox, group: Sequence[Listed]) -> Batch:
    """All at once; where that fails, one by one on a new connection. Raises what connecting raises."""
    try:
        return await _together(mailbox, group)
    except FETCH_ERRORS as error:
        RETRIES.labels("fetch", type(error).__name__).inc()
        log.info("batch is fetched one by one", server=mailbox.account.server, mails=len(group), error=str(error)[:200])
    await mailbox.reopen()
    return await _one_by_one(mailbox, group)


async def _together(mailbox: Mailbox, group: Sequence[Listed]) -> Batch:
    whole = [one.uid for one in group if one.treatment.whole]
    headers = [one.uid for one in group if not one.treatment.whole]
    size = sum(one.size for one in group if one.treatment.whole)

    def read(connection: Connection) -> dict[int, bytes]:
        return (connection.bodies(whole) if whole else {}) | (connection.headers(headers) if headers else {})

    found = await mailbox.call(read, size=size)
    missing = [one.uid for one in group if one.uid not in found]
    still = await mailbox.call(lambda c: {one.uid for one in c.details(missing)}) if missing else set()
    return Batch(
        [_fetched(one, found[one.uid]) for one in group if one.uid in found],
        [uid for uid in missing if uid not in still],
        dict.fromkeys(sorted(still), "the server lists the mail but does not give it"),
    )


def _fetched(listed: Listed, data: bytes) -> Fetched:
    return Fetched(listed, data, data.spooled if isinstance(data, LargeLiteral) else None)


async def _one_by_one(mailbox: Mailbox, group: Sequence[Listed]) -> Batch:
    total = Batch([], [], {})
    reconnects = 0
    for one in group:
        try:
            part = await _together(mailbox, [one])
        except FETCH_ERRORS as error:
            reconnects += 1
            if reconnects > MAX_RECONNECTS:
                raise MailboxError(f"{mailbox.account.server} broke {reconnects} connections while mails were fetched") from error
            await mailbox.reopen()
            total.failed[one.uid] = first_line(error) or type(error).__name__
            continue
        total.fetched.extend(part.fetched)
        total.gone.extend(part.gone)
        total.failed.update(part.failed)
    return total
